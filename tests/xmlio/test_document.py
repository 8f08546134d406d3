from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.model.key import Key
from broker.xmlio import NameBudget, compile_predicate, parse_content, topic_document
from broker.xmlio.document import MAX_NAMESPACE, MAX_TOPIC_ELEMENTS


def test_a_topic_is_the_only_key_of_its_virtual_document() -> None:
    root = topic_document(Key("a'b", "text/xml", "1.0", "D", b"\n<STOCK id='7'>x</STOCK>\n")).root
    (key,) = root
    (stock,) = key
    assert (root.tag, key.tag, stock.tag, stock.text) == ("xmlBlaster", "key", "STOCK", "x")
    assert dict(key.attrib) == {"oid": "a'b", "contentMime": "text/xml", "contentMimeExtended": "1.0", "domain": "D"}


def test_attributes_that_a_key_does_not_have_are_left_out() -> None:
    assert dict(topic_document(Key("a")).root[0].attrib) == {"oid": "a", "contentMime": "text/plain"}


@pytest.mark.parametrize(
    "meta",
    [
        b"<a>",
        b"</key><key>",
        b"<p:a/>",
        b"<?pi?>",
        b"<a xmlns:p='a b'/>",
        b"<a xmlns:p='%b'/>" % (b"u" * (MAX_NAMESPACE + 1)),
        b"<a xmlns:%b='u'/>" % (b"p" * 257),
        b"<a/>" * MAX_TOPIC_ELEMENTS,
        b"<a>" * 60 + b"x" * 20_000 + b"</a>" * 60,
    ],
)
def test_meta_data_that_can_not_be_searched_is_refused(meta: bytes) -> None:
    with pytest.raises(BrokerError) as caught:
        topic_document(Key("a", meta=meta))
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT


def test_new_names_are_refused_when_the_budget_is_used_up() -> None:
    budget = NameBudget(4)  # key, oid, contentMime and one more
    topic_document(Key("a", meta=b"<known/>"), budget)
    topic_document(Key("b", meta=b"<known/>"), budget)
    for meta in (b"<fresh/>", b"<known fresh=''/>", b"<known xmlns='urn:fresh'/>", b"<known xmlns:fresh='known'/>"):
        with pytest.raises(BrokerError) as caught:
            topic_document(Key("c", meta=meta), budget)
        assert caught.value.code is Code.RESOURCE_EXHAUST


def test_a_content_knows_its_namespaces_and_its_size() -> None:
    document = parse_content(b"<a xmlns='urn:d' xmlns:p='urn:p'><p:b xml:lang='de'>xy</p:b><c xmlns=''/></a>")
    assert [element.tag for element in document.root.iter()] == ["{urn:d}a", "{urn:p}b", "c"]
    assert document.prefixes == {"p": "urn:p"}
    assert (document.elements, document.cost) == (3, 3 + 2 * len("xy"))


@pytest.mark.parametrize("data", [b"", b"not XML", b"<!DOCTYPE a><a/>", b"<a>&x;</a>", b"\xff", b"<a/>x"])
def test_a_content_that_is_not_plain_xml_is_refused(data: bytes) -> None:
    with pytest.raises(BrokerError) as caught:
        parse_content(data)
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT


def test_character_data_of_a_content_is_complete() -> None:
    document = parse_content(b"<a>one<!-- c --><![CDATA[<two>]]>&lt;<b/>three</a>")
    assert compile_predicate("string(/a) = 'one<two><three'").matches(document)
