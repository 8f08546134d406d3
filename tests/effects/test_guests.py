"""Clients without an account send and receive; nothing is kept for them (XEP-0175 §4)."""

from __future__ import annotations

from contextlib import suppress

import pytest

from broker.errors import BrokerError
from broker.model.key import Key, QueryKey, QueryKind
from broker.model.qos import PublishQos, QueryQos
from broker.xmpp.wire import ns
from tests.xmpp.features.pubsub.test_pubsub import HOST, ok, refused
from tests.xmpp.world import Peer, World, settings

NOTES = "<query xmlns='jabber:iq:private'><notes xmlns='urn:n'/></query>"


@pytest.fixture
def world() -> World:
    return World(settings(sm_ask=False, idle=-1, anonymous=True))


def guest_of(world: World) -> Peer:
    peer = world.peer()
    peer.open()
    peer.send(f"<auth xmlns='{ns.SASL}' mechanism='ANONYMOUS'/>")
    assert peer.names() == ["success"]
    peer.open()
    peer.bind("x")
    peer.send("<presence/>")
    peer.take()
    return peer


def test_a_guest_talks_with_others(world: World) -> None:
    joe, guest = world.bind("joe@localhost/x"), guest_of(world)
    guest.send(f"<message to='{joe.jid}' type='chat'><body>hello</body></message>")
    assert joe.bodies() == ["hello"]
    joe.send(f"<message to='{guest.jid}' type='chat'><body>welcome</body></message>")
    assert guest.bodies() == ["welcome"]


@pytest.mark.parametrize(
    "request_",
    [
        f"<iq type='set' id='1'><query xmlns='{ns.ROSTER}'><item jid='joe@localhost'/></query></iq>",
        f"<iq type='set' id='1'><vCard xmlns='{ns.VCARD}'><FN>Me</FN></vCard></iq>",
        f"<iq type='set' id='1'>{NOTES}</iq>",
        f"<iq type='set' id='1'><block xmlns='{ns.BLOCKING}'><item jid='joe@localhost'/></block></iq>",
        "<presence type='subscribe' id='1' to='joe@localhost'/>",
        f"<iq type='set' id='1' to='{HOST}'><pubsub xmlns='{ns.PUBSUB}'><create node='mine'/></pubsub></iq>",
    ],
    ids=["roster", "vcard", "private", "block", "subscribe", "create"],
)
def test_a_guest_leaves_no_rows(world: World, request_: str) -> None:
    joe, guest = world.bind("joe@localhost/x"), guest_of(world)
    world.store.commit()
    tables = world.store.tables
    before = dict(tables.documents), dict(tables.topics), dict(tables.sessions), dict(tables.subjects)
    guest.send(request_)
    error = guest.one().find(ns.CLIENT, "error")
    assert error is not None
    assert error.find(ns.STANZAS, "forbidden") is not None, error.to_bytes()
    world.store.commit()
    assert (dict(tables.documents), dict(tables.topics), dict(tables.sessions), dict(tables.subjects)) == before
    assert joe.take() == []


def test_a_guest_reads_nodes_and_neither_publishes_nor_subscribes(world: World) -> None:
    joe, guest = world.bind("joe@localhost/x"), guest_of(world)
    ok(joe, "set", "<create node='news'/>")
    ok(guest, "get", "<items node='news'/>")
    bare = guest.jid.partition("/")[0]
    refused(guest, "set", "<publish node='news'><item><a xmlns='u'/></item></publish>", "forbidden")
    refused(guest, "set", f"<subscribe node='news' jid='{bare}'/>", "forbidden")
    refused(guest, "set", "<delete node='news'/>", "forbidden", namespace=ns.PUBSUB_OWNER)


def test_a_guest_has_no_presence_subscription_to_give(world: World) -> None:
    joe, guest = world.bind("joe@localhost/x"), guest_of(world)
    joe.send(f"<iq type='get' id='r'><query xmlns='{ns.ROSTER}'/></iq>")
    joe.take()
    joe.send(f"<presence type='subscribe' to='{guest.jid.partition('/')[0]}'/>")
    assert guest.take() == []
    world.store.commit()
    assert not [each for each in world.store.tables.documents.values() if each.owner.startswith("anonymous")]
    assert [each for each in joe.take() if each.name == "presence"] == []  # as one to a name without an account


def test_nothing_is_left_when_a_guest_has_gone(world: World) -> None:
    guest = guest_of(world)
    guest.send("</stream:stream>")
    world.store.commit()
    tables = world.store.tables
    assert not [each for each in tables.documents.values() if "anonymous" in each.owner + each.name]
    assert not tables.subjects


@pytest.mark.parametrize("presence", ["<presence/>", "<presence><priority>-1</priority></presence>"])
def test_messages_to_a_guest_leave_nothing_when_it_is_gone_and_nothing_on_disk(world: World, presence: str) -> None:
    joe, native, guest = world.bind("joe@localhost/x"), world.client("mary/1"), guest_of(world)
    guest.send(presence)
    name = guest.jid.partition("@")[0]
    guest.send(f"<enable xmlns='{ns.SM}'/>")
    guest.take()
    joe.send(f"<message to='{guest.jid}' type='chat'><body>0</body></message>")
    assert guest.bodies() == ["0"]  # and it is not acknowledged
    guest.cut()
    joe.send(f"<message to='{guest.jid}' type='chat'><body>1</body></message>")
    joe.send(f"<message to='{name}@localhost' type='chat'><body>2</body></message>")
    with suppress(BrokerError):
        native.send(name, b"3")
    world.store.commit()
    assert not world.store.tables.messages
    world.advance(3600)
    assert name not in world.node.subjects
    world.store.commit()
    tables = world.store.tables
    assert not (tables.messages or [each for each in tables.subjects.values() if each.name == name])


def test_the_core_refuses_a_guest_whatever_asks(world: World) -> None:
    guest = guest_of(world)
    client = guest.stream.client
    assert client is not None
    session = client.session
    broker = world.broker
    with pytest.raises(BrokerError, match="may not publish"):
        broker.prepare(session, Key("news"), PublishQos())
    with pytest.raises(BrokerError, match="may not erase"):
        world.run(broker.erase(session, QueryKey(QueryKind.EXACT, "news"), QueryQos()))
    with pytest.raises(BrokerError, match="may not subscribe"):
        world.run(broker.subscribe(session, QueryKey(QueryKind.EXACT, "news"), QueryQos()))


def test_an_account_whose_name_looks_like_a_guest_is_none() -> None:
    world = World(settings(sm_ask=False, idle=-1, anonymous=True), users=("anonymous-joe",))
    joe = world.bind("anonymous-joe@localhost/x")
    ok(joe, "set", "<create node='news'/>")
