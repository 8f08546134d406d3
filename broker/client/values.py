"""What a client gets: updates and outcomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos
from broker.model.key import Key
from broker.model.property import find
from broker.model.qos import STATE_ERASED, STATE_OK, StatusQos, UpdateQos
from broker.native.codec import read_connect_qos, read_key, read_status_qos, read_update_qos
from broker.native.wire.frames import Unit

INITIAL_PROPERTY = "__isInitialUpdate"
QUEUED = "QUEUED"
"""Info of an answer that the client gave itself while it had no connection."""


class State(Enum):
    """State of the connection (spec §19.1)."""

    IDLE = "IDLE"
    ALIVE = "ALIVE"
    POLLING = "POLLING"
    DEAD = "DEAD"


@dataclass(frozen=True, slots=True)
class Update:
    """A message as it arrives.

    Args:
        oid: topic.
        content: opaque bytes.
        key: with MIME type and meta data.
        qos: everything else.
    """

    oid: str
    content: bytes
    key: Key
    qos: UpdateQos = field(repr=False)

    @property
    def text(self) -> str:
        """The content as text; what is not UTF-8 is escaped."""
        return self.content.decode("utf-8", "backslashreplace")

    @property
    def sender(self) -> str:
        """Absolute session name of the publisher."""
        return self.qos.publish.sender

    @property
    def subscription_id(self) -> str:
        """Of the subscription that it arrived for; ``__subId:PtP`` for point-to-point."""
        return self.qos.subscription_id

    @property
    def received(self) -> int:
        """Nanoseconds since 1970 when the broker got it; unique at its node."""
        return self.qos.received

    @property
    def redelivered(self) -> int:
        """Deliveries that failed before this one; above 0 it may have been seen already."""
        return self.qos.redeliver

    @property
    def erased(self) -> bool:
        """Whether this tells that the topic was erased."""
        return self.qos.publish.state == STATE_ERASED

    @property
    def initial(self) -> bool:
        """Whether it comes from the topic's history, because of a new subscription."""
        return find(self.qos.publish.properties, INITIAL_PROPERTY) is not None

    @property
    def properties(self) -> dict[str, bool | int | float | str | bytes]:
        """Client properties by name."""
        return {each.name: each.python for each in self.qos.publish.properties}

    @classmethod
    def of(cls, unit: Unit) -> Update:
        """Read a unit of an update or of an answer to ``get``.

        Raises:
            BrokerError: ``user.illegalArgument`` where it cannot be read.
        """
        key = read_key(unit.key)
        return cls(key.oid, unit.content, key, read_update_qos(unit.qos))


@dataclass(frozen=True, slots=True)
class Published:
    """The outcome of a publish.

    Args:
        oid: topic.
        received: nanoseconds since 1970; 0 while the message waits in the client.
        state: ``OK``, or what the broker says instead.
        info: text of the state; ``QUEUED`` while the message waits in the client.
    """

    oid: str
    received: int = 0
    state: str = STATE_OK
    info: str = ""

    @classmethod
    def of(cls, qos: bytes) -> Published:
        """Read an answer.

        Raises:
            BrokerError: ``internal.unknown`` for one that cannot be read.
        """
        status = _status(qos)
        return cls(status.oid, status.received, status.state, status.info)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The outcome of a subscribe."""

    id: str
    state: str = STATE_OK
    info: str = ""

    @classmethod
    def of(cls, qos: bytes) -> Subscribed:
        """Read an answer; see :meth:`Published.of`."""
        status = _status(qos)
        return cls(status.subscription_id, status.state, status.info)


def read_login(unit: Unit) -> ConnectQos:
    """Read the answer to a connect; see :meth:`Published.of`."""
    try:
        return read_connect_qos(unit.qos)
    except BrokerError as error:
        raise _unreadable(error) from error


def read_found(units: list[Unit]) -> list[Update]:
    """Read the answer to a ``get``; see :meth:`Published.of`."""
    try:
        return [Update.of(unit) for unit in units]
    except BrokerError as error:
        raise _unreadable(error) from error


def _status(qos: bytes) -> StatusQos:
    try:
        return read_status_qos(qos)
    except BrokerError as error:
        raise _unreadable(error) from error


def _unreadable(error: BrokerError) -> BrokerError:
    """The error for an answer that cannot be read: what the broker did is not known then."""
    return BrokerError(
        Code.INTERNAL_UNKNOWN, f"the broker has answered, but this client cannot read it: {error.message}"
    )
