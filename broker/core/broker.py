"""The broker as every protocol sees it (spec xmlblaster §2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from broker.core.administration import Answer
from broker.core.dead_letters import DeadLetters
from broker.core.dispatch import TAKEN_OVER
from broker.core.expiry import Expiry
from broker.core.message import Message
from broker.core.node import Node
from broker.core.placeholders import Placeholders
from broker.core.publishing import Published, Publisher
from broker.core.querying import Querying, Subscribed
from broker.core.recovery import Recovery
from broker.core.registry import SessionRegistry
from broker.core.sessions import Session
from broker.core.standing import StandingSessions
from broker.errors import BrokerError, Code
from broker.model.key import COMMAND_PREFIX, REFRESH_OID, REMOTE_PROPERTIES_OID
from broker.native.codec import read_query_key, read_query_qos

log = Logger()

HEARTBEAT = 10_000
"""Milliseconds between notes in the store that the broker is running."""


class Broker:
    """One node's core: all that protocols call.

    It knows no protocol: before recovery begins, each adds its kind of sessions to :attr:`registry`
    (:meth:`broker.core.registry.SessionRegistry.add_kind`).

    Requests that change durable state append to the store; a protocol sends its answer when the store has committed up
    to the position it had after the call (:meth:`when_committed`, design D3).

    Args:
        node: shared state, with the opened store.
        authenticate: ``await authenticate(credentials, host)`` raises where the credentials are wrong.
        authorizer: an :class:`broker.ports.IAuthorizer`.
        instance_id: identity of this run of the broker, told to clients.
    """

    def __init__(self, node: Node, authenticate: Callable[..., Any], authorizer: Any, instance_id: str = "") -> None:
        self.node = node
        self.authorizer = authorizer
        self.letters = DeadLetters(node)
        self.expiry = Expiry(node, self._history_shrank)
        self.registry = SessionRegistry(node, self.letters)
        self.placeholders = Placeholders(self.registry)
        self.querying = Querying(node, self.registry, authorizer)
        self.publisher = Publisher(node, self.registry, self.placeholders, self.letters, self.expiry, authorizer)
        self.standing = StandingSessions(self.registry)
        self.recovery = Recovery(node, self.registry, self.placeholders, self.querying)
        self.instance_id = instance_id or f"/xmlBlaster/node/{node.id}/instanceId/{node.started}"
        self.accepting = False
        self.authenticate = authenticate
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

    def publish(self, session: Session, key: bytes, qos: bytes, content: bytes) -> Published:
        """Publish one message (spec §2.3); see :meth:`broker.core.publishing.Publisher.publish`."""
        return self.publisher.publish(session, key, qos, content)

    async def subscribe(self, session: Session, key: bytes, qos: bytes) -> Subscribed:
        """Subscribe (spec §2.4)."""
        self.check_accepting()
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

    def check_accepting(self) -> None:
        """Refuse requests while the broker is not ready.

        Raises:
            BrokerError: ``communication.noConnection.serverDeny``.
        """
        if not self.accepting:
            raise BrokerError(Code.COMMUNICATION_SERVER_DENY, "the broker is not ready for clients")

    def _history_shrank(self, oid: str) -> None:
        topic = self.node.topics.get(oid)
        if topic is not None:
            self.node.check_topic(topic)

    def _heartbeat(self) -> None:
        self.node.store.beat(self.node.now())
        self._beat = self.node.later(HEARTBEAT, self._heartbeat)
