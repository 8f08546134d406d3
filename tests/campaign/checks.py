"""What is promised, as questions about what was sent and what came. No clocks, no sockets, no chance."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SHOWN = 5
LONGEST = 80
"""Characters of each that are shown."""


class Failed(Exception):
    """A promise is broken."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of a native publisher.

    Args:
        text: its content, unique.
        id: that its acknowledgement gave to it (nanoseconds); 0 where the publisher got none at once. The broker may
            have such a message never, once, or more often, each time under another id.
    """

    text: str
    id: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as a native subscriber got it.

    Args:
        text: its content.
        id: that the broker gave to it (nanoseconds).
        repeated: whether it is marked as delivered before.
        priority: 0 to 9.
    """

    text: str
    id: int
    repeated: bool = False
    priority: int = 5


def check_arrivals(who: str, sent: Sequence[Sent], got: Sequence[Arrival], *, everything: bool = True) -> None:
    """What one subscriber got of one publisher that waits for each answer.

    Args:
        who: for the complaint.
        sent: in order.
        got: in order.
        everything: each message was to arrive; else what came must be right.

    Raises:
        Failed: an acknowledged message did not arrive; something arrived that nobody sent; a repeat has no mark;
            acknowledgements, or first arrivals of acknowledged messages of one priority, are not in the order in which
            the broker took them.
    """
    known = {each.text for each in sent}
    strange = [each.text for each in got if each.text not in known]
    if strange:
        raise Failed(f"{who}: nobody sent {_some(strange)}")
    acknowledged = [each for each in sent if each.id]
    falling = [(a.text, b.text) for a, b in pairwise(acknowledged) if a.id >= b.id]
    if falling:
        raise Failed(f"{who}: acknowledgements do not rise: {_some(falling)}")
    arrived = {(each.id, each.text) for each in got}
    lost = [each.text for each in acknowledged if (each.id, each.text) not in arrived]
    if lost and everything:
        raise Failed(f"{who}: {len(lost)} acknowledged messages are lost: {_some(lost)}")
    check_repeats(who, got)
    check_order(who, {each.id for each in acknowledged}, got)


def check_repeats(who: str, got: Iterable[Arrival]) -> None:
    """Whatever comes again is marked.

    Raises:
        Failed: something is not.
    """
    seen: set[int] = set()
    unmarked = []
    for each in got:
        if each.id in seen and not each.repeated:
            unmarked.append(each.text)
        seen.add(each.id)
    if unmarked:
        raise Failed(f"{who}: {len(unmarked)} came again without a mark: {_some(unmarked)}")


def check_order(who: str, acknowledged: Container[int], got: Iterable[Arrival]) -> None:
    """Acknowledged messages of one priority come for the first time in the order in which the broker took them.

    One that was delivered before its commit, and lost with the broker, is taken anew under another id; if the wall
    clock was set back meanwhile, that is a lower one. So only what was acknowledged has a place.

    Args:
        who: for the complaint.
        acknowledged: ids, in nanoseconds.
        got: of one or more publishers, in order.

    Raises:
        Failed: some do not.
    """
    newest: dict[int, Arrival] = {}
    seen: set[int] = set()
    early = []
    for each in got:
        if each.id in seen or each.id not in acknowledged:
            continue
        seen.add(each.id)
        before = newest.get(each.priority)
        if before is not None and before.id > each.id:
            early.append(f"{before.text} before {each.text}")
        else:
            newest[each.priority] = each
    if early:
        raise Failed(f"{who}: {len(early)} came out of order: {_some(early)}")


def check_stream(who: str, sent: Sequence[str], got: Sequence[str]) -> None:
    """An XMPP client that resumes its stream gets each message once, in order.

    Raises:
        Failed: it did not.
    """
    if list(got) == list(sent):
        return
    arrived, known = set(got), set(sent)
    lost = [text for text in sent if text not in arrived]
    doubled = sorted({text for text in got if got.count(text) > 1})
    strange = [text for text in got if text not in known]
    told = [
        f"{len(texts)} {what}: {_some(texts)}"
        for what, texts in (("lost", lost), ("doubled", doubled), ("unknown", strange))
        if texts
    ]
    raise Failed(f"{who}: {len(sent)} sent, {len(got)} came; {'; '.join(told) or 'out of order'}")


def check_part(who: str, sent: Sequence[str], got: Sequence[str]) -> None:
    """An XMPP client that comes and goes gets some messages, each once and in order.

    Raises:
        Failed: it did not.
    """
    left = iter(sent)
    wrong = [text for text in got if text not in left]
    if wrong:
        raise Failed(f"{who}: {len(wrong)} doubled, unknown or out of order, first {wrong[0]}")


def check_unmanaged(who: str, sent: Sequence[str], live: Sequence[str], delayed: Sequence[str]) -> None:
    """What a client without stream management got, over a connection manager that speaks routes.

    Routes acknowledge nothing. So a message may be lost with a link, the manager or the broker; and one that the
    manager could not be sure to have delivered is given back, and comes once more, but marked as delayed.

    Args:
        who: for the complaint.
        sent: in order.
        live: what came without a mark, in order.
        delayed: what came with one.

    Raises:
        Failed: something came that nobody sent, or without a mark more than once or out of order.
    """
    known = set(sent)
    strange = [text for text in (*live, *delayed) if text not in known]
    if strange:
        raise Failed(f"{who}: nobody sent {_some(strange)}")
    check_part(who, sent, live)


def check_history(who: str, sent: Sequence[Sent], kept: Sequence[Arrival], limit: int) -> None:
    """A topic keeps its newest messages.

    Args:
        who: for the complaint.
        sent: in order.
        kept: as ``get`` answers, the newest first.
        limit: of the history.

    Raises:
        Failed: it does not.
    """
    ids = [each.id for each in kept]
    if ids != sorted(ids, reverse=True):
        raise Failed(f"{who}: the history is out of order")
    check_repeats(who, kept)
    acknowledged = [each for each in sent if each.id]
    if len(kept) < min(limit, len(acknowledged)):
        raise Failed(f"{who}: {len(kept)} of {limit} messages are kept")
    oldest = ids[-1] if len(ids) >= limit else 0
    lost = [each.text for each in acknowledged if each.id > oldest and each.id not in set(ids)]
    if lost:
        raise Failed(f"{who}: not in the history: {_some(lost)}")


def check_equal(who: str, expected: object, found: object) -> None:
    """Something is as the model has it.

    Raises:
        Failed: it is not.
    """
    if expected != found:
        raise Failed(f"{who}: {found!r}, and {expected!r} by the model")


def check_nothing_left(counts: Mapping[str, int]) -> None:
    """Nothing is left that belongs to nobody.

    Args:
        counts: rows, by what they are.

    Raises:
        Failed: something is.
    """
    left = [f"{count} {what}" for what, count in counts.items() if count]
    if left:
        raise Failed(f"left over in the database: {', '.join(left)}")


def _some(items: Sequence[object]) -> str:
    told = ", ".join(str(item)[:LONGEST].strip() for item in items[:SHOWN])
    return f"{told}, …" if len(items) > SHOWN else told
