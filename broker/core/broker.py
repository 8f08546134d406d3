"""The broker as every protocol sees it (spec xmlblaster §2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from twisted.logger import Logger

from broker.core.administration import Answer
from broker.core.dead_letters import DeadLetters
from broker.core.dispatch import TAKEN_OVER
from broker.core.expiry import Expiry
from broker.core.message import Message
from broker.core.node import Node
from broker.core.publishing import Published, Publisher
from broker.core.querying import Querying, Subscribed
from broker.core.recovery import Recovery
from broker.core.registry import SessionRegistry
from broker.core.sessions import NATIVE, Session
from broker.core.standing import StandingSessions
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos
from broker.model.key import COMMAND_PREFIX, REFRESH_OID, REMOTE_PROPERTIES_OID
from broker.model.property import ClientProperty, property_of
from broker.model.qos import DisconnectQos
from broker.native.codec import read_query_key, read_query_qos
from broker.native.sessions import NativeSessions
from broker.ports import IAuthorizer
from broker.xmpp.session.sessions import StreamSessions

log = Logger()

CONTEXT_ATTRIBUTE = "__ContextNode"
HEARTBEAT = 10_000
"""Milliseconds between notes in the store that the broker is running."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The outcome of a connect.

    Args:
        session: found or made.
        qos: the answer; its secret session id is the session's.
        reconnected: the session existed before.
    """

    session: Session
    qos: ConnectQos
    reconnected: bool


class Broker:
    """One node's core: all that protocols call.

    Requests that change durable state append to the store; a protocol sends its answer when the store has committed up
    to the position it had after the call (:meth:`when_committed`, design D3).

    Args:
        node: shared state, with the opened store.
        authenticate: ``await authenticate(credentials, host)`` raises where the credentials are wrong.
        authorizer: an :class:`broker.ports.IAuthorizer`.
        instance_id: identity of this run of the broker, told to clients.
    """

    def __init__(
        self, node: Node, authenticate: Callable[..., Any], authorizer: IAuthorizer, instance_id: str = ""
    ) -> None:
        self.node = node
        self.authorizer = authorizer
        self.letters = DeadLetters(node)
        self.expiry = Expiry(node, self._history_shrank)
        self.registry = SessionRegistry(node, self.letters)
        self.native = NativeSessions(self.registry)
        self.querying = Querying(node, self.registry, authorizer)
        self.publisher = Publisher(node, self.registry, self.native, self.letters, self.expiry, authorizer)
        self.streams = StreamSessions(self.registry)
        self.node_sessions = StandingSessions(self.registry)
        self.recovery = Recovery(node, self.registry, self.native, self.streams, self.querying)
        self.instance_id = instance_id or f"/xmlBlaster/node/{node.id}/instanceId/{node.started}"
        self.accepting = False
        self._authenticate = authenticate
        self._beat: Any = None

    def start(self) -> None:
        """Serve requests: recovered sessions look for their clients, expiry and heartbeat run."""
        self.accepting = True
        self.registry.start_polling()
        self.expiry.start()
        self._heartbeat()

    def stop(self) -> None:
        """Serve no more; nothing ends, so that everything durable is there at the next start."""
        self.accepting = False
        self.expiry.stop()
        if self._beat is not None and self._beat.active():
            self._beat.cancel()
        self._beat = None
        self.registry.stop()

    def when_committed(self, callback: Callable[[], None]) -> None:
        """Call back when everything that was done so far is on disk; at once if it is."""
        store = self.node.store
        store.when_committed(store.position, callback)

    @property
    def position(self) -> int:
        """Where the store stands; an answer is due at once if a request did not move it."""
        position: int = self.node.store.position
        return position

    async def connect(self, qos: ConnectQos, host: str, kind: str = NATIVE) -> Connected:
        """Log a client in (spec §2.1).

        Args:
            qos: the request.
            host: address of the peer.
            kind: of the protocol.

        Raises:
            BrokerError: see spec §2.1, §24 fact 13.
        """
        self._check_accepting()
        known = self.node.sessions.get(qos.session.secret_id) if qos.session.secret_id else None
        secret_known = known is not None and known.kind == kind
        user = ""
        if not secret_known:
            await self._authenticate(qos.credentials, host)
            assert qos.credentials is not None
            user = qos.credentials.user.split("/", 1)[0].strip()
            if not self.authorizer.permits(user, "connect", ""):
                raise BrokerError(Code.USER_NOT_AUTHORIZED, f"{user} may not connect")
        session, reconnected = await self.native.connect(user, replace(qos, credentials=None), kind)
        return Connected(session, self._answer(session, qos, reconnected), reconnected)

    async def disconnect(self, session: Session, qos: DisconnectQos) -> None:
        """Log a client out (spec §2.2)."""
        await self.native.disconnect(
            session, clear_sessions=qos.clear_sessions, delete_subject_queue=qos.delete_subject_queue
        )

    def attach(self, session: Session, outbound: Any, epoch: int) -> None:
        """Deliver to a session's client over this connection from now on.

        Args:
            session: of the client.
            outbound: an :class:`broker.ports.IOutbound`.
            epoch: of the session when this client logged in; where the session has ended or another login owns it now,
                the connection is closed instead (design D8).
        """
        if session.ended or session.epoch != epoch:
            outbound.close("the session ended" if session.ended else TAKEN_OVER)
            return
        session.dispatch.attach(outbound)
        self.registry.subject_queues.deliver(session)

    def session(self, secret_id: str) -> Session:
        """The session that a secret id speaks for.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied``.
        """
        session = self.node.sessions.get(secret_id)
        if session is None or session.kind != NATIVE:
            raise BrokerError(Code.USER_ACCESS_DENIED, "the secret session id is not known")
        session.seen = self.node.monotonic()
        return session

    def publish(self, session: Session, key: bytes, qos: bytes, content: bytes) -> Published:
        """Publish one message (spec §2.3); see :meth:`broker.core.publishing.Publisher.publish`."""
        return self.publisher.publish(session, key, qos, content)

    async def subscribe(self, session: Session, key: bytes, qos: bytes) -> Subscribed:
        """Subscribe (spec §2.4)."""
        self._check_accepting()
        return await self.querying.subscribe(session, key, qos)

    def unsubscribe(self, session: Session, key: bytes) -> list[str]:
        """Unsubscribe (spec §2.5); returns the ids of the subscriptions that ended."""
        return self.querying.unsubscribe(session, key)

    async def get(self, session: Session, key: bytes, qos: bytes) -> list[tuple[Message, bool]]:
        """Read messages (spec §2.6)."""
        return await self.querying.get(session, key, qos)

    async def administrative(self, session: Session, key: bytes, qos: bytes) -> Answer | None:
        """Serve a ``get`` that is an administrative message (spec §16.2).

        Returns:
            The answer; ``None`` where the key is that of topics.

        Raises:
            BrokerError: see :class:`broker.core.administration.Commands`.
        """
        oid = read_query_key(key).oid
        if oid == REFRESH_OID:  # it was asked only to keep the session from timing out
            return []
        commands = self.publisher.commands
        if commands is None or not (oid.startswith(COMMAND_PREFIX) or oid == REMOTE_PROPERTIES_OID):
            return None
        return await commands.get(session, oid, read_query_qos(qos))

    def erase(self, session: Session, key: bytes, qos: bytes) -> list[str]:
        """Erase topics (spec §2.7); returns their oids."""
        return self.querying.erase(session, key, qos)

    def _check_accepting(self) -> None:
        if not self.accepting:
            raise BrokerError(Code.COMMUNICATION_SERVER_DENY, "the broker is not ready for clients")

    def _answer(self, session: Session, qos: ConnectQos, reconnected: bool) -> ConnectQos:
        """The connect answer: the request as it was understood, with what the broker decided (spec §4.2)."""
        now = datetime.fromtimestamp(self.node.seconds(), UTC)
        stamp = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000}Z"
        properties = [
            *qos.properties,
            ClientProperty("__cbQueueNumOfEntries", str(len(session.queue)), "long"),
            ClientProperty("__rcvTimestampStr", stamp),
        ]
        if session.why_transient:
            properties.append(property_of("__persistenceRefused", session.why_transient))
        settings = self.node.settings
        given = qos.session
        answered = replace(
            given,
            name=session.name.absolute,
            timeout=session.timeout,
            max_sessions=session.subject.max_sessions if given.max_sessions is None else given.max_sessions,
            clear_sessions=settings.clear_sessions if given.clear_sessions is None else given.clear_sessions,
            reconnect_same_client_only=(
                settings.reconnect_same_client_only
                if given.reconnect_same_client_only is None
                else given.reconnect_same_client_only
            ),
            secret_id=session.secret_id,
        )
        context = ClientProperty(CONTEXT_ATTRIBUTE, f"/xmlBlaster/node/{self.node.id}/{session.name.marked}", "String")
        queues = tuple(
            (
                queue,
                tuple(replace(each, attributes=(*each.attributes, context)) for each in addresses)
                if queue.relating == "callback" and not reconnected
                else addresses,
            )
            for queue, addresses in qos.queues
        )
        return replace(
            qos,
            session=answered,
            instance_id=self.instance_id,
            reconnected=reconnected,
            persistent=session.persistent,
            queues=queues,
            properties=tuple(properties),
        )

    def _history_shrank(self, oid: str) -> None:
        topic = self.node.topics.get(oid)
        if topic is not None:
            self.node.check_topic(topic)

    def _heartbeat(self) -> None:
        self.node.store.beat(self.node.now())
        self._beat = self.node.later(HEARTBEAT, self._heartbeat)
