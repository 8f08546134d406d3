"""Each tongue, and a plugin, asks for the same effects as joe; it tells whether they were permitted."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from broker.core.entries import QueueLimits
from broker.errors import BrokerError, Code
from broker.model.item import item_properties
from broker.model.key import Key, QueryKey, QueryKind
from broker.model.qos import Destination, PublishQos, QueryQos, QueueQos, TopicQos
from broker.xmpp.wire import ns
from tests.core.world import Client, FakeOutbound
from tests.xmpp.world import Peer, World

OID = "t"
NEW = "new"
KEPT = QueueQos("history", max_entries=3)
"""What configuring the topic changes."""
EMPTY = "<qos><history numEntries='-1'/></qos>"
EXACT = QueryKey(QueryKind.EXACT, OID)
HISTORY = QueueLimits().entries
CODES = {
    "forbidden": Code.USER_NOT_AUTHORIZED,
    "resource-constraint": Code.RESOURCE_EXHAUST,
    "service-unavailable": Code.RESOURCE_OVERFLOW_BYTES,  # of a message that finds no room (XEP-0160 §3)
}
"""What the condition of a refusal stands for."""


class Plugin:
    """A plugin of the broker, which has a session and calls the core by values."""

    name = "plugin"

    def __init__(self, world: World) -> None:
        self.world = world
        self.broker = world.broker
        self.session = world.broker.session("joe")
        self.updates = FakeOutbound(self.session)
        self.broker.attach(self.session, self.updates, self.session.epoch)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end."""
        return self.world.run(coroutine)

    def _publish(self, key: Key, qos: PublishQos, content: bytes = b"<a/>") -> None:
        plan = self.broker.prepare(self.session, key, qos)
        self.run(self.broker.publish_when_possible(self.session, plan, content))

    def publish(self) -> None:
        """A message on the topic."""
        self._publish(Key(OID, "application/xml"), PublishQos(persistent=True))

    def create(self) -> None:
        """A topic that was not there."""
        self._publish(Key(NEW), PublishQos())

    def configure(self) -> None:
        """Another configuration."""
        self._publish(Key(OID), PublishQos(administrative=True, topic=TopicQos(history=KEPT)))

    def send(self) -> None:
        """A message to mary."""
        self._publish(Key("ptp"), PublishQos(destinations=(Destination("mary"),), subscribable=False))

    def replace(self) -> None:
        """An item in place of mary's."""
        qos = PublishQos(persistent=True, properties=item_properties("i1", "joe@localhost"))
        self.run(self.broker.publish_item(self.session, Key(OID, "application/xml"), qos, b"<a xmlns='u'/>"))

    def retract(self) -> None:
        """Mary's item."""
        assert self.run(self.broker.retract(self.session, OID, ["i1"])) == ["i1"]

    def subscribe(self) -> None:
        """To the topic."""
        self.run(self.broker.subscribe(self.session, EXACT, QueryQos()))

    def unsubscribe(self) -> None:
        """Of the topic."""
        assert len(self.run(self.broker.unsubscribe(self.session, EXACT))) == 1

    def read(self) -> None:
        """What the topic has."""
        assert len(self.run(self.broker.get(self.session, EXACT, QueryQos()))) == 1

    def erase(self) -> None:
        """The topic."""
        assert self.run(self.broker.erase(self.session, EXACT, QueryQos())) == [OID]

    def empty(self) -> None:
        """The topic."""
        assert self.run(self.broker.erase(self.session, EXACT, QueryQos(history_entries=-1))) == [OID]


class Native:
    """A native client."""

    name = "native"

    def __init__(self, world: World) -> None:
        self.client: Client = world.client("joe/1")

    def publish(self) -> None:
        """A message on the topic."""
        key = f"<key oid='{OID}' contentMime='application/xml'/>"
        self.client.publish(OID, b"<a/>", "<qos><persistent/></qos>", key)

    def create(self) -> None:
        """A topic that was not there."""
        self.client.publish(NEW, b"<a/>")

    def configure(self) -> None:
        """Another configuration."""
        section = f"<topic><queue relating='history' maxEntries='{KEPT.max_entries}'/></topic>"
        self.client.publish(OID, qos=f"<qos><administrative/>{section}</qos>")

    def send(self) -> None:
        """A message to mary."""
        self.client.send("mary", b"<a/>", persistent=False)

    def subscribe(self) -> None:
        """To the topic."""
        self.client.subscribe(OID)

    def unsubscribe(self) -> None:
        """Of the topic."""
        assert len(self.client.unsubscribe(OID)) == 1

    def read(self) -> None:
        """What the topic has."""
        assert len(self.client.get(OID)) == 1

    def erase(self) -> None:
        """The topic."""
        assert self.client.erase(OID) == [OID]

    def empty(self) -> None:
        """The topic."""
        assert self.client.erase(OID, EMPTY) == [OID]


class Xmpp:
    """An XMPP client; raises what the condition of a refusal stands for."""

    name = "xmpp"

    def __init__(self, world: World) -> None:
        self.peer: Peer = world.bind("joe@localhost/x", presence=None)

    def _ask(self, payload: str, type: str = "set", namespace: str = ns.PUBSUB) -> None:
        payload = f"<pubsub xmlns='{namespace}'>{payload}</pubsub>"
        self.peer.send(f"<iq type='{type}' id='q' to='pubsub.localhost'>{payload}</iq>")
        self._check()

    def _check(self) -> None:
        for answer in self.peer.take():
            error = answer.find(ns.CLIENT, "error")
            if error is not None:
                for condition, code in CODES.items():
                    if error.find(ns.STANZAS, condition) is not None:
                        raise BrokerError(code, condition)
                raise AssertionError(answer.to_bytes())

    def publish(self) -> None:
        """A message on the topic."""
        self._ask(f"<publish node='{OID}'><item id='i2'><a xmlns='u'/></item></publish>")

    def create(self) -> None:
        """A topic that was not there."""
        self._ask(f"<create node='{NEW}'/>")

    def configure(self) -> None:
        """Another configuration."""
        field = f"<field var='pubsub#max_items'><value>{KEPT.max_entries}</value></field>"
        form = f"<x xmlns='{ns.DATA_FORMS}' type='submit'>{field}</x>"
        self._ask(f"<configure node='{OID}'>{form}</configure>", namespace=ns.PUBSUB_OWNER)

    def send(self) -> None:
        """A message to mary."""
        self.peer.send("<message to='mary@localhost' type='chat'><body>hello</body></message>")
        self._check()

    def replace(self) -> None:
        """An item in place of mary's."""
        self._ask(f"<publish node='{OID}'><item id='i1'><a xmlns='u'/></item></publish>")

    def retract(self) -> None:
        """Mary's item."""
        self._ask(f"<retract node='{OID}'><item id='i1'/></retract>")

    def subscribe(self) -> None:
        """To the topic."""
        self._ask(f"<subscribe node='{OID}' jid='joe@localhost'/>")

    def unsubscribe(self) -> None:
        """Of the topic."""
        self._ask(f"<unsubscribe node='{OID}' jid='joe@localhost'/>")

    def read(self) -> None:
        """What the topic has."""
        self._ask(f"<items node='{OID}'/>", "get")

    def erase(self) -> None:
        """The topic."""
        self._ask(f"<delete node='{OID}'/>", namespace=ns.PUBSUB_OWNER)

    def empty(self) -> None:
        """The topic."""
        self._ask(f"<purge node='{OID}'/>", namespace=ns.PUBSUB_OWNER)


TONGUES: tuple[Callable[[World], Any], ...] = (Plugin, Native, Xmpp)
