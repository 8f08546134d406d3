"""Stanzas as they are cut from a stream."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError
from broker.xml.parse import MAX_NAME
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader

HEADER = b"<s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' xmlns:p='x'>"


def read(raw: bytes) -> Stanza:
    """A stanza of a stream."""
    (stanza,) = StreamReader(1 << 20, stepwise=False).feed(HEADER + raw)[1:]
    assert isinstance(stanza, Stanza)
    return stanza


TEXTS = [
    (b"<a/>", ""),
    (b"<a></a>", ""),
    (b"<a b='>'/>", ""),
    (b"<a b='>'>=</a>", "="),
    (b"<p:a> text\n</p:a >", " text\n"),
    ("<a>☃</a>".encode(), "☃"),
    (b"<a>one\r\ntwo</a>", "one\ntwo"),
    (b"<a>&lt;&#65;</a>", "<A"),
    (b"<a><![CDATA[<b>]]></a>", "<b>"),
    (b"<a>1<b>2</b>3<p:c/></a>", "13"),
]


@pytest.mark.parametrize(("raw", "text"), TEXTS)
def test_the_text_of_a_stanza_is_its_own_character_data(raw: bytes, text: str) -> None:
    assert read(raw).text == text


@pytest.mark.parametrize(("raw", "text"), TEXTS)
def test_the_text_of_a_stanza_is_that_of_its_tree(raw: bytes, text: str) -> None:
    stanza = read(raw)

    assert stanza.text == stanza.tree().text


def test_text_beside_what_a_tree_refuses_is_refused() -> None:
    name = b"n" * (MAX_NAME + 1)

    with pytest.raises(BrokerError):
        _ = read(b"<a>1<%b/></a>" % name).text
