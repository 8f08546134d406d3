"""Stanzas as messages of the core: what is queued for a stream, and how it is written to it (design D9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from broker.core.message import Envelope, Message
from broker.core.sessions import Plan, Session
from broker.errors import BrokerError
from broker.model.qos import Destination, PublishQos
from broker.xmpp.routing.content import STANZA_KEY
from broker.xmpp.wire.errors import StanzaError

if TYPE_CHECKING:
    from broker.core.broker import Broker

_DURABLE = b"durable"
_TRANSIENT = b"transient"


class Delivery:
    """Puts stanzas into queues.

    Args:
        broker: the core.
        durable: messages survive a crash.

    Attributes:
        held: presence that is held back from sessions (XEP-0352), by key; it goes before the next message.
    """

    def __init__(self, broker: Broker, *, durable: bool) -> None:
        self._broker = broker
        self._direct = broker.direct
        self._node = broker.node
        self._durable = durable
        self.held: dict[Session, dict[str, bytes]] = {}
        qos = PublishQos(life_time=0, sender=broker.node.name.absolute)
        self._ephemeral = broker.node.envelope(STANZA_KEY, qos)

    def envelope(self, sender: Session, to: str, *, keep: bool) -> Envelope:
        """What messages of a client to an account have in common.

        Args:
            sender: its session.
            to: localpart of the receiver.
            keep: they are worth surviving a crash.

        Raises:
            StanzaError: the sender may not publish.
        """
        mark = _DURABLE if keep and self._durable else _TRANSIENT
        known = (to.encode(), mark)
        plan = sender.plans.get(known)
        if plan is None:
            plan = self._plan(sender, to, mark is _DURABLE)
            sender.remember(known, plan)
        return plan.envelope

    def may_send(self, sender: Session) -> bool:
        """Whether a client may send anything to others than its own resources."""
        return self._broker.rights.may_publish(sender, STANZA_KEY.oid, on_topic=False)

    def send(self, session: Session, data: bytes, replaces: str = "", *, durable: bool = False) -> bool:
        """Queue a stanza that is of no use to anybody else.

        Args:
            session: that it is for.
            data: the stanza.
            replaces: key of an earlier one that this makes superfluous while the client is away.
            durable: it survives a crash with its stream.

        Returns:
            ``False`` where there are too many of them already, or the session has ended.
        """
        message = Message(self._node.ids.next(), self._ephemeral, data)
        return self._direct.put_ephemeral(message, session, replaces, durable=durable)

    def release(self, session: Session) -> None:
        """Send what is held back from a session."""
        for key, data in self.held.pop(session, {}).items():
            self.send(session, data, key)

    def put(self, message: Message, sessions: Sequence[Session], *, keep: bool) -> int:
        """Queue a message for sessions of a subject; see :meth:`broker.core.direct.Direct.put`."""
        if self.held:
            for session in sessions:
                self._release_before(session)
        return self._direct.put(message, sessions, keep=keep)

    def put_one(self, message: Message, session: Session, *, keep: bool) -> bool:
        """Queue a message for one session; see :meth:`broker.core.direct.Direct.put_one`."""
        if self.held:
            self._release_before(session)
        return self._direct.put_one(message, session, keep=keep)

    def put_back(self, data: bytes, to: str) -> bool:
        """Let a message that a connection has not brought to its client wait for the account again.

        Args:
            data: the message, as it was sent.
            to: localpart of the account.

        Returns:
            ``False`` where too many wait already.
        """
        qos = PublishQos(
            destinations=(Destination(f"client/{to}"),),
            subscribable=False,
            persistent=self._durable,
            life_time=0,
            sender=self._node.name.absolute,
        )
        message = Message(self._node.ids.next(), self._node.envelope(STANZA_KEY, qos), data)
        return self._direct.put_waiting(message, to)

    def _release_before(self, session: Session) -> None:
        """Stanzas of one sender stay in their order (RFC 6120 §10.1)."""
        if not session.queue.is_full:
            self.release(session)

    def _plan(self, sender: Session, to: str, durable: bool) -> Plan:
        destination = Destination(f"client/{to}")
        qos = PublishQos(destinations=(destination,), subscribable=False, persistent=durable)
        try:
            return self._broker.prepare(sender, STANZA_KEY, qos, raw=True)
        except BrokerError as error:
            raise StanzaError.of(error) from error
