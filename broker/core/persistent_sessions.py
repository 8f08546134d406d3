"""Persistent sessions and their subscriptions as they are carried from one broker to another (operations §1.15)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from broker.core.asker import Asker
from broker.core.dispatch import ConnectionState
from broker.core.ids import secret_session_id
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.errors import BrokerError, Code
from broker.model.key import QueryKey
from broker.model.qos import QueryQos
from broker.model.records import SessionRecord, SubscriptionRecord

if TYPE_CHECKING:
    from broker.core.node import Node
    from broker.core.querying import Querying
    from broker.core.registry import SessionRegistry


class PersistentSessions:
    """Makes sessions that wait for clients which have never been here, and subscribes for them.

    Args:
        node: shared state.
        registry: of the sessions.
        querying: stands up subscriptions.
    """

    def __init__(self, node: Node, registry: SessionRegistry, querying: Querying) -> None:
        self._node = node
        self._registry = registry
        self._querying = querying

    def all(self) -> Iterator[tuple[Session, bytes]]:
        """Those with persistent subscriptions, each with its definition."""
        for session in self._node.sessions.values():
            if session.persistent and not session.ended and any(each.persistent for each in _of(session)):
                definition = session.kind.definition(session)
                if definition is not None:
                    yield session, definition

    def find(self, subject: str, public_id: int, kind: str, state: bytes) -> Session | None:
        """The session of a number, or with 0 the one of a kind and state whose number the broker has chosen."""
        known = self._node.subjects.get(subject)
        if known is None:
            return None
        if public_id:
            return known.sessions.get(public_id)
        return next(
            (
                each
                for each in known.sessions.values()
                if each.kind.name == kind and each.name.public_id < 0 and each.kind.definition(each) == state
            ),
            None,
        )

    def check(self, kind: str, public_id: int, state: bytes) -> None:
        """Refuse what :meth:`make` could not make a session of.

        Args:
            kind: name of the kind of sessions.
            public_id: of the session; 0 where the broker chooses one.
            state: its definition.

        Raises:
            BrokerError: ``user.illegalArgument``.
        """
        known = self._registry.kinds.get(kind)
        if known is None:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{kind[:64]}' is no kind of sessions that is known here")
        known.check_definition(public_id, state)

    def check_subscription(self, key: QueryKey, qos: QueryQos, account: str) -> None:
        """Refuse what :meth:`subscribe` could not make a subscription of; raises as :meth:`Querying.check`."""
        self._querying.check(key, qos, account)

    def make(self, asking: Asker, subject: str, public_id: int, kind: str, state: bytes) -> Session:
        """Make a persistent session that waits for its client.

        Args:
            asking: who makes it.
            subject: login name.
            public_id: as of :meth:`check`, which has let these three pass; likewise the next two.
            kind: see there.
            state: see there.

        Raises:
            BrokerError: ``user.illegalArgument`` where there is one of this name.
        """
        node, registry = self._node, self._registry
        known = node.subjects.get(subject)
        if public_id and known is not None and public_id in known.sessions:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"there is a session {subject}/{public_id} already")
        number, now = public_id or node.next_public_id(), node.now()
        secret = secret_session_id(node.host)
        record = SessionRecord(node.ids.next(), subject, number, kind, secret, state, 1, 1, 0, now, now)
        session = registry.recover(record)
        if session is None:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{subject}/{number} could not be found by its client")
        registry.save(session)
        if registry.serving and session.dispatch.state is ConnectionState.UNDEF and session.can_receive:
            node.set_aside.attempt("session", session.name.relative, session.dispatch.start_polling)
        return session

    def subscribe(self, asking: Asker, session: Session, id: str, key: bytes, qos: bytes) -> None:
        """Subscribe for a session, without initial update.

        Args:
            asking: who subscribes.
            session: that is persistent.
            id: of the subscription, which no other has.
            key: the query, as the codec writes it, and as :meth:`check_subscription` has let it pass.
            qos: the options; likewise.
        """
        record = SubscriptionRecord(id, session.id, key, qos, self._node.now())
        self._querying.recover(record, session)
        self._node.store.put_subscription(record)

    def unsubscribe(self, asking: Asker, subscription: Subscription) -> None:
        """End a subscription."""
        self._querying.drop(subscription)


def _of(session: Session) -> Iterator[Subscription]:
    return iter(session.subscriptions.values())
