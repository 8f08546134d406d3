from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.xml.parse import MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, MAX_NAME, MAX_SIZE, parse

BILLION_LAUGHS = b"""<!DOCTYPE qos [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><qos>&b;</qos>"""


def refused(data: bytes) -> str:
    with pytest.raises(BrokerError) as caught:
        parse(data, "qos")
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT
    return caught.value.message


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (BILLION_LAUGHS, "document type declaration"),
        (b"<!DOCTYPE qos SYSTEM 'file:///etc/passwd'><qos/>", "document type declaration"),
        (b"<qos><?php x?></qos>", "processing instruction 'php'"),
        (b"<?xml-stylesheet href='x'?><qos/>", "processing instruction"),
        (b"<qos>&secret;</qos>", "undefined entity"),
        (b"<qos>", "not well-formed"),
        (b"<qos></sos>", "mismatched tag"),
        (b"<qos/><qos/>", "junk after document element"),
        (b"<qos a='1' a='2'/>", "duplicate attribute"),
        (b"<qos>\x01</qos>", "not well-formed"),
        (b"<qos>\xff</qos>", "not well-formed"),
        (b"<qos>\xed\xa0\x80</qos>", "not well-formed"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><qos>\xe4</qos>", "not well-formed"),
        (b"<qos>\0</qos>", "zero byte"),
        ("<qos/>".encode("utf-16"), "zero byte"),
        (b"<key/>", "expected <qos>, got <key>"),
        (b"", "no element found"),
    ],
)
def test_hostile_or_malformed_xml_is_refused_by_name(data: bytes, named: str) -> None:
    assert named in refused(data)


def test_a_document_may_be_as_long_as_the_limit_and_no_longer() -> None:
    fitting = b"<qos>%b</qos>" % (b"x" * (MAX_SIZE - 11))
    assert len(parse(fitting, "qos").text) == MAX_SIZE - 11
    assert str(MAX_SIZE) in refused(fitting + b" ")


def test_elements_may_be_nested_as_deep_as_the_limit_and_no_deeper() -> None:
    inner = MAX_DEPTH - 1
    parse(b"<qos>" + b"<a>" * inner + b"</a>" * inner + b"</qos>", "qos")
    assert "nested deeper" in refused(b"<qos>" + b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH + b"</qos>")


def test_elements_are_counted() -> None:
    assert len(parse(b"<qos>" + b"<a/>" * (MAX_ELEMENTS - 1) + b"</qos>", "qos").children) == MAX_ELEMENTS - 1
    assert "more than" in refused(b"<qos>" + b"<a/>" * MAX_ELEMENTS + b"</qos>")


def test_attributes_of_an_element_are_counted() -> None:
    def with_attributes(count: int) -> bytes:
        return b"<qos " + b" ".join(b"a%d='1'" % n for n in range(count)) + b"/>"

    assert len(parse(with_attributes(MAX_ATTRIBUTES), "qos").attributes) == MAX_ATTRIBUTES
    assert "attributes" in refused(with_attributes(MAX_ATTRIBUTES + 1))


@pytest.mark.parametrize("template", [b"<qos><%b/></qos>", b"<qos %b='1'/>"])
def test_names_are_as_long_as_the_limit_at_most(template: bytes) -> None:
    parse(template % (b"n" * MAX_NAME), "qos")
    assert "name of 257 characters" in refused(template % (b"n" * (MAX_NAME + 1)))


def test_names_of_elements_and_attributes_are_folded_to_lower_case() -> None:
    root = parse(b"<QOS><clientProperty NAME='A'/></QOS>", "qos")
    assert root.children[0].name == "clientproperty"
    assert root.children[0].attributes == {"name": "A"}


def test_text_is_an_elements_own_and_comments_are_ignored() -> None:
    root = parse(b"<qos>a<b>inner</b><!-- x -->c<![CDATA[<&]]>&amp;&#228;</qos>", "qos")
    assert root.text == "ac<&&ä"


def test_an_xml_declaration_and_a_byte_order_mark_are_accepted() -> None:
    assert parse(b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?><qos>x</qos>", "qos").text == "x"


@pytest.mark.parametrize(
    ("data", "markup"),
    [
        (b"<qos/>", b""),
        (b"<qos></qos>", b""),
        (b"<qos a='>' b=\"/>\" >\n <x y='1'/> </qos>", b"\n <x y='1'/> "),
        ("\ufeff<qos>ä<b/></qos >".encode(), "ä<b/>".encode()),
        (b"<!-- c --><qos><![CDATA[</qos>]]><!-- d --></qos>", b"<![CDATA[</qos>]]><!-- d -->"),
    ],
)
def test_markup_is_what_stands_between_the_tags_byte_for_byte(data: bytes, markup: bytes) -> None:
    assert parse(data, "qos").markup == markup
