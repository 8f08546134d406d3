"""A session that goes on after a crash: what its stream sends again belongs to answers that were given before, or not.

It knows no clock and no stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from broker.xmpp.bosh.exchange import MAX_KEPT, Exchange, Request
from broker.xmpp.bosh.records import Record
from broker.xmpp.wire.bosh import write_body

_STABLE_ID = re.compile(rb"<stanza-id xmlns='urn:xmpp:sid:0' by='[^']*' id='([^'\s]*)'")


def id_of(element: bytes) -> str:
    """The id that the broker has given to a stanza (XEP-0359); empty where it has none."""
    found = _STABLE_ID.search(element) if element.startswith(b"<message") else None
    return found[1].decode() if found is not None else ""


def sort_again(
    record: Record, sent_again: Sequence[tuple[bytes, int]]
) -> tuple[Mapping[int, tuple[bytes, int]], list[tuple[bytes, int]]]:
    """Tell what a stream sends again from what is new.

    Args:
        record: of the session.
        sent_again: elements, and the number of each.

    Returns:
        The answers that the client may ask for once more, by the rid of each, with the number of the last stanza that
        is proved with it; and what was in none of them.
    """
    answers = record.answers()
    rid_of = {id: rid for rid, ids in sorted(answers.items()) for id in ids}
    payloads: dict[int, list[bytes]] = {rid: [] for rid in sorted(answers)}
    numbers: dict[int, int] = {}
    rest: list[tuple[bytes, int]] = []
    proved = record.acknowledged
    for element, number in sent_again:
        rid = rid_of.get(id_of(element))
        if rid is None:
            rest.append((element, number))
            continue
        payloads[rid].append(element)
        if not rest:  # an acknowledgement is of all before it
            proved = numbers[rid] = number
    # What was in answers behind one that is new is acknowledged with that.
    ends = [number - 1 for _, number in rest[1:]] + [number for _, number in sent_again[-1:]]
    rest = [(element, end) for (element, _), end in zip(rest, ends, strict=False)]
    kept: dict[int, tuple[bytes, int]] = {}
    last = record.acknowledged
    for rid in range(max(0, record.answered - MAX_KEPT), record.answered + 1):  # others have brought nothing
        last = max(last, numbers.get(rid, last))
        kept[rid] = (write_body({}, b"".join(payloads.get(rid, ()))), min(last, proved))
    return kept, rest


def place(exchange: Exchange, requests: Sequence[Request], least: int) -> None:
    """Find where a client goes on: its first request of which no answer is kept.

    Args:
        exchange: of the session.
        requests: that have come since; at least one.
        least: rid that it cannot be below.
    """
    new = [each.body.rid for each in requests if not exchange.keeps(each.body.rid)]
    if new:
        exchange.next = max(least, min(new))
        exchange.answered = exchange.next - 1
