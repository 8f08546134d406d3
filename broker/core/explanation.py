"""Why a subscription gets a message, or does not: asked of what decides it, without changing anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from broker.core.message import Message
from broker.core.overflow import discards
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic
from broker.core.verdicts import FilterCosts, Verdicts
from broker.errors import BrokerError
from broker.model.key import QueryKind
from broker.model.qos import Overflow
from broker.model.records import NEWEST_ONLY

if TYPE_CHECKING:
    from broker.core.node import Node
    from broker.core.publishing import Publisher
    from broker.core.rights import Rights


class DeliveryCheck(StrEnum):
    """What decides, in this order."""

    TOPIC_EXISTS = "topicExists"
    KEY_KNOWN = "keyKnown"
    INTERNAL_TOPIC = "internalTopic"
    CREATE_DOM_ENTRY = "createDomEntry"
    QUERY = "query"
    XPATH_BUDGET = "xpathBudget"
    AUTHORISATION = "authorisation"
    FILTER = "filter"
    LOCAL = "local"
    DUPLICATE_UPDATES = "duplicateUpdates"
    QUEUE = "queue"
    NEWEST_ONLY = "newestOnly"


class StepOutcome(StrEnum):
    """How a check ended."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Step:
    """A check and its outcome.

    Args:
        check: which.
        outcome: how it ended; ``skip`` where it does not apply, or an earlier one has failed.
        detail: one sentence; empty where there is nothing to say.
        microseconds: that a filter took.
    """

    check: DeliveryCheck
    outcome: StepOutcome
    detail: str = ""
    microseconds: int | None = None


@dataclass(slots=True)
class _Case:
    """A subscription, a topic, and perhaps a message and who publishes it."""

    subscription: Subscription
    oid: str
    topic: Topic | None
    message: Message | None
    publisher: Session | None
    steps: list[Step] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return any(step.outcome is StepOutcome.FAIL for step in self.steps)


class Explanation:
    """Explains subscriptions.

    Args:
        node: shared state.
        rights: decides who may.
        publisher: delivers; it tells how much time filters take.
    """

    def __init__(self, node: Node, rights: Rights, publisher: Publisher) -> None:
        self._node = node
        self._rights = rights
        self._publisher = publisher

    def of(
        self, subscription: Subscription, oid: str, message: Message | None = None, publisher: Session | None = None
    ) -> list[Step]:
        """Whether a subscription gets what is published on a topic, check by check; it does where none fails.

        Args:
            subscription: of a session.
            oid: of the topic.
            message: on it; ``None`` for whichever, so that filters are not asked.
            publisher: who publishes it; ``None`` for somebody else than the subscriber.
        """
        case = _Case(subscription, oid, self._node.topics.get(oid), message, publisher)
        checks = {
            DeliveryCheck.TOPIC_EXISTS: self._topic_exists,
            DeliveryCheck.KEY_KNOWN: self._key_known,
            DeliveryCheck.INTERNAL_TOPIC: self._internal,
            DeliveryCheck.CREATE_DOM_ENTRY: self._searchable,
            DeliveryCheck.QUERY: self._query,
            DeliveryCheck.XPATH_BUDGET: self._budget,
            DeliveryCheck.AUTHORISATION: self._authorised,
            DeliveryCheck.FILTER: self._filters,
            DeliveryCheck.LOCAL: self._local,
            DeliveryCheck.DUPLICATE_UPDATES: self._duplicate,
            DeliveryCheck.QUEUE: self._queue,
            DeliveryCheck.NEWEST_ONLY: self._newest_only,
        }
        for check, ask in checks.items():
            if case.failed:
                case.steps.append(Step(check, StepOutcome.SKIP))
            else:
                case.steps += ask(case)
        return case.steps

    def _topic_exists(self, case: _Case) -> Iterator[Step]:
        topic = case.topic
        if topic is None:
            yield _failed(DeliveryCheck.TOPIC_EXISTS, f"there is no topic {case.oid[:200]}")
        else:
            yield _passed(DeliveryCheck.TOPIC_EXISTS, topic.state.value)

    def _key_known(self, case: _Case) -> Iterator[Step]:
        topic = _topic_of(case)
        if topic.key is not None:
            yield _passed(DeliveryCheck.KEY_KNOWN)
        elif case.subscription.is_rule:
            yield _failed(DeliveryCheck.KEY_KNOWN, "nobody has published on it, so its key is not known")
        else:
            yield _skipped(DeliveryCheck.KEY_KNOWN, "nobody has published on it yet; its oid is enough")

    def _internal(self, case: _Case) -> Iterator[Step]:
        topic, session = _topic_of(case), case.subscription.session
        if not topic.is_internal:
            yield _skipped(DeliveryCheck.INTERNAL_TOPIC)
        elif case.subscription.is_rule:
            yield Step(
                DeliveryCheck.INTERNAL_TOPIC,
                StepOutcome.FAIL,
                "topics of the broker itself are found by their oid only",
            )
        elif not self._rights.reaches(session, topic.oid):
            yield Step(
                DeliveryCheck.INTERNAL_TOPIC, StepOutcome.FAIL, "topics of the broker itself are for administrators"
            )
        else:
            yield _passed(DeliveryCheck.INTERNAL_TOPIC)

    def _searchable(self, case: _Case) -> Iterator[Step]:
        topic = _topic_of(case)
        if case.subscription.key.kind is not QueryKind.XPATH:
            yield _skipped(DeliveryCheck.CREATE_DOM_ENTRY)
        elif not topic.config.create_dom_entry:
            yield _failed(DeliveryCheck.CREATE_DOM_ENTRY, "the topic has createDomEntry=false")
        elif topic.document is None:
            yield _failed(DeliveryCheck.CREATE_DOM_ENTRY, "its key cannot be searched")
        else:
            yield _passed(DeliveryCheck.CREATE_DOM_ENTRY)

    def _query(self, case: _Case) -> Iterator[Step]:
        topic, subscription = _topic_of(case), case.subscription
        selects = subscription.selects(topic) if subscription.is_rule else subscription.key.oid == topic.oid
        told = subscription.key.url[:200]
        yield _passed(DeliveryCheck.QUERY, told) if selects else _failed(DeliveryCheck.QUERY, told)

    def _budget(self, case: _Case) -> Iterator[Step]:
        topic, subscription = _topic_of(case), case.subscription
        if not subscription.is_rule:
            yield _skipped(DeliveryCheck.XPATH_BUDGET)
        elif subscription.session.subscriptions.get(subscription.id) is not subscription:
            yield _skipped(DeliveryCheck.XPATH_BUDGET, "there is no such subscription yet")
        elif subscription in topic.subscriptions:
            yield _passed(DeliveryCheck.XPATH_BUDGET)
        else:
            name = subscription.session.subject.name
            reason = f"when the topic was made, the subscriptions of {name} had taken too long, or were too many"
            yield _failed(DeliveryCheck.XPATH_BUDGET, reason)

    def _authorised(self, case: _Case) -> Iterator[Step]:
        session, target = case.subscription.session, case.subscription.key.url
        if self._rights.permits(session, "subscribe", target):
            yield _passed(DeliveryCheck.AUTHORISATION)
        elif case.subscription in _topic_of(case).subscriptions:
            yield Step(
                DeliveryCheck.AUTHORISATION, StepOutcome.PASS, "it may not any more, and could when it subscribed"
            )
        else:
            yield Step(
                DeliveryCheck.AUTHORISATION,
                StepOutcome.FAIL,
                f"{session.subject.name} may not subscribe to {target[:200]}",
            )

    def _filters(self, case: _Case) -> Iterator[Step]:
        subscription, message = case.subscription, case.message
        filters = subscription.key.filters + subscription.qos.filters
        if subscription.ended:
            yield _failed(DeliveryCheck.FILTER, "the subscription has ended")
            return
        if not filters or subscription.accepts is None:
            yield _skipped(DeliveryCheck.FILTER, "there are none")
            return
        if message is None:
            yield _skipped(DeliveryCheck.FILTER, "there is no message that they could be asked about")
            return
        candidate = _topic_of(case).candidate(message)
        processor_time = self._publisher.processor_time
        verdict = Verdicts(processor_time, None, FilterCosts()).of(subscription, candidate)
        told = False
        for each in filters:
            accepts = self._node.queries.filters((each,), subscription.session.subject.name)
            before = processor_time()
            outcome, reason = StepOutcome.PASS, f"{each.type}: {each.query[:200]}"
            try:
                if accepts is not None and not accepts(candidate):
                    outcome = StepOutcome.FAIL
            except BrokerError as error:
                outcome, reason = StepOutcome.FAIL, f"{reason}; it is a dead message: {error}"
            told = told or outcome is StepOutcome.FAIL
            yield Step(DeliveryCheck.FILTER, outcome, reason, int((processor_time() - before) * 1_000_000))
        if verdict is not True and not told:  # all of them together take too long
            reason = str(verdict) if isinstance(verdict, BrokerError) else "all filters together do not let it pass"
            yield _failed(DeliveryCheck.FILTER, reason)

    def _local(self, case: _Case) -> Iterator[Step]:
        session = case.subscription.session
        if case.publisher is not session:
            yield _skipped(DeliveryCheck.LOCAL)
        elif case.subscription.local:
            yield _passed(DeliveryCheck.LOCAL)
        else:
            yield Step(
                DeliveryCheck.LOCAL,
                StepOutcome.FAIL,
                "it is published by the session itself, which wants none of its own",
            )

    def _duplicate(self, case: _Case) -> Iterator[Step]:
        subscription, message = case.subscription, case.message
        if subscription.session.qos.duplicate_updates:
            yield _skipped(DeliveryCheck.DUPLICATE_UPDATES)
            return
        for other in _topic_of(case).subscriptions:
            if other is subscription:
                break
            if other.session is subscription.session and self._accepts(other, case.topic, message):
                reason = f"the session gets it by its subscription {other.id}, and wants nothing twice"
                yield _failed(DeliveryCheck.DUPLICATE_UPDATES, reason)
                return
        yield _passed(DeliveryCheck.DUPLICATE_UPDATES)

    def _accepts(self, subscription: Subscription, topic: Topic | None, message: Message | None) -> bool:
        if subscription.accepts is None:
            return True
        if message is None or topic is None:
            return False
        verdicts = Verdicts(self._publisher.processor_time, None, FilterCosts())
        return verdicts.of(subscription, topic.candidate(message)) is True

    def _queue(self, case: _Case) -> Iterator[Step]:
        queue = case.subscription.session.queue
        if min(queue.space) > 0:
            yield _passed(DeliveryCheck.QUEUE, f"{queue.entries} of {queue.limits.entries} entries")
            return
        overflow = queue.limits.overflow
        full = f"it is full ({queue.entries} of {queue.limits.entries} entries, {queue.bytes} bytes)"
        if overflow is Overflow.DISCARD_OLDEST:
            yield Step(
                DeliveryCheck.QUEUE, StepOutcome.PASS, f"{full}; its oldest entries are discarded for the message"
            )
        elif overflow is Overflow.BLOCK:
            yield _failed(DeliveryCheck.QUEUE, f"{full}; the publisher waits for room")
        elif overflow is Overflow.EXCEPTION:
            yield _failed(DeliveryCheck.QUEUE, f"{full}; the publisher is refused")
        elif discards(queue):
            yield _failed(DeliveryCheck.QUEUE, f"{full}; the message is discarded")
        else:
            yield _failed(DeliveryCheck.QUEUE, f"{full}; it is a dead message")

    def _newest_only(self, case: _Case) -> Iterator[Step]:
        if case.subscription.flags & NEWEST_ONLY:
            yield _passed(DeliveryCheck.NEWEST_ONLY, "it replaces the one before it that still waits")
        else:
            yield _skipped(DeliveryCheck.NEWEST_ONLY)


def _passed(check: DeliveryCheck, detail: str = "") -> Step:
    return Step(check, StepOutcome.PASS, detail)


def _failed(check: DeliveryCheck, detail: str) -> Step:
    return Step(check, StepOutcome.FAIL, detail)


def _skipped(check: DeliveryCheck, detail: str = "") -> Step:
    return Step(check, StepOutcome.SKIP, detail)


def _topic_of(case: _Case) -> Topic:
    """The topic, of a case that has come so far that there is one."""
    assert case.topic is not None
    return case.topic
