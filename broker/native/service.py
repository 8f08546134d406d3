"""What clients of the native protocol may ask for, whatever carries their requests (spec xmlblaster §2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from broker.core.administration import Found, Told
from broker.core.broker import Broker
from broker.core.codec import Encoded
from broker.core.message import Message
from broker.core.publishing import Published
from broker.core.sessions import Plan, Session
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.logs.limit import NamedLogLimits, lines
from broker.model.connect import ConnectQos
from broker.model.key import REFRESH_OID, Key, is_administrative
from broker.model.qos import Method, PublishQos, StatusQos
from broker.native.answers import status_unit
from broker.native.codec import (
    read_connect_qos,
    read_disconnect_qos,
    read_key,
    read_publish_qos,
    read_query_key,
    read_query_qos,
    write_connect_qos,
    write_key,
    write_publish_qos,
)
from broker.native.login import NativeLogin
from broker.native.updates import message_unit
from broker.native.wire.frames import Unit

log = Logger()

PROTOCOL = "native"
"""How the audit calls the protocol."""

COMMAND = Pending(lambda: succeed(None))
"""The message is an administrative command, which is not served at once."""


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


class Dialer(Protocol):
    """Reaches the callback servers that clients name, as :class:`broker.native.callback.CallbackDialer` does."""

    def prepare(self, qos: ConnectQos, peer: str) -> Callable[[Session], Deferred[Any]] | None:
        """How to reach the server that a connect names; ``None`` where it names none, or needs none."""


class NativeService:
    """The requests of the protocol, method by method.

    Keys and QoS are the bytes of the client, contents are bytes. An outcome is a promise once the store has committed
    what it had been given when the call returned (:meth:`broker.core.broker.Broker.when_committed`).

    Args:
        broker: the core.
        login: logs clients in and out.
        dialer: for callback addresses that name a server of the client.
        run_level: name of the run level, for pings while the broker is not ready.

    Attributes:
        broker: the core.
        login: see above.
        refusals: for the log, of clients by their peer, and of addresses: those that have not logged in can come again
            and again.
        run_level: name of the run level.
    """

    def __init__(
        self,
        broker: Broker,
        login: NativeLogin,
        dialer: Dialer,
        *,
        run_level: Callable[[], str] = lambda: "RUNNING",
    ) -> None:
        self.broker = broker
        self.login = login
        self.refusals = NamedLogLimits(broker.node.monotonic, lines(log.info), "refusals")
        self._dialer = dialer
        self.run_level = run_level

    def session(self, secret: bytes) -> Session:
        """The session that a secret id speaks for.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied``.
        """
        return self.login.session(secret.decode("utf-8", "replace"))

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

    async def connect(self, qos: bytes, host: str, dialer: Dialer | None = None) -> Login:
        """Log a client in (spec §2.1).

        Args:
            qos: of the connect.
            host: address of the client.
            dialer: for the callback address; that of the service where none is given.

        Raises:
            BrokerError: see :meth:`broker.native.login.NativeLogin.connect`; nothing has changed.
        """
        logins, user = self.broker.logins, ""
        try:
            request = read_connect_qos(qos)
            user = "" if request.credentials is None else request.credentials.user
            dial = (dialer or self._dialer).prepare(request, host)
            connected = await self.login.connect(request, host)
        except BrokerError as error:
            logins.refused(user, PROTOCOL, host, error.message, code=error.code)
            raise
        session = connected.session
        logins.admitted(session.subject.name, PROTOCOL, host, session=session.name.relative)
        return Login(
            session,
            write_connect_qos(connected.qos, redact=True),
            connected.reconnected,
            None if dial is None else lambda: dial(session),
        )

    async def disconnect(self, session: Session, qos: bytes) -> None:
        """Log a client out (spec §2.2)."""
        await self.login.disconnect(session, read_disconnect_qos(qos))

    def publish(self, session: Session, unit: Unit) -> Published | Pending:
        """Publish one message (spec §2.3).

        Returns:
            The outcome, or what it has to wait for, which :meth:`publish_when_possible` does. Nothing changed then.

        Raises:
            BrokerError: it is refused.
        """
        plan = session.plans.get((unit.key, unit.qos)) or self._plan(session, unit)
        return COMMAND if plan is None else self.broker.publish(session, plan, unit.content)

    async def publish_when_possible(self, session: Session, unit: Unit, pending: Pending | None = None) -> Published:
        """Publish one message, or run the administrative command that it is, however long that takes.

        Args:
            session: of the publisher.
            unit: the message.
            pending: what :meth:`publish` returned, if it was tried before.

        Raises:
            BrokerError: it is refused, or the session has ended meanwhile.
        """
        plan = session.plans.get((unit.key, unit.qos)) or self._plan(session, unit)
        if plan is not None:
            return await self.broker.publish_when_possible(session, plan, unit.content, pending)
        return await self.broker.run_command(session, read_key(unit.key).oid, unit.content, read_publish_qos(unit.qos))

    def _plan(self, session: Session, unit: Unit) -> Plan | None:
        """The plan of this key and QoS, kept for the next message; ``None`` for an administrative command."""
        key = read_key(unit.key)
        if is_administrative(key.oid):
            return None
        plan = self.broker.prepare(session, key, read_publish_qos(unit.qos), Encoded(unit.key, unit.qos))
        if plan.reusable:
            session.remember((unit.key, unit.qos), plan)
        return plan

    async def subscribe(self, session: Session, key: bytes, qos: bytes) -> StatusQos:
        """Subscribe (spec §2.4)."""
        subscribed = await self.broker.subscribe(session, read_query_key(key), read_query_qos(qos), Encoded(key, qos))
        return StatusQos(
            state=subscribed.state,
            subscription_id=subscribed.id,
            method=Method.SUBSCRIBE,
            properties=subscribed.properties,
        )

    async def unsubscribe(self, session: Session, key: bytes) -> list[bytes]:
        """Unsubscribe (spec §2.5); returns one unit for each subscription that has ended."""
        ended = await self.broker.unsubscribe(session, read_query_key(key))
        return await self.broker.node.pace(session).map(_unsubscribed, ended)

    async def erase(self, session: Session, key: bytes, qos: bytes) -> list[bytes]:
        """Erase topics (spec §2.7); returns one unit for each."""
        erased = await self.broker.erase(session, read_query_key(key), read_query_qos(qos), Encoded(key, qos))
        return await self.broker.node.pace(session).map(_erased, erased)

    async def get(self, session: Session, key: bytes, qos: bytes) -> list[Unit] | Deferred[list[Unit]]:
        """Read messages (spec §2.6), or what an administrative message asks for (spec §16.2).

        Returns:
            What was found; or what fires with it when a queue has what was asked for, and may be cancelled.
        """
        query, options = read_query_key(key), read_query_qos(qos)
        if query.oid == REFRESH_OID:  # it was asked only to keep the session from timing out
            return []
        if not is_administrative(query.oid):
            found = await self.broker.get(session, query, options)
            return await self.broker.node.pace(session).map(self._unit, found)
        told = await self.broker.read_command(session, query.oid, options)
        if isinstance(told, Told):
            return [
                Unit(write_publish_qos(PublishQos(properties=told.properties)), write_key(Key(told.oid)), told.content)
            ]
        if isinstance(told, Deferred):
            return told.addCallback(self._units)
        return self._units(told)

    def _units(self, found: Found) -> list[Unit]:
        return [self._unit(each) for each in found]

    def _unit(self, found: tuple[Message, bool]) -> Unit:
        message, content = found
        node = self.broker.node
        return message_unit(message, content=content, node=node.id, now=node.now())


def _unsubscribed(id: str) -> bytes:
    return status_unit(StatusQos(subscription_id=id, method=Method.UNSUBSCRIBE))


def _erased(oid: str) -> bytes:
    return status_unit(StatusQos(oid=oid, method=Method.ERASE))
