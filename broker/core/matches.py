"""The topics of subscriptions with a query: many at once, so these come and go in turns with the work of others."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from broker.core.node import Node
from broker.core.pace import Pace
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic

AT_ONCE = 500
"""Topics that take less time than others notice."""

log = Logger()


class Matches:
    """Puts subscriptions on the topics that their queries select, and takes them off.

    Args:
        node: what there is.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    async def join(self, subscription: Subscription, topics: Sequence[Topic], pace: Pace) -> None:
        """Deliver to a subscription what is published on these topics, unless it or they end meanwhile.

        Args:
            subscription: with a query.
            topics: that its query selects.
            pace: of whoever asked for it.

        Raises:
            BrokerError: ``resource.exhaust`` where its login name would have too many matches.
        """
        subscription.session.subject.usage.check_matches(len(topics))
        for first in range(0, len(topics), AT_ONCE):
            for topic in topics[first : first + AT_ONCE]:
                if self._node.topics.get(topic.oid) is topic and not subscription.ended:
                    topic.subscribe(subscription)
            if pace.is_over:
                await pace.next_turn()

    def leave(self, subscription: Subscription) -> None:
        """Take a subscription that has ended off its topics, at once or soon."""
        if self._leave_some(subscription):
            leaving = ensureDeferred(self._leave_the_rest(subscription))
            leaving.addErrback(lambda failure: log.failure("a subscription stays on its topics", failure))

    async def _leave_the_rest(self, subscription: Subscription) -> None:
        pace = self._node.pace(subscription.session)
        await pace.next_turn()
        while self._leave_some(subscription):
            if pace.is_over:
                await pace.next_turn()

    def _leave_some(self, subscription: Subscription) -> bool:
        topics = subscription.topics
        for topic in [topic for topic, _ in zip(topics, range(AT_ONCE), strict=False)]:
            topic.unsubscribe(subscription)
        return bool(topics)
