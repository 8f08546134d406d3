"""Events as messages on a topic, by default ``__sys__Event`` (spec xmlblaster §16.7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from broker.admin.sinks.details import Details
from broker.admin.sinks.variables import Variables
from broker.core.broker import Broker
from broker.model.key import EVENT_OID, is_administrative
from broker.model.property import ClientProperty
from broker.native.codec import read_key, read_publish_qos

SETTINGS = ("key", "qos", "content", "addClientProperties")
DEFAULT_KEY = f"<key oid='{EVENT_OID}'><org.xmlBlaster><event/></org.xmlBlaster></key>"
DEFAULT_QOS = "<qos><topic><persistence/><queue relating='history' maxEntries='2'/></topic></qos>"
DEFAULT_CONTENT = "$_{eventType}"
ALL = "*"


class TopicSink:
    """Publishes events.

    Args:
        broker: the core.
        variables: of the content.
        key: as XML.
        qos: as XML.
        content: with variables.
        forwarded: names of properties of the connect of an event's session that go along; ``*`` for all.

    Raises:
        BrokerError: ``user.illegalArgument`` where key or QoS cannot be read.
        ValueError: where the key names no topic.
    """

    def __init__(
        self,
        broker: Broker,
        variables: Variables,
        key: str = DEFAULT_KEY,
        qos: str = DEFAULT_QOS,
        content: str = DEFAULT_CONTENT,
        forwarded: Collection[str] = (),
    ) -> None:
        self._broker = broker
        self._variables = variables
        self._key = read_key(key.encode())
        self._given = read_publish_qos(qos.encode())
        if not self._key.oid or is_administrative(self._key.oid):
            raise ValueError("the key needs the oid of a topic")
        self._content = content
        self._forwarded = forwarded
        self.name = f"the topic {self._key.oid} of events"

    @property
    def oid(self) -> str:
        """The topic."""
        return self._key.oid

    async def deliver(self, details: Details) -> None:
        """Publish one.

        Raises:
            BrokerError: where the core refuses it.
        """
        node = self._broker.node
        properties = (*self._given.properties, *details.properties(), *self._of_client(details))
        received = node.received_qos(self._given, node.name.absolute)
        envelope = node.envelope(self._key, replace(received, properties=properties))
        message = node.message(envelope, self._variables.replace(self._content, details).encode())
        self._broker.publish_internal(message, self._given)

    def _of_client(self, details: Details) -> Iterable[ClientProperty]:
        if not self._forwarded or not details.subject:
            return []
        subject = self._broker.node.subjects.get(details.subject)
        session = None if subject is None else subject.sessions.get(details.session)
        given = () if session is None else session.qos.properties
        return [each for each in given if ALL in self._forwarded or each.name in self._forwarded]
