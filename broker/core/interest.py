"""The subscriptions by domain and XPath, which are asked about every new topic, and what the asking may cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from broker.core.codec import Queries, TopicQuery
from broker.errors import BrokerError, Code
from broker.model.key import Key, QueryKind

if TYPE_CHECKING:
    from broker.core.sessions import Session
    from broker.core.subjects import Subject
    from broker.core.subscriptions import Subscription
    from broker.core.topics import Topic

RULE_SECONDS = 0.03
"""Time of the processor that all XPath subscriptions of one login name may use on one new topic; those that are left do
not get the topic, and its first message is a dead message for their sessions."""
MAX_RULE_STEPS = 15_000_000
"""Elementary steps that all of them may take on an ordinary topic, half of that time; more are refused."""
STEPS_EACH = 2500
"""What a query costs on any topic, however small: 2.5 µs."""
ORDINARY = Key("ordinary.topic", meta=b"<a>" + b"<b c='d'>twenty characters of text</b>" * 15 + b"</a>")
"""The key of an ordinary topic, as many have it or less."""


class Matched(NamedTuple):
    """Who receives from a new topic.

    Args:
        subscriptions: whose query selects it.
        unasked: sessions whose time or quota of matches was used up, each with the number of their subscriptions that
            do not get it.
    """

    subscriptions: list[Subscription]
    unasked: dict[Session, int]


class Interest:
    """The subscriptions that match by a query.

    Args:
        queries: make what queries see of a topic.

    Attributes:
        rules: how many subscriptions there are of each kind.
        processor_time: seconds that this thread has computed.
        seconds: of these, that XPath queries were evaluated on new topics; never falls.
        budget_exceeded: how often one was not, because the time of those whose it is was over; never falls.
    """

    def __init__(self, queries: Queries) -> None:
        self._ordinary = queries.document(ORDINARY)
        self.processor_time = time.thread_time
        self.rules = {QueryKind.DOMAIN: 0, QueryKind.XPATH: 0}
        self.seconds = 0.0
        self.budget_exceeded = 0
        self._domains: dict[str, dict[str, Subscription]] = {}
        self._xpaths: dict[str, dict[str, Subscription]] = {}
        self._steps: dict[Subject, int] = {}
        self._texts: dict[tuple[Subject, str], int] = {}  # subscriptions of a subject by the text of their query

    def add(self, subscription: Subscription) -> None:
        """Ask it from now on; XPath queries of the same text are evaluated once for all."""
        self._bucket(subscription)[subscription.id] = subscription
        self.rules[_kind(subscription)] += 1
        self._count(subscription, 1)

    def remove(self, subscription: Subscription) -> None:
        """Ask it no more."""
        bucket = self._bucket(subscription)
        if bucket.pop(subscription.id, None) is not None:
            self.rules[_kind(subscription)] -= 1
            self._count(subscription, -1)
        if not bucket:
            index = self._domains if _kind(subscription) is QueryKind.DOMAIN else self._xpaths
            index.pop(subscription.key.domain or subscription.key.text, None)

    def check(self, subject: Subject, text: str, query: TopicQuery) -> None:
        """See whether a session of a subject may have one more subscription with an XPath query.

        Args:
            subject: the login name; its sessions may share a query at no cost.
            text: of the query.
            query: the same, compiled.

        Raises:
            BrokerError: ``resource.exhaust`` where all of them together could take too long on every new topic.
        """
        steps = 0 if (subject, text) in self._texts else self._steps_of(query)
        if steps and self._steps.get(subject, 0) + steps > MAX_RULE_STEPS:
            raise BrokerError(
                Code.RESOURCE_EXHAUST,
                f"with one more the XPath subscriptions of {subject.name} could take too long on a new topic",
            )

    def matching(self, topic: Topic) -> Matched:
        """The subscriptions whose query selects a new topic."""
        found = list(self._domains.get(topic.domain, {}).values()) if topic.domain else []
        unasked: dict[Session, int] = {}
        if topic.document is not None:
            self._ask_xpaths(topic, found, unasked)
        return Matched(_within_quotas(found, unasked), unasked)

    def _ask_xpaths(self, topic: Topic, found: list[Subscription], unasked: dict[Session, int]) -> None:
        spent: dict[Subject, float] = {}
        now = self.processor_time()
        for bucket in self._xpaths.values():
            subjects = (each.session.subject for each in bucket.values())
            payer = next((subject for subject in subjects if spent.get(subject, 0.0) <= RULE_SECONDS), None)
            if payer is None:
                self.budget_exceeded += 1
                for each in bucket.values():
                    unasked[each.session] = unasked.get(each.session, 0) + 1
                continue
            if next(iter(bucket.values())).selects(topic):
                found += bucket.values()
            before, now = now, self.processor_time()
            spent[payer] = spent.get(payer, 0.0) + now - before
        self.seconds += sum(spent.values())

    def _bucket(self, subscription: Subscription) -> dict[str, Subscription]:
        if _kind(subscription) is QueryKind.DOMAIN:
            return self._domains.setdefault(subscription.key.domain, {})
        return self._xpaths.setdefault(subscription.key.text, {})

    def _count(self, subscription: Subscription, sign: int) -> None:
        if subscription.query is None:
            return
        subject = subscription.session.subject
        key = (subject, subscription.key.text)
        count = self._texts.pop(key, 0) + sign
        if count:
            self._texts[key] = count
        if count == max(sign, 0):  # the first of them came, or the last one went
            steps = self._steps.pop(subject, 0) + sign * self._steps_of(subscription.query)
            if steps:
                self._steps[subject] = steps

    def _steps_of(self, query: TopicQuery) -> int:
        return STEPS_EACH + query.steps(self._ordinary)


def _within_quotas(found: list[Subscription], unasked: dict[Session, int]) -> list[Subscription]:
    free: dict[Subject, int] = {}
    kept = []
    for each in found:
        subject = each.session.subject
        left = free[subject] = free.get(subject, subject.usage.free_matches) - 1
        if left >= 0:
            kept.append(each)
        else:
            unasked[each.session] = unasked.get(each.session, 0) + 1
    return kept


def _kind(subscription: Subscription) -> QueryKind:
    return QueryKind.DOMAIN if subscription.key.kind is QueryKind.DOMAIN else QueryKind.XPATH
