"""Connections of clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from broker.admin.filtering import by_choice, by_pattern
from broker.admin.instance import Instance
from broker.admin.listing import Collection, Sort
from broker.admin.moment import moment
from broker.admin.views.queues import id_of, queue_of
from broker.admin.views.sessions import name_of
from broker.core.sessions import Session
from broker.model.number import whole_or_none
from broker.native.connection import NativeConnection
from broker.net.read_pauses import Pause
from broker.net.transport import Connection
from broker.xmpp.stream.connection import StreamConnection


class ConnectionState(StrEnum):
    """How far a connection has come."""

    NOT_LOGGED_IN = "notLoggedIn"
    LOGGED_IN = "loggedIn"


class ConnectionOf(NamedTuple):
    """A connection, and the name of its listener."""

    listener: str
    connection: Connection


class HeldBackBy(StrEnum):
    """Why a client that brings more than can be done with is not read from."""

    QUEUE_FULL = "queueFull"
    STORE_BEHIND = "storeBehind"
    REQUESTS_WAITING = "requestsWaiting"
    UNREAD_ANSWERS = "unreadAnswers"
    BUSY = "busy"


CAUSES = {  # the decisive one first
    Pause.STORE_BEHIND: HeldBackBy.STORE_BEHIND,
    Pause.ANSWERS_UNSTORED: HeldBackBy.STORE_BEHIND,
    Pause.UNREAD_ANSWERS: HeldBackBy.UNREAD_ANSWERS,
    Pause.REQUESTS_WAITING: HeldBackBy.REQUESTS_WAITING,
    Pause.BUSY: HeldBackBy.BUSY,
    Pause.OTHERS_FIRST: HeldBackBy.BUSY,
}


class HeldBack(msgspec.Struct, frozen=True, omit_defaults=True):
    """A client is held back.

    Args:
        cause: why.
        since: when that began.
        queue: that has no room for its message, where that is the cause.
    """

    cause: HeldBackBy
    since: str
    queue: str | None = None


class TlsRow(msgspec.Struct, frozen=True, rename="camel"):
    """How a connection is secured.

    Args:
        version: e.g. ``TLSv1.3``.
        cipher: its name.
        client_certificate: its client has shown one.
    """

    version: str
    cipher: str
    client_certificate: bool


class ConnectionRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A connection.

    Args:
        id: unique since the broker's process began.
        listener: that it has come by.
        peer: address and port.
        state: whether somebody has logged in over it.
        opened_at: when it was opened.
        tls: how it is secured; absent where it is not.
        session: of the client; absent where there is none.
        subject: its login name; likewise.
        held_back: why nothing is read from it; absent where it is read from.
    """

    id: str
    listener: str
    peer: str
    state: ConnectionState
    opened_at: str
    tls: TlsRow | None = None
    session: str | None = None
    subject: str | None = None
    held_back: HeldBack | None = None


def connections(instance: Instance) -> Collection[ConnectionOf]:
    """The collection.

    Args:
        instance: the broker.
    """
    return Collection(
        objects=lambda: _all(instance),
        id_of=lambda each: str(each.connection.number),
        row_type=ConnectionRow,
        row=lambda each: connection_row(instance, each),
        sorts={
            "openedAt": Sort(lambda each: each.connection.opened_at),
            "peer": Sort(lambda each: each.connection.peer, is_text=True),
        },
        default_sort="-openedAt",
        filters={
            "listener": by_pattern(lambda each: each.listener),
            "peer": by_pattern(lambda each: each.connection.host),
            "state": by_choice(lambda each: _state(session_of(each.connection)), ConnectionState),
            "subject": by_pattern(lambda each: _subject(session_of(each.connection))),
            "heldBack": by_choice(_cause, HeldBackBy),
        },
    )


def find_connection(instance: Instance, id: str) -> ConnectionOf | None:
    """A connection by its id; ``None`` where there is none."""
    number = whole_or_none(id, 1)
    return next((each for each in _all(instance) if each.connection.number == number), None)


def connection_row(instance: Instance, each: ConnectionOf) -> ConnectionRow:
    """What is told of a connection."""
    connection = each.connection
    session = session_of(connection)
    return ConnectionRow(
        str(connection.number),
        each.listener,
        connection.peer,
        _state(session),
        moment(int(connection.opened_at * 1000)),
        _tls(connection),
        None if session is None else name_of(session),
        None if session is None else session.name.subject,
        held_back(connection, session),
    )


def held_back(connection: Connection, session: Session | None) -> HeldBack | None:
    """Why nothing is read from a connection; ``None`` where something is.

    Args:
        connection: of a client.
        session: of the client; ``None`` where there is none.
    """
    if session is not None and session.room_wait is not None:
        owner, since = session.room_wait
        return HeldBack(HeldBackBy.QUEUE_FULL, moment(since), id_of(queue_of(owner)))
    pauses = connection.pauses
    reason = next((each for each in CAUSES if each in pauses), None)
    return None if reason is None else HeldBack(CAUSES[reason], moment(int(pauses[reason] * 1000)))


def session_of(connection: Connection) -> Session | None:
    """The session of a connection's client; ``None`` where there is none, or it carries many streams."""
    stream = connection.stream
    if isinstance(stream, NativeConnection):
        return stream.session
    if isinstance(stream, StreamConnection):
        return None if stream.client is None else stream.client.session
    return None


def _all(instance: Instance) -> Iterator[ConnectionOf]:
    lists: Iterable[tuple[str, list[Connection]]] = [
        (name, list(listener.connections)) for name, listener in instance.listeners()
    ]
    return (ConnectionOf(name, connection) for name, listed in lists for connection in listed)


def _state(session: Session | None) -> ConnectionState:
    return ConnectionState.NOT_LOGGED_IN if session is None else ConnectionState.LOGGED_IN


def _subject(session: Session | None) -> str:
    return "" if session is None else session.name.subject


def _cause(each: ConnectionOf) -> str:
    held = held_back(each.connection, session_of(each.connection))
    return "" if held is None else held.cause


def _tls(connection: Connection) -> TlsRow | None:
    if not connection.secure:
        return None
    details = connection.tls_details()
    if details is None:
        return None
    return TlsRow(details.version, details.cipher, connection.client_certificate() is not None)
