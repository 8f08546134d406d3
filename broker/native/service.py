"""What clients of the native protocol may ask for, whatever carries their requests (spec xmlblaster §2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from broker.core.administration import Found, Told
from broker.core.broker import Broker
from broker.core.log_limit import NamedLogLimits, lines
from broker.core.publishing import Published
from broker.core.sessions import Session
from broker.core.waiting import Command, Pending
from broker.errors import BrokerError, Code
from broker.model.key import Key
from broker.model.qos import Method, PublishQos, StatusQos
from broker.native.callback import CallbackDialer
from broker.native.codec import read_connect_qos, read_disconnect_qos, write_connect_qos, write_key, write_publish_qos
from broker.native.updates import message_unit
from broker.native.wire.frames import Unit

log = Logger()

Waiting = Pending | Command
"""Why a publish has no outcome yet."""


class Login(NamedTuple):
    """The outcome of a connect.

    Args:
        session: found or made.
        qos: what is answered.
        reconnected: the session existed before.
        dial: connects to the callback server that the client named; ``None`` where updates go over its own connection.
    """

    session: Session
    qos: bytes
    reconnected: bool
    dial: Callable[[], Deferred[object]] | None


class NativeService:
    """The requests of the protocol, method by method.

    Keys and QoS are the bytes of the client, contents are bytes. An outcome is a promise once the store has committed
    what it had been given when the call returned (:meth:`broker.core.broker.Broker.when_committed`).

    Args:
        broker: the core.
        dialer: for callback addresses that name a server of the client.
        run_level: name of the run level, for pings while the broker is not ready.

    Attributes:
        broker: the core.
        refusals: for the log, of clients by their peer, and of addresses: those that have not logged in can come again
            and again.
        run_level: name of the run level.
    """

    def __init__(
        self, broker: Broker, dialer: CallbackDialer, *, run_level: Callable[[], str] = lambda: "RUNNING"
    ) -> None:
        self.broker = broker
        self.refusals = NamedLogLimits(broker.node.monotonic, lines(log.info), "refusals")
        self._dialer = dialer
        self.run_level = run_level

    def session(self, secret: bytes) -> Session:
        """The session that a secret id speaks for.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied``.
        """
        return self.broker.session(secret.decode("utf-8", "replace"))

    def ping(self, secret: bytes) -> str:
        """The state of the broker: ``OK``, or its run level while it serves nobody.

        Args:
            secret: id of the session that is to be kept from timing out; empty for none.

        Raises:
            BrokerError: ``communication.noConnection.callbackServer.notavailable``, the session is gone.
        """
        node = self.broker.node
        session = node.sessions.get(secret.decode("utf-8", "replace"))
        if secret and session is None:
            raise BrokerError(Code.COMMUNICATION_NO_CALLBACK_SERVER, "the session of this ping is gone")
        if session is not None:
            session.seen = node.monotonic()
        return "OK" if self.broker.accepting else self.run_level()

    async def connect(self, qos: bytes, host: str) -> Login:
        """Log a client in (spec §2.1).

        Args:
            qos: of the connect.
            host: address of the client.

        Raises:
            BrokerError: see :meth:`broker.core.broker.Broker.connect`; nothing has changed.
        """
        request = read_connect_qos(qos)
        dial = self._dialer.prepare(request, host)
        connected = await self.broker.connect(request, host)
        session = connected.session
        return Login(
            session,
            write_connect_qos(connected.qos, redact=True),
            connected.reconnected,
            None if dial is None else lambda: dial(session),
        )

    async def disconnect(self, session: Session, qos: bytes) -> None:
        """Log a client out (spec §2.2)."""
        await self.broker.disconnect(session, read_disconnect_qos(qos))

    def publish(self, session: Session, unit: Unit) -> Published:
        """Publish one message (spec §2.3).

        Raises:
            Pending, Command: it has to wait; go on with :meth:`publish_patiently`.
            BrokerError: it is refused.
        """
        return self.broker.publish(session, unit.key, unit.qos, unit.content)

    async def publish_patiently(self, session: Session, unit: Unit, waiting: Waiting | None = None) -> Published:
        """Publish one message, however long it has to wait.

        Args:
            session: of the publisher.
            unit: the message.
            waiting: why it waits, where that is known.

        Raises:
            BrokerError: it is refused, or the session has ended meanwhile.
        """
        while True:
            if isinstance(waiting, Command):
                return await waiting.outcome
            if waiting is not None:
                await waiting.ready
            if session.ended:
                raise BrokerError(Code.USER_NOT_CONNECTED, "the session ended while its message waited")
            try:
                return self.publish(session, unit)
            except (Pending, Command) as more:
                waiting = more

    async def subscribe(self, session: Session, key: bytes, qos: bytes) -> StatusQos:
        """Subscribe (spec §2.4)."""
        subscribed = await self.broker.subscribe(session, key, qos)
        return StatusQos(
            state=subscribed.state,
            subscription_id=subscribed.id,
            method=Method.SUBSCRIBE,
            properties=subscribed.properties,
        )

    def unsubscribe(self, session: Session, key: bytes) -> list[StatusQos]:
        """Unsubscribe (spec §2.5)."""
        ended = self.broker.unsubscribe(session, key)
        return [StatusQos(subscription_id=id, method=Method.UNSUBSCRIBE) for id in ended]

    def erase(self, session: Session, key: bytes, qos: bytes) -> list[StatusQos]:
        """Erase topics (spec §2.7)."""
        return [StatusQos(oid=oid, method=Method.ERASE) for oid in self.broker.erase(session, key, qos)]

    async def get(self, session: Session, key: bytes, qos: bytes) -> list[Unit] | Deferred[list[Unit]]:
        """Read messages (spec §2.6), or what an administrative message asks for (spec §16.2).

        Returns:
            What was found; or what fires with it when a queue has what was asked for, and may be cancelled.
        """
        told = await self.broker.administrative(session, key, qos)
        if told is None:
            return self._units(await self.broker.get(session, key, qos))
        if isinstance(told, Told):
            return [
                Unit(write_publish_qos(PublishQos(properties=told.properties)), write_key(Key(told.oid)), told.content)
            ]
        if isinstance(told, Deferred):
            return told.addCallback(self._units)
        return self._units(told)

    def _units(self, found: Found) -> list[Unit]:
        node = self.broker.node
        now = node.now()
        return [message_unit(message, content=content, node=node.id, now=now) for message, content in found]
