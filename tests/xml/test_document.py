from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.model.key import Key
from broker.xml.document import MAX_NAMESPACE, MAX_TOPIC_ELEMENTS, parse_content, topic_document
from broker.xml.names import UNKNOWN, NameBudget, NameLimits
from broker.xml.xpath import compile_predicate


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
def test_meta_data_that_cannot_be_searched_is_refused(meta: bytes) -> None:
    with pytest.raises(BrokerError) as caught:
        topic_document(Key("a", meta=meta))
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT


class TestUsedUpBudget:
    """What one client has used up costs others nothing but the view of names that nobody can ask for."""

    @pytest.fixture
    def budget(self) -> NameBudget:
        budget = NameBudget(NameLimits(8))  # four of documents, two namespaces
        parse_content(b"<known p='' xmlns:p='urn:1' xmlns:q='urn:2'/>", budget)
        return budget

    def test_new_names_stand_for_each_other(self, budget: NameBudget) -> None:
        root = parse_content(b"<known><last/><fresh new=''><known/></fresh></known>", budget).root
        assert [element.tag for element in root.iter()] == ["known", "last", UNKNOWN, "known"]
        assert dict(root[1].attrib) == {UNKNOWN: ""}

    def test_so_expressions_find_what_they_name_and_nothing_else(self, budget: NameBudget) -> None:
        asked = compile_predicate("//asked[@oid]", budget)
        key = topic_document(Key("a", meta=b"<fresh/><asked oid=''/>"), budget)
        assert asked.matches(key)
        assert not asked.matches(topic_document(Key("a", meta=b"<fresh oid=''/>"), budget))
        assert compile_predicate("//key[@oid = 'a']/*", budget).matches(key)

    def test_what_stands_for_them_cannot_be_named(self, budget: NameBudget) -> None:
        with pytest.raises(BrokerError) as caught:
            compile_predicate(f"//{UNKNOWN}", budget)
        assert caught.value.code is Code.USER_QUERY_INVALID

    def test_new_prefixes_stand_for_nothing(self, budget: NameBudget) -> None:
        parse_content(b"<last/>", budget)
        document = parse_content(b"<n:known xmlns:n='urn:1' xmlns:p='urn:2'/>", budget)
        assert document.prefixes == {"p": "urn:2"}
        assert document.root.tag == "{urn:1}known"

    def test_new_namespaces_are_refused(self, budget: NameBudget) -> None:
        for content in (b"<known xmlns='urn:fresh'/>", b"<known xmlns:p='urn:fresh'/>"):
            with pytest.raises(BrokerError) as caught:
                parse_content(content, budget)
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
