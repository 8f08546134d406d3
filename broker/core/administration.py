"""The port by which protocols reach administrative messages (spec xmlblaster §16.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from twisted.internet.defer import Deferred

from broker.core.message import Message
from broker.model.property import ClientProperty

if TYPE_CHECKING:
    from broker.core.sessions import Session
    from broker.model.qos import PublishQos, QueryQos


class Told(NamedTuple):
    """A value that the broker tells of itself.

    Args:
        oid: the command in its absolute form.
        content: the value as text.
        properties: client properties.
    """

    oid: str
    content: bytes = b""
    properties: tuple[ClientProperty, ...] = ()


Found = list[tuple[Message, bool]]
"""Messages, each with whether its content is wanted."""

Answer = Told | Found | Deferred[Found]
"""A value, messages out of a queue, or messages that are still waited for; the Deferred may be cancelled."""


class Commands(Protocol):
    """Serves administrative messages."""

    async def get(self, session: Session, oid: str, qos: QueryQos) -> Answer:
        """Read what the oid names.

        Args:
            session: who asks.
            oid: ``__cmd:…`` or ``__sys__remoteProperties``.
            qos: of the request.

        Raises:
            BrokerError: where it is unknown or not permitted.
        """

    async def set(self, session: Session, oid: str, content: bytes, qos: PublishQos) -> str:
        """Change what the oid names.

        Args:
            session: who asks.
            oid: ``__cmd:…`` or ``__sys__remoteProperties``.
            content: of the message.
            qos: of the message.

        Returns:
            What was done, for the info of the answer.

        Raises:
            BrokerError: where it is unknown or not permitted.
        """
