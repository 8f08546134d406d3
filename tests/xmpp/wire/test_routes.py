"""Elements of the protocol of existing connection managers."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xmpp.wire import ns, routes

WRITTEN = [
    b"<message from='a' to='b'><body>x &lt; y</body></message>",
    b"<message><forwarded><message><body/></message></forwarded></message>",
    b"<iq type='result' id='1'/>",
    b"<a xmlns='urn:xmpp:sm:3' h='1'/>",
    b"<presence a='/>'><x b=\"'\"/></presence>",
    b"<message><body><![CDATA[</message><a>]]></body></message>",
    b"<message-like/>",
    b"<stream:error><conflict xmlns='u'/></stream:error>",
    b"<message><messages/></message>",
]


@given(st.lists(st.sampled_from(WRITTEN), max_size=6))
def test_what_is_written_is_cut_into_single_elements(parts: list[bytes]) -> None:
    assert list(routes.elements(b"".join(parts))) == parts


def test_digest_is_that_of_the_id_and_the_secret() -> None:
    assert routes.digest("1a2b3c01", "sekrit") == "ea9c23248de3853668e5d6cc36cfc3c5bff44844"
    assert routes.digest("ä", "ö") == hashlib.sha1("äö".encode()).hexdigest()


def test_attributes_of_a_start_tag() -> None:
    assert routes.attributes_of(b"<route to='a&amp;b' streamid=\"x\">") == {"to": "a&b", "streamid": "x"}
    assert routes.attributes_of(b"<route a='%b'/>" % (b"x" * 1000)) == {"a": "x" * 1000}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<message to='a'/>", b"<message to='a'/>"),
        (b"<message xmlns='jabber:client'/>", b"<message xmlns='jabber:client'/>"),
        (b"<message xmlns='jabber:connectionmanager'><b/></message>", b"<message><b/></message>"),
        (b"<x xmlns='jabber:connectionmanager'><y xmlns='u'/></x>", b"<x><y xmlns='u'/></x>"),
        (b"<x xmlns='jabber:connectionmanager'>", b"<x xmlns='jabber:connectionmanager'>"),
    ],
)
def test_what_a_client_has_sent_is_of_a_client(content: bytes, expected: bytes) -> None:
    assert routes.from_client(content) == expected


def test_header_escapes_what_the_manager_calls_itself() -> None:
    assert b'from="cm1/a&quot;&lt;"' in routes.header('cm1/a"<', "1")


def test_configuration_names_what_is_offered() -> None:
    tree = routes.read(routes.Configuration(("PLAIN",), tls=True, tls_required=False).to_bytes("x"))
    (configuration,) = tree.children
    assert [(child.namespace, child.name) for child in configuration.children] == [
        (ns.TLS, "starttls"),
        (ns.SASL, "mechanisms"),
    ]


def test_malformed_request_is_read_as_far_as_its_answer_needs() -> None:
    data = b"<iq type='set' id='7'><session xmlns='%b' id=\"a\"><create><host name='&'/></create></session></iq>"
    request = routes.what_can_be_read(data % routes.PAYLOAD.encode())
    assert request.attributes["id"] == "7"
    assert request.children[0].attributes == {"id": "a"}
    assert [child.name for child in request.children[0].children] == ["create"]
