"""Which topics a query selects, found in turns with the work of other accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.errors import BrokerError, Code
from broker.model.key import QueryKey, QueryKind

if TYPE_CHECKING:
    from broker.core.codec import TopicQuery
    from broker.core.node import Node
    from broker.core.pace import Pace
    from broker.core.topics import Topic

MAX_STEPS = 1_000_000_000
"""Elementary steps that a query may take on all topics together, about a second at worst."""


def selects(key: QueryKey, query: TopicQuery | None, topic: Topic) -> bool:
    """Whether a domain or an expression selects a topic.

    Args:
        key: the domain, where there is no query.
        query: the expression of the key, compiled.
        topic: that is looked at.
    """
    if query is None:
        return topic.domain == key.domain
    document = topic.document
    return document is not None and query.matches(document)


class TopicSearch:
    """Finds topics.

    Args:
        node: shared state.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    def query_of(self, key: QueryKey, account: str) -> TopicQuery | None:
        """The query of a key, compiled; ``None`` for one without an expression.

        Args:
            key: of the query.
            account: login name that asks.

        Raises:
            BrokerError: see :meth:`broker.core.codec.Queries.compile`.
        """
        return self._node.queries.compile(key.text, account) if key.kind is QueryKind.XPATH else None

    async def selected(self, key: QueryKey, pace: Pace) -> list[Topic]:
        """The topics that a query selects, and that are still there.

        Args:
            key: an oid, a domain or an expression.
            pace: of the request.

        Raises:
            BrokerError: ``resource.exhaust`` where the query takes too long on all topics together.
        """
        topics = self._node.topics
        if key.kind is QueryKind.EXACT:
            topic = topics.get(key.oid)
            return [topic] if topic is not None else []
        return await self.matching(key, self.query_of(key, pace.account), pace)

    async def matching(self, key: QueryKey, query: TopicQuery | None, pace: Pace) -> list[Topic]:
        """The topics that a domain or an expression selects; as :meth:`selected`.

        Args:
            key: the domain, where there is no query.
            query: the expression of the key, compiled.
            pace: of the request.
        """
        topics = self._node.topics
        found: list[Topic] = []
        steps = 0
        for topic in list(topics.values()):
            if query is not None and topic.document is not None:
                steps += query.steps(topic.document)
                if steps > MAX_STEPS:
                    raise BrokerError(
                        Code.RESOURCE_EXHAUST, f"the XPath query could take too long on {len(topics)} topics"
                    )
            if selects(key, query, topic):
                found.append(topic)
            if pace.is_over:
                await pace.next_turn()
        return [topic for topic in found if topics.get(topic.oid) is topic]
