"""What XMPP clients store, with odd values: refused, or there after a restart; and spoilt documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail

from broker.core.set_aside import KEPT
from broker.errors import BrokerError, Code
from broker.model.records import DocumentRecord
from broker.store.memory import MemoryStore
from broker.xml.tree import Tree
from broker.xmpp.accounts import BLOCKED, ROSTER
from broker.xmpp.features.departed import PRESENT
from broker.xmpp.features.last_activity import LAST
from broker.xmpp.features.private_storage import PRIVATE, VCARD
from broker.xmpp.wire import ns
from tests.odd_texts import TRICKY, texts
from tests.xmpp.world import Peer, World, befriend
from tests.xmpp.world import settings as xmpp_settings

HOST = "pubsub.localhost"
ODD = [
    "",
    " ",
    "0",
    "-1",
    "²",
    "٣",
    "1_0",
    str(2**31),
    str(2**63),
    str(10**400),
    "NaN",
    "max",
    "true",
    "remove",
    "both",
]
ODD += [
    "joe@localhost",
    "joe@localhost/x",
    "@",
    "/",
    "a@b@c",
    "x" * 1100,
    "x" * 5000,
    "💥",
    "\u0085",
    "<&'\">",
    "]]>",
    "__x",
    *TRICKY,
    "2026-02-30T25:61:61Z",
]
VALUES = st.sampled_from(ODD) | texts(12)


def form(field: str, value: str) -> str:
    """A configuration form with one field."""
    return (
        f"<x xmlns='jabber:x:data' type='submit'>"
        f"<field var='FORM_TYPE'><value>{ns.PUBSUB}#node_config</value></field>"
        f"<field var={quoteattr(field)}><value>{escape(value)}</value></field></x>"
    )


def pubsub(payload: str, namespace: str = ns.PUBSUB) -> str:
    return f"<iq type='set' id='q' to='{HOST}'><pubsub xmlns='{namespace}'>{payload}</pubsub></iq>"


def roster(attributes: str, content: str = "") -> str:
    return f"<iq type='set' id='q'><query xmlns='{ns.ROSTER}'><item {attributes}>{content}</item></query></iq>"


def message(content: str, attributes: str = "") -> str:
    """To an account whose client is away."""
    return f"<message to='mary@localhost' type='chat' {attributes}>{content}</message>"


FIELDS = ("title", "max_items", "persist_items", "access_model", "publish_model", "node_type", "no_such")
PLACES: list[Callable[[str], str]] = [
    lambda odd: roster(f"jid={quoteattr(odd)}"),
    lambda odd: roster(f"jid='mary@localhost' name={quoteattr(odd)}"),
    lambda odd: roster(f"jid='mary@localhost' subscription={quoteattr(odd)} ask={quoteattr(odd)}"),
    lambda odd: roster("jid='mary@localhost'", f"<group>{escape(odd)}</group>"),
    lambda odd: f"<iq type='set' id='q'><query xmlns='{ns.PRIVATE}'><a xmlns={quoteattr(odd)} b='1'/></query></iq>",
    lambda odd: f"<iq type='set' id='q'><query xmlns='{ns.PRIVATE}'><a xmlns='urn:a'>{escape(odd)}</a></query></iq>",
    lambda odd: f"<iq type='set' id='q'><block xmlns='{ns.BLOCKING}'><item jid={quoteattr(odd)}/></block></iq>",
    lambda odd: f"<iq type='set' id='q'><unblock xmlns='{ns.BLOCKING}'><item jid={quoteattr(odd)}/></unblock></iq>",
    lambda odd: (
        f"<iq type='set' id='q'><vCard xmlns='{ns.VCARD}'><FN a={quoteattr(odd)}>{escape(odd)}</FN></vCard></iq>"
    ),
    lambda odd: pubsub(f"<create node={quoteattr(odd)}/>"),
    lambda odd: pubsub(
        f"<publish node='news'><item id={quoteattr(odd)}><e xmlns='urn:e'>{escape(odd)}</e></item></publish>"
    ),
    lambda odd: pubsub(f"<subscribe node='news' jid={quoteattr(odd)}/>"),
    lambda odd: pubsub(f"<retract node='news'><item id={quoteattr(odd)}/></retract>"),
    *(
        (lambda odd, field=field: pubsub(f"<create node='n'/><configure>{form(f'pubsub#{field}', odd)}</configure>"))
        for field in FIELDS
    ),
    *(
        (lambda odd, field=field: pubsub(f"<configure node='news'>{form(f'pubsub#{field}', odd)}</configure>", OWNER))
        for field in FIELDS
    ),
    lambda odd: f"<presence type='subscribe' to={quoteattr(odd)}/>",
    lambda odd: f"<presence><priority>{escape(odd)}</priority></presence>",
    lambda odd: f"<presence><status>{escape(odd)}</status></presence>",
    lambda odd: f"<presence><show>{escape(odd)}</show></presence>",
    lambda odd: f"<presence xml:lang={quoteattr(odd)} id={quoteattr(odd)}/>",
    lambda odd: f"<presence to='jack@localhost/x'><status>{escape(odd)}</status></presence>",
    lambda odd: f"<presence to={quoteattr(odd)}/>",
    lambda odd: message(f"<body>{escape(odd)}</body>"),
    lambda odd: message(f"<body xml:lang={quoteattr(odd)}>x</body>"),
    lambda odd: message("<body>x</body>", f"id={quoteattr(odd)} xml:lang={quoteattr(odd)}"),
    lambda odd: message(f"<subject>{escape(odd)}</subject><thread parent={quoteattr(odd)}>{escape(odd)}</thread>"),
    lambda odd: message(f"<body>x</body><delay xmlns='urn:xmpp:delay' stamp={quoteattr(odd)} from={quoteattr(odd)}/>"),
    lambda odd: message(f"<body>x</body><stanza-id xmlns='urn:xmpp:sid:0' id={quoteattr(odd)} by={quoteattr(odd)}/>"),
    lambda odd: message(f"<body>x</body><data xmlns='urn:xmpp:bob' type={quoteattr(odd)}>{escape(odd)}</data>"),
]
OWNER = "http://jabber.org/protocol/pubsub#owner"
QUESTIONS = [
    f"<iq type='get' id='ID'><query xmlns='{ns.ROSTER}'/></iq>",
    f"<iq type='get' id='ID'><query xmlns='{ns.PRIVATE}'><a xmlns='urn:a'/></query></iq>",
    f"<iq type='get' id='ID'><blocklist xmlns='{ns.BLOCKING}'/></iq>",
    f"<iq type='get' id='ID'><vCard xmlns='{ns.VCARD}'/></iq>",
    f"<iq type='get' id='ID' to='{HOST}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    f"<iq type='get' id='ID' to='{HOST}'><pubsub xmlns='{ns.PUBSUB}'><items node='news'/></pubsub></iq>",
    f"<iq type='get' id='ID' to='{HOST}'><pubsub xmlns='{ns.PUBSUB}'><subscriptions/></pubsub></iq>",
    f"<iq type='get' id='ID' to='{HOST}'><pubsub xmlns='{OWNER}'><configure node='news'/></pubsub></iq>",
]


def answers(peer: Peer) -> list[bytes]:
    """What the server says of everything that is stored."""
    found: list[bytes] = []
    for number, question in enumerate(QUESTIONS):
        peer.take()
        peer.send(question.replace("ID", f"ask{number}"))
        (answer,) = [tree for tree in peer.take() if tree.attributes.get("id") == f"ask{number}"]
        assert _condition(answer) != "internal-server-error"
        found.append(b"".join(sorted(re.findall(rb"<[^>]*>|[^<]+", answer.to_bytes()))))  # a roster has no order
    return found


def _condition(answer: Tree) -> str:
    error = answer.find(ns.CLIENT, "error")
    return "" if error is None else error.children[0].name


def prepared(world: World | None = None) -> tuple[World, Peer]:
    world = world or World(xmpp_settings(sm_ask=False, idle=-1))
    joe = world.bind("joe@localhost/x")
    joe.send(pubsub("<create node='news'/>"))
    return world, joe


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=6))
@example([(PLACES[4], "}")])
@example([(PLACES[1], "Mary"), (PLACES[3], "")])
def test_what_is_accepted_is_there_after_a_restart(requests: list[tuple[Callable[[str], str], str]]) -> None:
    check(requests)


def waiting(world: World) -> int:
    """Messages for the account whose client is away."""
    subject = world.node.subjects.get("mary")
    return 0 if subject is None else len(subject.queue)


def check(requests: list[tuple[Callable[[str], str], str]], world: World | None = None) -> None:
    """Send stanzas, start again, and compare.

    Args:
        requests: what makes each, and the value that it makes it of.
        world: that they are sent to; one without a disk where it is not given.
    """
    world, joe = prepared(world)
    for place, odd in requests:
        before = answers(joe)
        joe.send(place(odd))
        told = [tree for tree in joe.take() if tree.attributes.get("id") == "q"]
        if joe.closed:  # the whole stream is refused, such as for a namespace that is none
            assert not told
            joe = world.bind("joe@localhost/x")
            assert answers(joe) == before, "a refused stream has changed something"
        for answer in told:
            assert _condition(answer) != "internal-server-error", answer.to_bytes()
            if answer.attributes["type"] == "error":
                assert answers(joe) == before, "a refused request has changed something"
    before, letters = answers(joe), waiting(world)
    joe.cut()
    again = world.crash()
    assert not again.node.set_aside.records
    assert answers(again.bind("joe@localhost/x")) == before
    assert waiting(again) == letters
    mary = again.bind("mary@localhost/x", presence=None)
    mary.send("<presence/>")
    assert [tree.name for tree in mary.take() if tree.attributes.get("type") == "chat"] == ["message"] * letters
    assert not again.node.set_aside.records


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_every_place_takes_every_odd_value(place: Callable[[str], str]) -> None:
    check([(place, odd) for odd in ODD])


GARBAGE: list[Any] = [
    b"",
    b"garbage",
    b"\xff\x00",
    b"</stream:stream>",
    b"[]",
    b"7",
    b"null",
    b'{"a": 1}',
    b"[" * 99_999,
]
GARBAGE += [b'{"name": "\\ud800"}', b'{"name": "\\u0000"}', b'{"pending_in": "<presence"}', b'{"groups": ["\\uffff"]}']
GARBAGE += [b'{"when": 1, "presence": "<presence"}']
GARBAGE += [b'{"when": "x", "presence": 7}', b'{"subscription": "odd"}', b'{"groups": 7}', "text", None, 7]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_spoilt_document_costs_itself_only(garbage: Any) -> None:
    world = World(xmpp_settings(sm_ask=False, idle=-1))
    joe, mary = world.bind("joe@localhost/x"), world.bind("mary@localhost/x")
    befriend(joe, mary)
    joe.send(roster("jid='jack@localhost' name='Jack'"))
    for name in ("a", "b"):
        joe.send(f"<iq type='set' id='q'><query xmlns='{ns.PRIVATE}'><a xmlns='urn:{name}'>1</a></query></iq>")
    joe.send(f"<iq type='set' id='q'><vCard xmlns='{ns.VCARD}'><FN>Joe</FN></vCard></iq>")
    joe.send(f"<iq type='set' id='q'><block xmlns='{ns.BLOCKING}'><item jid='spam@localhost'/></block></iq>")
    world.store.commit()
    documents = world.store.tables.documents
    spoilt = [("joe", ROSTER, "jack@localhost"), ("joe", PRIVATE, "urn:a a"), ("joe", VCARD, ""), ("mary", LAST, "")]
    for key in spoilt:
        assert key in documents
        documents[key] = documents[key]._replace(data=garbage)
    documents["@", PRESENT, "@@@"] = DocumentRecord("@", PRESENT, "@@@", b"")
    documents["@", PRESENT, "jack@localhost/gone"] = DocumentRecord("@", PRESENT, "jack@localhost/gone", garbage)
    documents["joe", BLOCKED, "@@@"] = DocumentRecord("joe", BLOCKED, "@@@", b"")
    before = dict(documents)

    again = world.crash()
    joe = again.bind("joe@localhost/x")
    items = answers(joe)[0]
    assert b"mary@localhost" in items
    assert b"jack@localhost" not in items
    joe.send(f"<iq type='get' id='b'><query xmlns='{ns.PRIVATE}'><a xmlns='urn:b'/></query></iq>")
    assert [tree.to_bytes().count(b">1<") for tree in joe.take() if tree.attributes.get("id") == "b"] == [1]
    mary = again.bind("mary@localhost/y")
    joe.take()
    mary.send("<message to='joe@localhost' type='chat'><body>hi</body></message>")
    assert joe.bodies() == ["hi"]
    assert not joe.closed

    joe.send(roster("jid='jack@localhost' name='Jack again'"))
    assert b"Jack again" in answers(joe)[0]
    again.store.commit()
    after = again.store.tables.documents
    if isinstance(garbage, bytes):  # else there is no room for it in another row
        assert after["joe", KEPT + ROSTER, "jack@localhost"].data == garbage
    for key in spoilt[1:3]:
        assert after[key] == before[key]
    assert {each.kind for each in again.node.set_aside.records} == {"document"}


@pytest.mark.parametrize("kind", [BLOCKED, PRESENT])
def test_streams_come_back_also_where_what_is_of_all_of_them_cannot_be_read(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(xmpp_settings(sm_ask=False, idle=-1))
    joe, mary = world.bind("joe@localhost/x", sm=True), world.bind("mary@localhost/x")
    befriend(joe, mary)
    joe.send(f"<iq type='set' id='q'><block xmlns='{ns.BLOCKING}'><item jid='spam@localhost'/></block></iq>")
    joe.take()
    joe.cut()
    read = MemoryStore.read_documents

    def failing(store: MemoryStore, owner: str, asked: str) -> Deferred[list[DocumentRecord]]:
        if asked == kind and owner not in ("joe", "mary"):
            return fail(BrokerError(Code.RESOURCE_DB_UNKNOWN, "the table is spoilt"))
        return read(store, owner, asked)

    monkeypatch.setattr(MemoryStore, "read_documents", failing)
    again = world.crash()
    peer = again.peer()
    peer.login("joe")
    assert peer.resume(joe.id, joe.h)[0].name == "resumed"
    found = answers(peer)
    assert b"mary@localhost" in found[0]
    assert b"spam@localhost" in found[2]


STREAMS: list[Any] = [
    b'{"resource": "x"}',
    b'{"resource": "x", "window": 1e400}',
    b'{"resource": "x", "resumable": true, "window": 9, "presence": "<presence"}',
    b'{"resource": "x", "resumable": true, "window": 9, "presence": "<iq/>"}',
    b'{"resource": "x", "resumable": true, "window": 9, "presence": "</stream:stream>"}',
    b'{"resource": "x", "resumable": true, "window": 9, "directed": ["@@@"]}',
    b'{"resource": "\\ud800", "resumable": true, "window": 9}',
]


@pytest.mark.parametrize("garbage", [*GARBAGE, *STREAMS])
def test_a_spoilt_stream_costs_itself_only(garbage: Any) -> None:
    world = World(xmpp_settings(sm_ask=False, idle=-1))
    world.bind("joe@localhost/x", sm=True).cut()
    other = world.bind("mary@localhost/x", sm=True)
    world.store.commit()
    sessions = world.store.tables.sessions
    (which,) = [id for id, each in sessions.items() if each.subject == "joe"]
    sessions[which] = sessions[which]._replace(state=garbage)
    again = world.crash()
    peer = again.peer()
    peer.login("mary")
    peer.resume(other.id, other.h)
    assert not peer.closed
    joe = again.bind("joe@localhost/x")
    peer.send("<message to='joe@localhost' type='chat'><body>hi</body></message>")
    assert joe.bodies() == ["hi"]


def test_a_spoilt_stanza_is_set_aside_and_the_others_arrive() -> None:
    world = World(xmpp_settings(sm_ask=False, idle=-1))
    mary = world.bind("mary@localhost/x")
    for number in range(3):
        mary.send(f"<message to='joe@localhost' type='chat'><body>{number}</body></message>")
    world.store.commit()
    messages = world.store.tables.messages
    (which,) = [id for id, each in messages.items() if b"<body>1</body>" in each.content]
    messages[which] = messages[which]._replace(content=messages[which].content[:-5])
    again = world.crash()
    joe = again.bind("joe@localhost/x", presence=None)
    joe.send("<presence/>")
    assert joe.bodies() == ["0", "2"]
    assert not joe.closed
    assert [(each.kind, each.key) for each in again.node.set_aside.records] == [("message", str(which))]
    again.store.commit()
    assert which in again.store.tables.messages


def with_items() -> tuple[World, int]:
    """Three items of a node on disk; returns which message the second one is."""
    world, joe = prepared()
    for number in range(3):
        joe.send(pubsub(f"<publish node='news'><item id='{number}'><e xmlns='urn:e'>x</e></item></publish>"))
    joe.take()
    world.store.commit()
    messages = world.store.tables.messages
    (which,) = [id for id, each in messages.items() if each.oid == "news" and b">1<" in each.qos]
    return world, which


def test_a_spoilt_item_is_set_aside_and_the_others_are_listed() -> None:
    world, which = with_items()
    messages = world.store.tables.messages
    messages[which] = messages[which]._replace(content=b"</item></items>")
    again = world.crash()
    items = answers(again.bind("joe@localhost/x"))[5]
    assert [number for number in range(3) if f"<item id='{number}'".encode() in items] == [0, 2]
    assert [(each.kind, each.key) for each in again.node.set_aside.records] == [("message", str(which))]


@pytest.mark.parametrize("mime", [b"APPLICATION/XML", b"application/xml;x"])
def test_a_spoilt_item_with_another_mime_type_breaks_no_stream(mime: bytes) -> None:
    world, which = with_items()
    messages = world.store.tables.messages
    key = messages[which].key.replace(b"application/xml", mime)
    messages[which] = messages[which]._replace(key=key, content=b"</item></items>")
    again = world.crash()
    items = answers(again.bind("joe@localhost/x"))[5]
    assert all(f"<item id='{number}'".encode() in items for number in range(3))
    assert b"urn:xmpp:bob" in items
