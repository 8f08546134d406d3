"""What subscribers are told of messages on topics."""

from __future__ import annotations

import pytest

from broker.core.message import Message
from broker.model.key import Key
from broker.model.qos import PublishQos
from broker.xml.tree import Tree, parse_tree
from broker.xmpp.features.pubsub import items
from broker.xmpp.features.pubsub.config import MAX_TEXT, NodeConfig, read_meta, write_meta
from broker.xmpp.features.pubsub.items import MAX_EVENTS, Events
from broker.xmpp.wire import ns
from tests.core.world import World

HOST = "pubsub.localhost"
CONFIG = NodeConfig()


@pytest.fixture
def events() -> Events:
    return Events(HOST)


def message(id: int, content: bytes = b"<a xmlns='x'/>", mime: str = "text/xml") -> Message:
    """A message on the topic ``t``."""
    return Message(id, World().node.envelope(Key("t", mime), PublishQos()), content)


def read(stanza: bytes) -> Tree:
    """A stanza as its receiver reads it."""
    return parse_tree(stanza, ns.CLIENT, limit=len(stanza))


def test_an_event_is_addressed_to_its_subscriber(events: Events) -> None:
    tree = read(events.event(message(7), "o'neill@localhost", CONFIG))

    assert (tree.name, tree.attributes) == (
        "message",
        {"type": "headline", "id": "7", "from": HOST, "to": "o'neill@localhost"},
    )


def test_events_of_one_message_differ_by_their_addresses_alone(events: Events) -> None:
    item = message(7)

    assert events.event(item, "jack@localhost", CONFIG).replace(b"jack", b"mary") == events.event(
        item, "mary@localhost", CONFIG
    )


LONG = write_meta(NodeConfig(title="ä" * MAX_TEXT, description="ä" * MAX_TEXT, type="x" * MAX_TEXT))


@pytest.mark.parametrize("meta", [b"", LONG])
def test_a_content_is_read_once_for_all_subscribers(
    events: Events, monkeypatch: pytest.MonkeyPatch, meta: bytes
) -> None:
    contents: list[bytes] = []

    def reading(data: bytes, *args: object, **options: object) -> Tree:
        contents.append(data)
        return parse_tree(data, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(items, "parse_tree", reading)
    item = message(7)
    for number in range(3):
        events.event(item, f"user{number}@localhost", read_meta(meta))

    assert contents == [item.content]


def test_a_node_that_is_configured_anew_is_told_of_in_its_new_way(events: Events) -> None:
    item = message(7)

    for config in (CONFIG, NodeConfig(deliver_payloads=False), CONFIG):
        told = events.event(item, "jack@localhost", config)
        assert (item.content in told) is config.deliver_payloads


def test_contents_of_any_size_go_to_all_subscribers(events: Events) -> None:
    size = MAX_EVENTS // 2
    written = [message(id, b"<a xmlns='x'>%b</a>" % (b"%d" % id * size)) for id in (1, 2, 3)]
    written.append(message(4, b"<a xmlns='x'>%b</a>" % (b"4" * 2 * MAX_EVENTS)))

    for item in [*written, *reversed(written)]:
        assert item.content in events.event(item, "jack@localhost", CONFIG)
