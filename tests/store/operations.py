"""Any sequence of operations that the store's interface allows, for hypothesis."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from broker.model.records import COPIED, HAD, TRANSIENT, MessageRecord
from broker.store.tables import Tables
from tests.contract.records import EPOCH, audit, document, entry, message, session, subject, subscription, topic

QUEUES = (1, 2, 3)
RANKS = (0, 4)


class Operation(NamedTuple):
    """A method of the store and its arguments; ``commit`` is a mark."""

    name: str
    args: tuple[Any, ...] = ()


COMMIT = Operation("commit")

_queue = st.sampled_from(QUEUES)
_id = st.integers(1, 3)
_owner = st.sampled_from(["joe", "amy"])
_name = st.sampled_from(["a", "b"])
_SIMPLE = {
    "put_subject": st.builds(subject, _id, st.sampled_from(["joe", "amy"])),
    "put_session": st.builds(session, _id, epoch=st.integers(1, 3)),
    "put_topic": st.builds(topic, _id, st.sampled_from(["a", "b"])),
    "put_subscription": st.builds(subscription, st.sampled_from(["s1", "s2", "s3"]), _id),
    "delete_subject": _id,
    "delete_session": _id,
    "delete_topic": _id,
    "delete_subscription": st.sampled_from(["s1", "s2", "s3"]),
    "put_handled": st.tuples(_id, st.integers(0, 9)),
    "put_document": st.builds(document, _owner, _name, expires=st.sampled_from([0, 0, 50, 150])),
    "delete_document": st.tuples(_owner, st.just("roster"), _name),
    "purge_documents": st.sampled_from([60, 200]),
    "put_audit": st.builds(audit, _id, _owner),
    "forget_audit": st.integers(EPOCH, EPOCH + 3),
    "beat": st.tuples(st.integers(1, 100), st.integers(0, EPOCH + 50)),
    "settle_all": _queue,
}
_OF_ENTRIES = ("refer", "settle", "settle", "settle", "set_redeliver", "set_number", "set_flags")
_KINDS = (*("publish", "commit", *_OF_ENTRIES) * 3, "move_all", *_SIMPLE)  # what brokers do most, most


@st.composite
def operations(draw: st.DrawFn, max_size: int = 40, *, reads: bool = False) -> list[Operation]:
    """A sequence in which every entry has a message and a key of its own, as the interface demands.

    Args:
        draw: hypothesis gives it.
        max_size: most operations, marks included.
        reads: whether entries are read in between.
    """
    alive = Tables()
    result: list[Operation] = []
    next_id = 0

    def append(name: str, *args: Any) -> None:
        getattr(alive, name)(*args)
        result.append(Operation(name, args))

    def put_entry(queue_id: int, message_id: int, record: MessageRecord | None) -> None:
        nonlocal next_id
        next_id += 1
        flags = draw(st.sampled_from([0, COPIED, TRANSIENT, 6]))
        row = entry(queue_id, next_id, message_id, rank=draw(st.sampled_from(RANKS)), flags=flags)
        append("put_entry", row, record)

    kinds = (*_KINDS, *("read_entries",) * 6) if reads else _KINDS
    size = draw(st.integers(0, max_size))  # else most would have a few
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=size, max_size=size)):
        entries = sorted(alive.entries())
        if kind in _SIMPLE:
            drawn = draw(_SIMPLE[kind])
            append(kind, *(drawn if type(drawn) is tuple else (drawn,)))
        elif kind == "commit":
            result.append(COMMIT)
        elif kind == "read_entries":
            after = draw(st.sampled_from([0, *(row.seq for row in entries)]))
            result.append(Operation(kind, (draw(_queue), draw(st.sampled_from(RANKS)), after, 3)))
        elif kind == "publish":
            next_id += 1
            message_id = next_id
            record: MessageRecord | None = message(message_id, expires=draw(st.sampled_from([0, 50, 150])))
            for queue_id in draw(st.sets(_queue, min_size=1)):
                put_entry(queue_id, message_id, record)
                record = None
        elif kind == "move_all":
            append("move_all", draw(_queue), draw(_queue), draw(st.sampled_from([~TRANSIENT, ~2, -1])))
        elif entries:
            chosen = draw(st.sampled_from(entries))
            if kind == "refer":
                next_id += 1
                append("put_entry", chosen._replace(queue_id=draw(_queue), seq=entry(1, next_id, 1).seq))
            elif kind == "settle":
                append("settle", *chosen[:4])
            elif kind == "set_flags":
                append(kind, *chosen[:3], chosen.flags | HAD)
            else:
                append(kind, *chosen[:3], draw(st.integers(1, 5)))
    return result
