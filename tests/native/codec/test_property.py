from __future__ import annotations

import pytest

from broker.errors import BrokerError
from broker.model.property import ClientProperty
from broker.native.codec import read_disconnect_qos
from broker.native.codec.property import write_properties


def read(xml: str) -> ClientProperty:
    (found,) = read_disconnect_qos(f"<qos>{xml}</qos>".encode()).properties
    return found


def test_a_plain_property_is_a_string() -> None:
    assert read("<clientProperty name='a'>b </clientProperty>") == ClientProperty("a", "b ")


def test_type_encoding_and_charset_are_kept() -> None:
    given = read(
        "<clientProperty name='a' type='int' encoding='BASE64' charset='windows-1252' size='3'>NQ==</clientProperty>"
    )
    assert given == ClientProperty("a", "NQ==", "int", "base64", "windows-1252")


def test_nested_xml_is_literal_text() -> None:
    given = read("<clientProperty name='xml'>ä <any a='&lt;'><nested/></any></clientProperty>")
    assert given.value == "ä <any a='&lt;'><nested/></any>"


def test_a_cdata_section_is_text() -> None:
    assert read("<clientProperty name='x'><![CDATA[<a>]]></clientProperty>").value == "<a>"


def test_an_empty_property_is_an_empty_string() -> None:
    assert read("<CLIENTPROPERTY Name='x'/>").value == ""


def test_a_name_may_be_empty() -> None:
    given = read("<clientProperty name=''></clientProperty>")
    assert given == ClientProperty("", "")
    assert write_properties([given]) == "<clientProperty name=''></clientProperty>"


def test_a_property_without_name_is_refused() -> None:
    with pytest.raises(BrokerError, match="needs the attribute name"):
        read("<clientProperty>x</clientProperty>")


def test_defaults_are_not_written() -> None:
    given = [ClientProperty("a", "1 < 2"), ClientProperty("b", "AA==", "byte[]", "base64", "utf-8")]
    assert write_properties(given) == (
        "<clientProperty name='a'>1 &lt; 2</clientProperty>"
        "<clientProperty name='b' type='byte[]' encoding='base64' charset='utf-8'>AA==</clientProperty>"
    )
