"""What the core is handed to read and write what it stores, and to evaluate queries; it reads no XML itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from broker.filters.candidate import Predicate
    from broker.model.key import Filter, Key, QueryKey
    from broker.model.qos import PublishQos, QueryQos


class Encoded(NamedTuple):
    """A key and a QoS as :class:`Codec` writes them, where a client gave them like this.

    Args:
        key: of a message or a query.
        qos: of a message or a query.
    """

    key: bytes
    qos: bytes


class Codec(Protocol):
    """Keys and QoS as bytes of stored records.

    Everything that reads raises BrokerError, and nothing else, for bytes that it cannot read.
    """

    def read_key(self, data: bytes) -> Key:
        """The key of a message or topic."""

    def write_key(self, key: Key) -> bytes:
        """As :meth:`read_key` reads it."""

    def read_publish_qos(self, data: bytes) -> PublishQos:
        """The QoS of a message or topic."""

    def write_publish_qos(self, qos: PublishQos) -> bytes:
        """As :meth:`read_publish_qos` reads it."""

    def read_query_key(self, data: bytes) -> QueryKey:
        """The key of a subscription."""

    def write_query_key(self, key: QueryKey) -> bytes:
        """As :meth:`read_query_key` reads it."""

    def read_query_qos(self, data: bytes) -> QueryQos:
        """The QoS of a subscription."""

    def write_query_qos(self, qos: QueryQos) -> bytes:
        """As :meth:`read_query_qos` reads it."""


class TopicQuery(Protocol):
    """A compiled query over keys of topics."""

    def steps(self, document: Any) -> int:
        """Elementary steps that :meth:`matches` takes at most; a step takes about a nanosecond."""

    def matches(self, document: Any) -> bool:
        """Whether it selects the topic of a document."""


class Queries(Protocol):
    """Compiles queries over topics, and filters over messages."""

    def compile(self, text: str, account: str = "") -> TopicQuery:
        """Compile a query over topics.

        Args:
            text: of the query.
            account: login name that what is kept of it counts for; empty for the broker itself.

        Raises:
            BrokerError: ``user.query.invalid``, ``resource.exhaust``.
        """

    def document(self, key: Key, account: str = "") -> Any:
        """What queries see of a topic.

        Args:
            key: of the topic.
            account: as of :meth:`compile`.

        Raises:
            BrokerError: ``user.illegalArgument``, ``resource.exhaust``.
        """

    def filters(self, filters: Sequence[Filter], account: str = "") -> Predicate | None:
        """Compile the filters of a subscription or request; ``None`` where there are none.

        Args:
            filters: of the subscription.
            account: as of :meth:`compile`.

        Raises:
            BrokerError: ``resource.configuration.pluginFailed``, ``user.query.invalid``.
        """
