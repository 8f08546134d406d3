"""Sessions."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from broker.admin.filtering import at_least, by_any_choice, by_choice, by_pattern, by_truth
from broker.admin.listing import Collection, Sort
from broker.admin.moment import moment
from broker.admin.states import SessionState, state_of
from broker.admin.views.queues import fill_ratio, oldest_of
from broker.admin.views.session_notes import SessionNote, note_of, with_fates
from broker.admin.why import Why
from broker.admin.why_texts import Waiting, told
from broker.core.broker import Broker
from broker.core.hindrances import Hindrance
from broker.core.node import Node
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.model.number import whole_or_none
from broker.xmpp.session.dispatch import StreamDispatch


class Kind(StrEnum):
    """Kinds of sessions, as a filter names them."""

    NATIVE = "native"
    XMPP = "xmpp"
    PLUGIN = "plugin"
    NODES = "nodes"


class SessionQueue(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The queue of a session; see :class:`broker.admin.views.queues.QueueRow`."""

    entries: int
    bytes: int
    in_memory: int
    durable: int
    max_entries: int
    max_bytes: int
    on_overflow: str
    fill_ratio: float
    oldest_at: str | None = None


class SessionCounters(msgspec.Struct, frozen=True):
    """What a session did.

    Args:
        update: messages that its client has acknowledged, or that were written to one that acknowledges none.
    """

    publish: int
    subscribe: int
    unsubscribe: int
    get: int
    erase: int
    update: int


class StreamRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Stream management of an XMPP session (XEP-0198).

    Args:
        managed: it is on.
        unacked: stanzas that were sent and not acknowledged.
        window: how many these may be.
    """

    managed: bool
    unacked: int = 0
    window: int = 0


class SessionRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A session. It has a secret id, which is never told.

    Args:
        name: login name and number, ``joe/1``.
        subject: login name.
        public_id: number.
        kind: of its client.
        state: ``attached``, ``waiting``, ``detached``, ``placeholder`` or ``ending``.
        connection_state: ``ALIVE``, ``POLLING``, ``UNDEF`` or ``DEAD``, as native clients call it.
        persistent: it survives a crash.
        epoch: raised whenever it is taken over.
        created_at: when it was made.
        last_seen_at: when its last request came.
        idle_seconds: since then.
        subscriptions: their number.
        active: deliveries are not held back.
        counters: of what it did.
        queue: what waits for it.
        resource: of an XMPP client; absent for others.
        why_transient: why it is not persistent though its client has asked for that.
        ends_at: when it ends, unless a request comes; absent where that is never.
        last_error: of a delivery.
        stream: of an XMPP client.
        note: what is to be said of it whether or not anything waits; absent for nothing.
        waiting: why the first entry of its queue waits, the decisive reason first; absent where the queue is empty.
    """

    name: str
    subject: str
    public_id: int
    kind: str
    state: SessionState
    connection_state: str
    persistent: bool
    epoch: int
    created_at: str
    last_seen_at: str
    idle_seconds: float
    subscriptions: int
    active: bool
    counters: SessionCounters
    queue: SessionQueue
    resource: str | None = None
    why_transient: str | None = None
    ends_at: str | None = None
    last_error: str | None = None
    stream: StreamRow | None = None
    note: SessionNote | None = None
    waiting: list[Waiting] = []


def name_of(session: Session) -> str:
    """``joe/1``."""
    return f"{session.name.subject}/{session.name.public_id}"


def session_row(broker: Broker, session: Session, why: Why) -> SessionRow:
    """What is told of a session.

    Args:
        broker: that it belongs to.
        session: itself.
        why: tells why its queue waits.
    """
    node = broker.node
    dispatch, counters, seen = session.dispatch, session.counters, node.seen_at(session)
    is_stream = isinstance(dispatch, StreamDispatch)
    return SessionRow(
        name_of(session),
        session.name.subject,
        session.name.public_id,
        session.kind.name,
        state_of(session),
        dispatch.state.value,
        session.persistent,
        session.epoch,
        moment(session.created),
        moment(seen),
        session.idle(node.monotonic()) / 1000,
        len(session.subscriptions),
        dispatch.active,
        SessionCounters(
            counters.publish,
            counters.subscribe,
            counters.unsubscribe,
            counters.get,
            counters.erase,
            counters.updates + counters.oneway_updates,
        ),
        _queue(session.queue),
        session.kind.label(session) or None,
        session.why_transient or None,
        moment(seen + session.timeout) if session.timeout > 0 and not is_stream else None,
        None if dispatch.last_error is None else str(dispatch.last_error)[:200],
        _stream(dispatch) if isinstance(dispatch, StreamDispatch) else None,
        note_of(broker, session),
        [told(each) for each in with_fates(broker, session, why.of_session(session))],
    )


def sessions(broker: Callable[[], Broker], why: Why) -> Collection[Session]:
    """The collection.

    Args:
        broker: gives the core.
        why: tells why a queue waits.
    """
    return Collection(
        objects=lambda: list(broker().node.sessions.values()),
        id_of=name_of,
        row_type=SessionRow,
        row=lambda session: session_row(broker(), session, why),
        sorts={
            "name": Sort(name_of, is_text=True),
            "queueEntries": Sort(lambda session: session.queue.entries),
            "queueBytes": Sort(lambda session: session.queue.bytes),
            "fillRatio": Sort(lambda session: fill_ratio(session.queue)),
            "idleSeconds": Sort(lambda session: -session.seen),
            "createdAt": Sort(lambda session: session.created),
            "updates": Sort(lambda session: session.counters.updates + session.counters.oneway_updates),
            "oldestAt": Sort(lambda session: oldest_of(session.queue)),
        },
        default_sort="name",
        filters={
            "kind": by_choice(lambda session: session.kind.name, Kind),
            "state": by_choice(state_of, SessionState),
            "subject": by_pattern(lambda session: session.name.subject),
            "persistent": by_truth(lambda session: session.persistent),
            "minQueueEntries": at_least(lambda session: session.queue.entries),
            "waitingCode": by_any_choice(lambda session: [each.code for each in why.of_session(session)], Hindrance),
        },
    )


def find_session(node: Node, subject: str, public_id: str) -> Session | None:
    """A session by its login name and number; ``None`` where there is none."""
    found, number = node.subjects.get(subject), whole_or_none(public_id)
    return None if found is None or number is None else found.sessions.get(number)


def _queue(queue: Queue) -> SessionQueue:
    limits, oldest = queue.limits, oldest_of(queue)
    return SessionQueue(
        queue.entries,
        queue.bytes,
        queue.in_memory,
        queue.durable,
        limits.entries,
        limits.bytes,
        limits.overflow.value,
        round(fill_ratio(queue), 4),
        moment(oldest) if oldest else None,
    )


def _stream(dispatch: StreamDispatch) -> StreamRow:
    unacked = dispatch.unacked
    return StreamRow(False) if unacked is None else StreamRow(True, len(unacked), dispatch.limits.window)
