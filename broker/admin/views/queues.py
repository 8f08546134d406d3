"""Queues: of sessions, of login names, and the histories of topics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from broker.admin.census import Relating
from broker.admin.filtering import at_least, at_least_part, by_any_choice, by_choice, by_pattern
from broker.admin.listing import Collection, Sort
from broker.admin.moment import moment
from broker.admin.why import Why
from broker.admin.why_texts import Waiting, told
from broker.core.entries import Entry
from broker.core.hindrances import Hindrance, Wait
from broker.core.history import History
from broker.core.ids import NANOSECONDS
from broker.core.node import Node
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.model.number import whole_or_none

BETWEEN = "~"
"""Stands between login name and number of a session in the name of its queue."""


class QueueOf(NamedTuple):
    """A queue and whose it is.

    Args:
        relating: what it belongs to.
        owner: ``joe~1``, ``joe``, or the oid of a topic.
        queue: itself.
        of: the session or login name; ``None`` for a history.
    """

    relating: Relating
    owner: str
    queue: Queue | History
    of: Session | Subject | None = None


class QueueRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A queue.

    Args:
        relating: ``callback`` of a session, ``subject`` of a login name, ``history`` of a topic.
        owner: whose it is.
        entries: that it holds, also those that are on their way.
        bytes: what they count for.
        in_memory: of the entries.
        on_disk: those that are there only.
        durable: those that survive a crash; absent for a history.
        max_entries: that it takes.
        max_bytes: that it takes.
        fill_ratio: the larger part of these that is used.
        on_overflow: what becomes of what does not fit; absent for a history, which drops its oldest.
        oldest_at: when the message that is next, or oldest, and in memory, was received; absent where there is none.
        newest_at: when the message in memory that came last was received; absent where there is none.
        redelivered: deliveries that failed, since the broker started; absent for a history.
        overflowed: messages that found it full, or had to make room in it, likewise.
        entered_per_second: entries that came, lately; absent where that is not known.
        revision: another text as soon as an entry has come or gone; absent for a history.
        publishers_waiting: requests that wait for room in it.
        left_per_second: entries, lately; absent where that is not known.
        waiting: why its first entry waits, the decisive reason first; absent for a history, and where it is empty.
    """

    relating: Relating
    owner: str
    entries: int
    bytes: int
    in_memory: int
    on_disk: int
    max_entries: int
    max_bytes: int
    fill_ratio: float
    durable: int | None = None
    on_overflow: str | None = None
    oldest_at: str | None = None
    revision: str | None = None
    publishers_waiting: int = 0
    left_per_second: float | None = None
    waiting: list[Waiting] = []
    newest_at: str | None = None
    redelivered: int | None = None
    overflowed: int | None = None
    entered_per_second: float | None = None


def queue_of(owner: Session | Subject) -> QueueOf:
    """The queue of a session or login name."""
    if isinstance(owner, Session):
        name = owner.name
        return QueueOf(Relating.CALLBACK, f"{name.subject}{BETWEEN}{name.public_id}", owner.queue, owner)
    return QueueOf(Relating.SUBJECT, owner.name, owner.queue, owner)


def id_of(each: QueueOf) -> str:
    """``callback/joe~1``, ``subject/joe``, ``history/news``."""
    return f"{each.relating}/{each.owner}"


def queue_row(each: QueueOf, why: Why) -> QueueRow:
    """What is told of a queue.

    Args:
        each: the queue.
        why: tells why it waits.
    """
    queue = each.queue
    entries, in_memory, oldest = len(queue), queue.in_memory, oldest_of(queue)
    is_history = isinstance(queue, History)
    newest = newest_of(queue)
    return QueueRow(
        each.relating,
        each.owner,
        entries,
        queue.bytes,
        in_memory,
        entries - in_memory,
        queue.limits.entries,
        queue.limits.bytes,
        round(fill_ratio(queue), 4),
        None if isinstance(queue, History) else queue.durable,
        None if is_history else queue.limits.overflow.value,
        moment(oldest) if oldest else None,
        revision_of(queue),
        0 if isinstance(queue, History) else queue.room_waiters,
        None if isinstance(queue, History) else why.rate(queue.id),
        [told(wait) for wait in waits_of(each, why)],
        moment(newest) if newest else None,
        None if isinstance(queue, History) else queue.redelivered,
        None if isinstance(queue, History) else queue.overflowed,
        None if isinstance(queue, History) else why.entered_rate(queue.id),
    )


def outstanding_of(each: QueueOf) -> Sequence[Entry]:
    """The entries of a queue that are on their way to a client."""
    return each.of.dispatch.outstanding if isinstance(each.of, Session) else ()


def revision_of(queue: Queue | History) -> str | None:
    """What is another text as soon as an entry has come or gone; ``None`` for a history."""
    return None if isinstance(queue, History) else f"{queue.entered}-{queue.entered - queue.entries}"


def waits_of(each: QueueOf, why: Why) -> list[Wait]:
    """Why a queue waits; empty for a history, which is not delivered."""
    if isinstance(each.of, Session):
        return why.of_session(each.of)
    return [] if each.of is None else why.of_subject(each.of)


def fill_ratio(queue: Queue | History) -> float:
    """The larger part of its limits that a queue uses; 1 and more where it is full."""
    limits = queue.limits
    return max(len(queue) / max(limits.entries, 1), queue.bytes / max(limits.bytes, 1))


def oldest_of(queue: Queue | History) -> int:
    """When the message in memory that is next in a queue, or oldest in a history, was received; 0 for none.

    Returns:
        Milliseconds since 1970.
    """
    if isinstance(queue, History):
        message = next(iter(queue), None)
        return 0 if message is None else message.id // NANOSECONDS
    first = queue.peek(1) if queue.entries else []
    return first[0].message.id // NANOSECONDS if first else 0


def newest_of(queue: Queue | History) -> int:
    """When the message in memory that came last was received; as :func:`oldest_of`."""
    return queue.newest_id // NANOSECONDS


def queues(node: Callable[[], Node], why: Why) -> Collection[QueueOf]:
    """The collection.

    Args:
        node: gives the node.
        why: tells why a queue waits.
    """
    return Collection(
        objects=lambda: queues_of(node()),
        id_of=id_of,
        row_type=QueueRow,
        row=lambda each: queue_row(each, why),
        sorts={
            "entries": Sort(lambda each: len(each.queue)),
            "bytes": Sort(lambda each: each.queue.bytes),
            "fillRatio": Sort(lambda each: fill_ratio(each.queue)),
            "owner": Sort(lambda each: each.owner, is_text=True),
        },
        default_sort="-entries",
        filters={
            "relating": by_choice(lambda each: each.relating, Relating),
            "owner": by_pattern(lambda each: each.owner),
            "minEntries": at_least(lambda each: len(each.queue)),
            "olderThanSeconds": at_least(lambda each: _age_seconds(node(), each.queue)),
            "minFillRatio": at_least_part(lambda each: fill_ratio(each.queue)),
            "waitingCode": by_any_choice(lambda each: [wait.code for wait in waits_of(each, why)], Hindrance),
        },
    )


def find_queue(node: Node, relating: str, owner: str) -> QueueOf | None:
    """A queue by whose it is; ``None`` where there is none."""
    if relating == Relating.HISTORY:
        topic = node.topics.get(owner)
        return None if topic is None else QueueOf(Relating.HISTORY, owner, topic.history)
    name, number = owner, None
    if relating == Relating.CALLBACK:
        name, _, text = owner.rpartition(BETWEEN)
        number = whole_or_none(text)
    subject = node.subjects.get(name)
    if subject is None:
        return None
    if relating == Relating.SUBJECT:
        return queue_of(subject)
    session = None if number is None else subject.sessions.get(number)
    return None if session is None else queue_of(session)


def _age_seconds(node: Node, queue: Queue | History) -> float:
    oldest = oldest_of(queue)
    return (node.now() - oldest) / 1000 if oldest else -1


def queues_of(node: Node) -> Iterator[QueueOf]:
    """All queues that there are by now."""
    sessions, subjects, topics = list(node.sessions.values()), list(node.subjects.values()), list(node.topics.values())
    for session in sessions:
        yield queue_of(session)
    for subject in subjects:
        yield queue_of(subject)
    for topic in topics:
        yield QueueOf(Relating.HISTORY, topic.oid, topic.history)
