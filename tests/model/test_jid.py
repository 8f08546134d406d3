"""Addresses of XMPP (RFC 7622)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n import get_profile

from broker.errors import BrokerError
from broker.model.jid import JID, parse_jid, prepare_resource, prepared_or_empty


@pytest.mark.parametrize(
    ("text", "local", "domain", "resource"),
    [
        ("juliet@example.com", "juliet", "example.com", ""),
        ("juliet@example.com/foo", "juliet", "example.com", "foo"),
        ("juliet@example.com/foo bar", "juliet", "example.com", "foo bar"),
        ("juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar"),
        ("juliet@example.com/a/b", "juliet", "example.com", "a/b"),
        ("foo\\20bar@example.com", "foo\\20bar", "example.com", ""),
        ("fussball@example.com", "fussball", "example.com", ""),
        ("fu\u00dfball@example.com", "fu\u00dfball", "example.com", ""),
        ("\u03c0@example.com", "\u03c0", "example.com", ""),
        ("\u03a3@example.com/foo", "\u03c3", "example.com", "foo"),
        ("joe@example\u3002com\u3002", "joe", "example.com", ""),
        ("joe@\u03b1\u3002\u03b2\u3002", "joe", "\u03b1.\u03b2", ""),
        ("king@example.com/\u265a", "king", "example.com", "\u265a"),
        ("example.com", "", "example.com", ""),
        ("example.com/foobar", "", "example.com", "foobar"),
        ("a.example.com/b@example.net", "", "a.example.com", "b@example.net"),
        ("Juliet@EXAMPLE.com/Foo", "juliet", "example.com", "Foo"),
        ("joe@127.0.0.1", "joe", "127.0.0.1", ""),
        ("joe@[::1]", "joe", "[::1]", ""),
        ("joe@b\u00fccher.example", "joe", "b\u00fccher.example", ""),
        ("joe@bu\u0308cher.example", "joe", "b\u00fccher.example", ""),
        ("joe@xn--bcher-kva.example", "joe", "b\u00fccher.example", ""),
        ("joe@XN--BCHER-KVA.Example./x", "joe", "b\u00fccher.example", "x"),
        ("joe@axn--b.example", "joe", "axn--b.example", ""),
        ("joe@example.com.", "joe", "example.com", ""),
    ],
)
def test_addresses_are_read_and_prepared(text: str, local: str, domain: str, resource: str) -> None:
    # RFC 7622 §3.5, table 1; §3.2.1: labels written in ASCII become U-labels; §3.2: a final dot is dropped
    jid = parse_jid(text)
    assert (jid.local, jid.domain, jid.resource) == (local, domain, resource)
    assert parse_jid(jid.full) == jid
    assert prepared_or_empty(text) == jid.full


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"juliet"@example.com',
        "foo bar@example.com",
        "juliet@example.com/",
        "@example.com/",
        "@example.com",
        "henry\u2163@example.com",
        "\u265a@example.com",
        "juliet@",
        "/foobar",
        "a@b@c",
        "a@-b",
        "a@b..c",
        "<a>@b",
        "a" * 1024 + "@b",
        "a@b/" + "c" * 1024,
        "x" * 10_000,
        "a@b/\x07",
        "a@\ufffd.example",
        "a@xn--a.example",
        "a@xn--.example",
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    # RFC 7622 §3.5, table 2
    with pytest.raises(BrokerError):
        parse_jid(text)
    assert prepared_or_empty(text) == ""


def test_bare_and_full_forms() -> None:
    jid = JID("joe", "localhost", "x")
    assert (jid.bare, jid.full, str(jid)) == ("joe@localhost", "joe@localhost/x", "joe@localhost/x")
    assert jid.to_bare() == JID("joe", "localhost")
    assert not jid.is_bare
    assert JID("", "localhost").bare == "localhost"


@given(
    st.text(max_size=60)
    | st.from_regex(r"(?:[a-z]@)?(?:[xX][nN]--)?[a-z0-9ü-]{1,8}\.(?:xn--)?[a-z-]{1,6}\.?", fullmatch=True)
)
def test_whatever_comes_is_an_address_or_refused_and_reading_it_again_changes_nothing(text: str) -> None:
    try:
        jid = parse_jid(text)
    except BrokerError:
        return
    assert parse_jid(jid.full) == jid


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=50))
def test_a_resource_of_ascii_is_what_its_profile_makes_of_it(text: str) -> None:
    assert prepare_resource(text) == get_profile("OpaqueString").enforce(text)


@pytest.mark.parametrize("text", ["tab\there", "\x7f", "x" * 1024])
def test_a_resource_of_ascii_is_refused_where_its_profile_or_its_length_says_so(text: str) -> None:
    with pytest.raises(BrokerError):
        prepare_resource(text)
