"""Bytes of stanzas (RFC 6120 §8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xml.tree import Tree, parse_tree
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError, error_reply, may_be_refused, stream_error
from broker.xmpp.wire.stanza import delayed, element, from_attribute, iq_result, message, route, standalone

HEADER = f"<stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}' xmlns:h='urn:h'>".encode()


def stanza(data: str, header: bytes = HEADER) -> Stanza:
    reader = StreamReader(1 << 20)
    events = reader.feed(header + data.encode())
    found = events[-1]
    assert isinstance(found, Stanza), (events, reader.error)
    return found


def tree(data: bytes) -> Tree:
    return parse_tree(data, ns.CLIENT)


TAGS = [
    "<message to='a@b'>h: and no child</message>",
    "<message/>",
    "<message to='a@b'><body>x</body></message>",
    "<message  to = \"a@b\"\n type='chat' ><body>x</body></message>",
    "<message from='forged@x' to='a@b' id='1'/>",
    "<message xml:lang='en' to='a@b'><body>x</body></message>",
    "<message xmlns='jabber:client' to='a@b'><body>x</body></message>",
    "<iq id=\"x to='y' z\" from='a' type='get'><q xmlns='u'/></iq>",
    "<iq id=\"a from='b\" type='get' c='d'/>",
    "<message id='>' b=\"'>\"><body>&lt;</body></message>",
    "<c:message xmlns:c='jabber:client' to='a@b'><c:body>x</c:body></c:message>",
    "<message xmlns:q='urn:q' q:a='1' to='a@b'><q:x/></message>",
    "<message to='a@b'><h:x h:y='1'/></message>",
    "<message to='a@b'><h:x>h:stream:</h:x></message>",
]


@pytest.mark.parametrize("data", TAGS)
@pytest.mark.parametrize("to", [None, "x@y/z", "it's@y"])
@pytest.mark.parametrize("extra", [b"", b"<e xmlns='urn:e'/>"])
def test_a_stanza_goes_on_as_it_was_but_for_its_addresses(data: str, to: str | None, extra: bytes) -> None:
    given_stanza = stanza(data)
    before = given_stanza.tree()
    routed = tree(route(given_stanza, from_attribute("me@d/r"), to, extra=extra))
    target = to if to is not None else before.attributes.get("to")
    addresses = {"from": "me@d/r"} | ({"to": target} if target is not None else {})
    kept = {name: value for name, value in before.attributes.items() if name not in ("from", "to")}
    assert routed.attributes == kept | addresses
    nodes = [*before.nodes, *([tree(extra)] if extra else [])]
    assert routed.nodes == nodes
    assert (routed.namespace, routed.name) == (ns.CLIENT, before.name)


@given(st.dictionaries(st.sampled_from(["id", "type", "from", "to", "a"]), st.text(max_size=20)), st.text(max_size=20))
def test_no_value_can_break_out(attributes: dict[str, str], body: str) -> None:
    data = element("message", attributes=attributes, content=element("body", content=body)).decode()
    try:
        routed = tree(route(stanza(data), from_attribute("me@d/r"), "x@y"))
    except AssertionError:
        raise
    assert routed.attributes["from"] == "me@d/r"
    assert routed.attributes["to"] == "x@y"
    assert set(routed.attributes) == set(attributes) | {"from", "to"}


def test_answers_go_back_where_requests_came_from() -> None:
    request = stanza("<iq type='get' id='1' from='a@b/c' to='d'><q xmlns='u'/></iq>")
    assert tree(iq_result(request)).attributes == {"type": "result", "id": "1", "from": "d", "to": "a@b/c"}
    refusal = tree(error_reply(request, StanzaError(Condition.ITEM_NOT_FOUND, "a < b")))
    assert refusal.attributes == {"type": "error", "id": "1", "from": "d", "to": "a@b/c"}
    error = refusal.find(ns.CLIENT, "error")
    assert error is not None
    assert error.attributes == {"type": "cancel"}
    assert error.text_of(ns.STANZAS, "text") == "a < b"


def test_nobody_answers_errors_and_results() -> None:
    assert not may_be_refused(stanza("<message type='error'/>"))
    assert not may_be_refused(stanza("<iq type='result' id='1'/>"))
    assert may_be_refused(stanza("<message type='result'/>"))


@pytest.mark.parametrize(
    ("code", "condition", "type"),
    [
        (Code.USER_NOT_AUTHORIZED, "forbidden", "auth"),
        (Code.RESOURCE_OVERFLOW_ENTRIES, "resource-constraint", "wait"),
        (Code.INTERNAL_UNKNOWN, "internal-server-error", "cancel"),
    ],
)
def test_failures_of_the_core_have_their_condition(code: Code, condition: str, type: str) -> None:
    error = StanzaError.of(BrokerError(code, "why"))
    assert (error.condition, error.type, error.text) == (condition, type, "why")


def test_stream_errors_name_their_condition() -> None:
    data = stream_error("conflict", "a & b", b"<x xmlns='urn:x'/>")
    found = parse_tree(data, "", {"stream": ns.STREAM})
    assert [child.name for child in found.children] == ["conflict", "text", "x"]


class TestDelay:
    def test_a_late_stanza_tells_since_when(self) -> None:
        found = tree(delayed(b"<message><body>x</body></message>", "localhost", 1_700_000_000_123))
        delay = found.find(ns.DELAY, "delay")
        assert delay is not None
        assert delay.attributes == {"from": "localhost", "stamp": "2023-11-14T22:13:20.123Z"}

    @pytest.mark.parametrize("data", [b"<message/>", b"<presence from='a'/>", b"<message a='/&gt;'/>"])
    def test_so_does_an_empty_one(self, data: bytes) -> None:
        assert tree(delayed(data, "d", 0)).find(ns.DELAY, "delay") is not None

    def test_once_is_enough_and_requests_are_never_marked(self) -> None:
        once = delayed(message("a", "b", children=b"<body>x</body>"), "d", 0)
        assert delayed(once, "d", 1000) == once
        assert delayed(b"<iq type='get' id='1'/>", "d", 0) == b"<iq type='get' id='1'/>"

    def test_the_mark_of_a_stanza_that_it_forwards_is_not_its_own(self) -> None:
        # XEP-0297 §3, XEP-0203 §2
        old = b"<message from='a@b'><delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/></message>"
        forwarded = element(
            "forwarded", ns.FORWARD, content=b"<delay xmlns='urn:xmpp:delay' stamp='1'/>" + standalone(old)
        )
        found = tree(delayed(message("a", "b", children=forwarded), "d", 0))
        assert [each.attributes["from"] for each in found.find_all(ns.DELAY, "delay")] == ["d"]


@pytest.mark.parametrize("data", TAGS)
def test_a_stanza_that_names_no_language_goes_on_in_that_of_its_stream(data: str) -> None:
    # RFC 6120 §8.1.5
    found = stanza(data, HEADER.replace(b">", b" xml:lang='de'>"))
    routed = tree(route(found, from_attribute("me@d/r")))
    assert routed.attributes["xml:lang"] == found.attributes.get("xml:lang", "de")


@pytest.mark.parametrize(
    "data",
    [
        b"<message/>",
        b"<message to='a'>x</message>",
        b"<message xmlns='jabber:client'>x</message>",
        b"<message id=' xmlns=q'>x</message>",
        b'<message a="\' xmlns=\'jabber:client" xmlns = "jabber:client"/>',
        b"<message xml:lang='en' id='1'><body>x</body></message>",
        b"<message id='>a xmlns=b>'/>",
    ],
)
def test_a_stanza_can_stand_anywhere(data: bytes) -> None:
    assert parse_tree(standalone(data), "urn:other").namespace == ns.CLIENT
