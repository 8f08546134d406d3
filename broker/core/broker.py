"""The broker as every protocol sees it (spec xmlblaster §2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import Any

from twisted.logger import Logger

from broker.core.account_changes import AccountChanges
from broker.core.administration import Answer, Commands
from broker.core.asker import Asker
from broker.core.codec import Encoded
from broker.core.dead_letters import DeadLetters
from broker.core.dead_messages import DeadMessages
from broker.core.direct import Direct
from broker.core.dispatch import TAKEN_OVER
from broker.core.documents import Documents
from broker.core.erasure import Erasure
from broker.core.expiry import Expiry
from broker.core.explanation import Explanation
from broker.core.items import Items
from broker.core.message import Message
from broker.core.node import Node
from broker.core.persistent_sessions import PersistentSessions
from broker.core.placeholders import Placeholders
from broker.core.plugin_sessions import PluginSessions
from broker.core.publishing import Published, Publisher
from broker.core.querying import Querying, Subscribed
from broker.core.queue_control import QueueControl
from broker.core.recovery import Recovery
from broker.core.registry import SessionRegistry
from broker.core.rights import Rights
from broker.core.session_control import SessionControl
from broker.core.sessions import Session
from broker.core.standing import StandingSessions
from broker.core.subscriptions import Subscription
from broker.core.topic_control import TopicControl
from broker.core.topics import Topic
from broker.errors import BrokerError, Code
from broker.logs.audit import LoginAudit
from broker.model.key import Key, QueryKey
from broker.model.qos import STATE_OK, PublishQos, QueryQos
from broker.ports import IAuthorizer
from broker.timers import cancel

log = Logger()


class Remains(StrEnum):
    """What becomes of the queue of a session that is ended."""

    SUBJECT = "subject"
    """What is for the login name waits for another session of it; the rest becomes dead messages."""
    DEAD = "dead"
    DISCARD = "discard"


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

    Attributes:
        prepare: works out what publishing does (spec §2.3): :meth:`broker.core.publishing.Publisher.prepare`.
        publish: ``publish(session, plan, content)`` publishes one message by a plan. It is
            :meth:`broker.core.publishing.Publisher.publish` itself, so that a message costs no further call.
        publish_when_possible: waits where that cannot be done at once:
            :meth:`broker.core.publishing.Publisher.publish_when_possible`.
        direct: puts messages to sessions and subjects into their queues, which a tongue has routed itself.
        documents: what tongues keep of accounts.
        control: changes sessions and login names while they are there.
        dead_messages: those that are kept, for administration.
        explanation: why a subscription gets a message, or does not.
        queue_control: changes the entries of queues, for administration.
        persistent_sessions: makes sessions that wait for their clients, for administration.
        topic_control: makes, configures and tries topics, for administration.
        account_changes: sees to accounts that are removed or get another password.
        rights: who may have which effect.
        commands: serves administrative messages; ``None`` where there is no administration.
        logins: the audit of logins, for protocols to tell.
        on_rights_changed: called when accounts may do more or less than before; see :meth:`rights_changed`.
    """

    def __init__(
        self, node: Node, authenticate: Callable[..., Any], authorizer: IAuthorizer, instance_id: str = ""
    ) -> None:
        self.node = node
        self.authorizer = authorizer
        self.letters = DeadLetters(node)
        self.expiry = Expiry(node, self._history_shrank)
        self.registry = SessionRegistry(node, self.letters)
        self.placeholders = Placeholders(self.registry)
        self.direct = Direct(node, self.registry)
        self.documents = Documents(node)
        self.erasure = Erasure(node)
        self.rights = Rights(node, authorizer)
        self.publisher = Publisher(node, self.registry, self.placeholders, self.letters, self.expiry, self.rights)
        self.prepare = self.publisher.prepare
        self.publish = self.publisher.publish
        self.publish_when_possible = self.publisher.publish_when_possible
        self.publish_internal = self.publisher.publish_internal
        self.explanation = Explanation(node, self.rights, self.publisher)
        self.dead_messages = DeadMessages(node, self.registry, self.publisher)
        self.topic_control = TopicControl(node, self.publisher)
        self.items = Items(node, self.publisher, self.rights)
        self.querying = Querying(node, self.registry, self.expiry, self.erasure, self.items, self.rights)
        self.persistent_sessions = PersistentSessions(node, self.registry, self.querying)
        self.account_changes = AccountChanges(node, self.registry, self.documents, self.querying)
        self.control = SessionControl(self.registry, self.rights)
        self.queue_control = QueueControl(node, self.registry, self.letters)
        self.standing = StandingSessions(self.registry)
        self._plugins = PluginSessions(self.registry)
        self.recovery = Recovery(node, self.registry, self.placeholders, self.querying, self.erasure)
        self.instance_id = instance_id or f"/xmlBlaster/node/{node.id}/instanceId/{node.started}"
        self.accepting = False
        self.commands: Commands | None = None
        self.logins = LoginAudit(node.monotonic)
        self.on_rights_changed: list[Callable[[], None]] = []
        self.account_changes.on_role_changed.append(lambda name: self.rights_changed())
        self.authenticate = authenticate
        self._beat: Any = None

    def start(self) -> None:
        """Serve requests: recovered sessions look for their clients, expiry and heartbeat run."""
        self.accepting = True
        self.registry.start_polling()
        self.expiry.start()
        self.erasure.start()
        self.account_changes.start()
        self.node.trail.start()
        self._heartbeat()

    def stop(self) -> None:
        """Serve no more; nothing ends, so that everything durable is there at the next start."""
        self.accepting = False
        self.expiry.stop()
        self.erasure.stop()
        self.account_changes.stop()
        self.node.trail.stop()
        self.node.save_new_topics()
        cancel(self._beat)
        self._beat = None
        self.registry.stop()

    def rights_changed(self, is_altered: Callable[[str], bool] = lambda user: False) -> None:
        """The authorizer decides otherwise than before: what was prepared by its old answers no longer holds.

        Args:
            is_altered: tells whether a login name has another password than before, or none any more.
        """
        self.account_changes.renew_where(is_altered)
        for session in self.node.sessions.values():
            session.plans.clear()
        for listener in self.on_rights_changed:
            listener()

    def when_committed(self, callback: Callable[[], None]) -> None:
        """Call back when everything that was done so far is on disk; at once if it is."""
        store = self.node.store
        store.when_committed(store.position, callback)

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

    def session(self, login: str) -> Session:
        """A session for a plugin to act with; see :meth:`broker.core.plugin_sessions.PluginSessions.of`."""
        return self._plugins.of(login)

    async def publish_item(self, session: Session, key: Key, qos: PublishQos, content: bytes) -> Published:
        """Publish an item in place of the one of its id; see :meth:`broker.core.items.Items.publish`."""
        return await self.items.publish(session, key, qos, content)

    async def retract(self, session: Session, oid: str, ids: Collection[str]) -> list[str]:
        """Remove items of a topic, returns which; see :meth:`broker.core.items.Items.retract`."""
        return await self.items.retract(session, oid, ids)

    def take(self, session: Session, topic: Topic, messages: list[Message]) -> list[Message]:
        """Take messages out of a topic's history; see :meth:`broker.core.items.Items.take`."""
        return self.items.take(session, topic, messages)

    async def subscribe(
        self, session: Session, key: QueryKey, qos: QueryQos, encoded: Encoded | None = None
    ) -> Subscribed:
        """Subscribe (spec §2.4); see :meth:`broker.core.querying.Querying.subscribe`."""
        self.check_accepting()
        return await self.querying.subscribe(session, key, qos, encoded)

    async def unsubscribe(self, session: Session, key: QueryKey) -> list[str]:
        """Unsubscribe (spec §2.5); returns the ids of the subscriptions that ended."""
        return await self.querying.unsubscribe(session, key)

    async def subscribe_account(self, session: Session, key: QueryKey, qos: QueryQos, label: str = "") -> Subscription:
        """Subscribe the login name of a session; as :meth:`subscribe`.

        Args:
            session: who subscribes.
            key: the query.
            qos: the options.
            label: of the one session of the login name that is to be told, while it is there; empty for whichever is,
                and where none is, the next one.
        """
        self.check_accepting()
        self.rights.check(session, "subscribe", key.url)
        standing = self.standing.of(session.name.subject, label)
        try:
            subscribed = await self.querying.subscribe(standing, key, qos)
            return standing.subscriptions[subscribed.id]
        finally:
            await self.standing.release(standing)

    async def unsubscribe_account(self, session: Session, key: QueryKey, label: str = "") -> list[str]:
        """End subscriptions of a session's login name; as :meth:`unsubscribe`.

        Args:
            session: who ends them.
            key: that they were made with.
            label: that they were made with.
        """
        self.rights.check(session, "unSubscribe", key.url)
        standing = self.standing.find(session.name.subject, label)
        if standing is None:
            return []
        ended = await self.querying.unsubscribe(standing, key)
        await self.standing.release(standing)
        return ended

    def end_subscriptions(self, session: Session, subscriptions: Iterable[Subscription]) -> int:
        """End subscriptions, whoever has made them; returns how many.

        Args:
            session: who ends them.
            subscriptions: of any sessions.

        Raises:
            BrokerError: ``user.notAuthorized`` where one is of another login name, but for an administrator.
        """
        ended = list(subscriptions)
        if not self.rights.is_administrator(session):
            for each in ended:
                if each.session.name.subject != session.name.subject:
                    raise BrokerError(
                        Code.USER_NOT_AUTHORIZED, f"subscription '{each.id}' belongs to somebody else", each.id
                    )
        for each in ended:
            self.querying.drop(each)
        return len(ended)

    async def end_session(
        self, asking: Session | Asker, target: Session, error: BrokerError, remains: Remains = Remains.SUBJECT
    ) -> None:
        """End a session, whoever has it.

        Args:
            asking: who ends it.
            target: that is ended.
            error: why, for its client and what it leaves behind.
            remains: what becomes of its queue.

        Raises:
            BrokerError: ``user.notAuthorized`` where it is of another login name, but for an administrator.
        """
        is_own = not isinstance(asking, Asker) and target.subject is asking.subject
        if not is_own and not self.rights.is_administrator(asking):
            raise BrokerError(
                Code.USER_NOT_AUTHORIZED, f"{target.name.relative} belongs to somebody else", target.name.absolute
            )
        await self.registry.end(target, error, forget=remains is Remains.DISCARD, dead=remains is Remains.DEAD)

    async def get(self, session: Session, key: QueryKey, qos: QueryQos) -> list[tuple[Message, bool]]:
        """Read messages (spec §2.6); see :meth:`broker.core.querying.Querying.get`."""
        return await self.querying.get(session, key, qos)

    def check_answer(self, size: int) -> None:
        """Refuse too large an answer, for tongues that read histories themselves; see :class:`Querying`."""
        self.querying.check_answer(size)

    async def erase(self, session: Session, key: QueryKey, qos: QueryQos, encoded: Encoded | None = None) -> list[str]:
        """Erase topics (spec §2.7), returns their oids; see :meth:`broker.core.querying.Querying.erase`."""
        return await self.querying.erase(session, key, qos, encoded)

    def erase_topic(self, asking: Asker, oid: str, *, force: bool) -> int:
        """Erase a topic, whoever it belongs to; see :meth:`broker.core.querying.Querying.administer`.

        Args:
            asking: whom administration has let in.
            oid: of the topic.
            force: destroy also what queues still hold of it.
        """
        return self.querying.administer(oid, clear=False, force=force)

    def clear_topic(self, asking: Asker, oid: str) -> int:
        """Empty the history of a topic, whoever it belongs to; arguments and answer as of :meth:`erase_topic`."""
        return self.querying.administer(oid, clear=True)

    async def read_command(self, session: Session, oid: str, qos: QueryQos) -> Answer:
        """Serve a request to read an administrative message (spec §16.2).

        Args:
            session: who asks.
            oid: that :func:`broker.model.key.is_administrative` is true of.
            qos: of the request.

        Raises:
            BrokerError: see :class:`broker.core.administration.Commands`.
        """
        return await self._commands.get(session, oid, qos)

    async def run_command(self, session: Session, oid: str, content: bytes, qos: PublishQos) -> Published:
        """Serve a request to change something by an administrative message (spec §16.2); arguments as above.

        Raises:
            BrokerError: see :class:`broker.core.administration.Commands`.
        """
        return Published(oid, 0, STATE_OK, await self._commands.set(session, oid, content, qos))

    @property
    def _commands(self) -> Commands:
        if self.commands is None:
            raise BrokerError(Code.RESOURCE_ADMIN_UNAVAILABLE, "there is no administration here")
        return self.commands

    async def admit(self, user: str, since: int) -> bool:
        """Let a client log in whose credentials were right; called before it gets or makes a session.

        Args:
            user: its login name.
            since: ``account_changes.seen`` before its credentials were checked.

        Returns:
            ``False`` where they have to be checked once more, because the account was changed.

        Raises:
            BrokerError: ``user.notAuthorized`` where the method rules of its account forbid it to connect;
                ``resource.temporary.unavailable`` where not all is gone yet of an account of this name.
        """
        await self.account_changes.apply()
        self.account_changes.check(user)
        if not self.authorizer.permits(user, "connect", ""):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, f"{user} may not connect")
        return not self.account_changes.changed(user, since)

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
        node, store = self.node, self.node.store
        seconds, at = node.seconds(), node.monotonic()
        store.beat(int(seconds * 1000), node.ids.last)
        store.when_committed(store.position, lambda: node.ids.allow(seconds, at))
        self._beat = self.node.later(HEARTBEAT, self._heartbeat)
