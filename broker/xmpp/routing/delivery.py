"""Stanzas as messages of the core: what is queued for a stream, and how it is written to it (design D9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from broker.core.entries import Entry, Fanout
from broker.core.message import Envelope, Message
from broker.core.sessions import Plan, Session
from broker.core.subjects import Subject
from broker.model.key import PTP_SUBSCRIPTION
from broker.model.qos import Destination, PublishQos
from broker.model.records import DELAYED, EPHEMERAL, FOR_SUBJECT
from broker.xmpp.routing.content import STANZA_KEY
from broker.xmpp.session.dispatch import StreamDispatch

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
        self._node = broker.node
        self._registry = broker.registry
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
        """
        mark = _DURABLE if keep and self._durable else _TRANSIENT
        known = (to.encode(), mark)
        plan = sender.plans.get(known)
        if plan is None:
            envelope = self._envelope(sender, to, mark is _DURABLE)
            plan = Plan(envelope, envelope.qos)
            sender.remember(known, plan)
        return plan.envelope

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
        dispatch = session.dispatch
        assert isinstance(dispatch, StreamDispatch)
        if session.ended:
            return False
        message = Message(self._node.ids.next(), self._ephemeral, data)
        return dispatch.put_ephemeral(message, replaces, durable=durable)

    def release(self, session: Session) -> None:
        """Send what is held back from a session."""
        for key, data in self.held.pop(session, {}).items():
            self.send(session, data, key)

    def put(self, message: Message, sessions: Iterable[Session], *, keep: bool) -> int:
        """Queue a message for sessions of a subject: another one gets it if none of these can.

        Args:
            message: to queue.
            sessions: that get it.
            keep: it goes back to the subject if they can not; else it is dropped with them.

        Returns:
            How many had room for it.
        """
        taking = [session for session in sessions if not session.queue.is_full]
        fanout = Fanout(len(taking)) if len(taking) > 1 else None
        for session in taking:
            self._put(message, session, keep, fanout)
        return len(taking)

    def put_one(self, message: Message, session: Session, *, keep: bool) -> bool:
        """Queue a message for one session.

        Args:
            message: to queue.
            session: that gets it.
            keep: it goes back to the subject if it can not; else it is dropped with the session.

        Returns:
            Whether there was room for it.
        """
        if session.queue.is_full:
            return False
        self._put(message, session, keep, None)
        return True

    def put_offline(self, message: Message, subject: Subject) -> bool:
        """Let a message wait for a subject; ``False`` where too many wait already."""
        if subject.queue.is_full:
            return False
        durable = message.envelope.persistent
        if durable:
            self._node.keep_subject(subject)
        subject.queue.put(message, "", DELAYED, durable)
        return True

    def encoder(self, convert: Callable[[Entry], bytes]) -> Callable[[Entry], bytes]:
        """What writes entries to a stream.

        Args:
            convert: makes a stanza of what is none.
        """

        def encode(entry: Entry) -> bytes:
            message = entry.message
            return message.content if message.envelope.oid == STANZA_KEY.oid else convert(entry)

        return encode

    def _put(self, message: Message, session: Session, keep: bool, fanout: Fanout | None) -> None:
        if self.held:  # stanzas of one sender stay in their order (RFC 6120 §10.1)
            self.release(session)
        durable = message.envelope.persistent
        flags = FOR_SUBJECT if keep else EPHEMERAL
        dispatch = session.dispatch
        if isinstance(dispatch, StreamDispatch):
            dispatch.put(message, flags, durable, fanout)
            return
        if durable and not session.stored:
            self._registry.keep(session)
        session.queue.put(message, PTP_SUBSCRIPTION, flags, durable, fanout)
        dispatch.wake()

    def _envelope(self, sender: Session, to: str, durable: bool) -> Envelope:
        destination = Destination(f"client/{to}")
        qos = PublishQos(destinations=(destination,), subscribable=False, persistent=durable)
        received = self._node.received_qos(qos, sender.name.absolute)
        return self._node.envelope(STANZA_KEY, received)
