"""Definitions of persistent subscriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from broker.admin.definitions.format import SessionDefinition, SubscriptionDefinition
from broker.admin.definitions.section import Section
from broker.core.asker import Asker
from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.errors import BrokerError, Code
from broker.model.key import SUBSCRIPTION_PREFIX, QueryKey
from broker.model.qos import QueryQos
from broker.model.records import SubscriptionRecord
from broker.store.limits import check_subscription, check_text


class SubscriptionSection(Section[SessionDefinition]):
    """Persistent subscriptions, by the sessions that have them.

    Args:
        broker: the core.
    """

    name = "subscriptions"

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._node = broker.node
        self._sessions = broker.persistent_sessions
        self._emptied: list[Session] = []

    async def read(self) -> list[SessionDefinition]:
        """By name and kind."""
        found = [self._definition(session, state) for session, state in self._sessions.all()]
        return sorted(found, key=lambda each: (each.subject, each.number, each.kind, each.state))

    def name_of(self, definition: SessionDefinition) -> str:
        """``joe/1``; of a session whose number is the broker's choice ``joe``, its kind and its state."""
        if definition.number:
            return f"{definition.subject}/{definition.number}"
        return f"{definition.subject} {definition.kind} {definition.state}".rstrip()

    def completed(
        self, before: SessionDefinition | None, wanted: SessionDefinition, *, replace: bool
    ) -> SessionDefinition:
        """A session that is there stays as it is; without ``replace`` so do its other subscriptions."""
        by_id = {each.id: each for each in before.subscriptions} if before is not None and not replace else {}
        by_id |= {each.id: self._spelled(each) for each in wanted.subscriptions}
        state = wanted.state if before is None else before.state
        return msgspec.structs.replace(wanted, state=state, subscriptions=[by_id[id] for id in sorted(by_id)])

    def check(self, before: SessionDefinition | None, after: SessionDefinition) -> None:
        """Refuse sessions that cannot be, and subscriptions that cannot be made."""
        self._broker.registry.check_subject_name(after.subject)
        check_text(after.subject, "the login name")
        self._sessions.check(after.kind, after.number, after.state.encode())
        session = self._sessions.find(after.subject, after.number, after.kind, after.state.encode())
        if session is not None and (not session.persistent or session.kind.name != after.kind):
            raise BrokerError(Code.USER_CONFIGURATION, "there is such a session, and it is not persistent")
        if session is None and after.number:
            self._check_room(after.subject)
        if len(after.subscriptions) > self._node.settings.max_subscriptions:
            reason = f"a session has {self._node.settings.max_subscriptions} subscriptions at most"
            raise BrokerError(Code.RESOURCE_EXHAUST, reason)
        for each in after.subscriptions:
            self._check_subscription(each, after.subject, session)

    def check_all(
        self, asker: Asker, after: Mapping[str, SessionDefinition], known: Mapping[str, SessionDefinition]
    ) -> Mapping[str, str]:
        """There is room for so many, and no id is there twice."""
        node, settings = self._node, self._node.settings
        new = [name for name in after if name not in known]
        more = sum(len(each.subscriptions) for each in after.values()) - sum(
            len(each.subscriptions) for each in known.values()
        )
        problems: dict[str, str] = {}
        if new and node.stored_sessions + len(new) > settings.stored_sessions:
            problems = dict.fromkeys(new, f"there would be more than {settings.stored_sessions} persistent sessions")
        if more > 0 and (
            node.stored_subscriptions + more > settings.stored_subscriptions
            or len(node.subscriptions) + more > settings.all_subscriptions
        ):
            problems = dict.fromkeys(after, "there would be too many subscriptions")
        owners: dict[str, str] = {}
        for name, session in after.items():
            for each in session.subscriptions:
                if owners.setdefault(each.id, name) != name:
                    problems[name] = f"{owners[each.id]} has a subscription {each.id}, too"
        return problems

    def put(self, asker: Asker, before: SessionDefinition | None, after: SessionDefinition) -> None:
        """Make the session where it is not there."""
        state = after.state.encode()
        session = self._sessions.find(after.subject, after.number, after.kind, state)
        if session is None:
            session = self._sessions.make(asker, after.subject, after.number, after.kind, state)
        known = {} if before is None else {each.id: each for each in before.subscriptions}
        wanted = {each.id: each for each in after.subscriptions}
        for id, each in known.items():
            if wanted.get(id) != each:
                self._sessions.unsubscribe(asker, session.subscriptions[id])
        for id, each in wanted.items():
            if known.get(id) != each:
                self._sessions.subscribe(asker, session, id, each.key.encode(), each.qos.encode())

    def delete(self, asker: Asker, before: SessionDefinition) -> None:
        """The session stays, unless it is there for its subscriptions only."""
        session = self._sessions.find(before.subject, before.number, before.kind, before.state.encode())
        if session is not None:
            for each in before.subscriptions:
                self._sessions.unsubscribe(asker, session.subscriptions[each.id])
            self._emptied.append(session)

    async def finish(self) -> None:
        """Sessions that were there for their subscriptions only end."""
        for session in self._emptied:
            if session.kind is self._broker.standing:
                await self._broker.standing.release(session)

    def _check_room(self, subject: str) -> None:
        known, most = self._node.subjects.get(subject), self._node.settings.max_sessions
        if known is not None and len(known.clients) >= known.max_sessions:
            reason = f"{subject} has {len(known.clients)} sessions, the most that are allowed"
            raise BrokerError(Code.USER_CONFIGURATION_MAX_SESSION, reason)
        if most < 1:
            raise BrokerError(Code.USER_CONFIGURATION_MAX_SESSION, "nobody may have a session")

    def _check_subscription(self, definition: SubscriptionDefinition, subject: str, session: Session | None) -> None:
        key, qos = self._parsed(definition)
        if not definition.id.startswith(SUBSCRIPTION_PREFIX):
            raise BrokerError(
                Code.USER_SUBSCRIBE_ID, f"{definition.id[:200]} does not begin with {SUBSCRIPTION_PREFIX}"
            )
        check_subscription(SubscriptionRecord(definition.id, 0, b"", b"", 0))
        known = self._node.subscriptions.get(definition.id)
        if known is not None and (known.session is not session or not known.persistent):
            owner = known.session.name.relative
            raise BrokerError(Code.USER_SUBSCRIBE_ID, f"{owner} has a subscription {definition.id[:200]} already")
        if not qos.persistent:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"subscription {definition.id[:200]} is not persistent")
        self._sessions.check_subscription(key, qos, subject)

    def _definition(self, session: Session, state: bytes) -> SessionDefinition:
        subscriptions = [each for each in session.subscriptions.values() if each.persistent]
        return SessionDefinition(
            session.name.subject,
            session.kind.name,
            list(self._definitions(subscriptions)),
            max(0, session.name.public_id),
            state.decode(),
        )

    def _definitions(self, subscriptions: list[Subscription]) -> Iterator[SubscriptionDefinition]:
        for each in sorted(subscriptions, key=lambda each: each.id):
            yield SubscriptionDefinition(each.id, *self._written(each.key, each.qos))

    def _spelled(self, definition: SubscriptionDefinition) -> SubscriptionDefinition:
        try:
            return SubscriptionDefinition(definition.id, *self._written(*self._parsed(definition)))
        except BrokerError:
            return definition  # which the check refuses

    def _parsed(self, definition: SubscriptionDefinition) -> tuple[QueryKey, QueryQos]:
        codec = self._node.codec
        return codec.read_query_key(definition.key.encode()), codec.read_query_qos(definition.qos.encode())

    def _written(self, key: QueryKey, qos: QueryQos) -> tuple[str, str]:
        codec = self._node.codec
        return codec.write_query_key(key).decode(), codec.write_query_qos(qos).decode()
