"""Calls of XML-RPC by the bytes of real clients, and by those of nobody."""

from __future__ import annotations

import xmlrpc.client
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError
from broker.native.wire.xmlrpc import PIECE, MethodCall, Value, first_text, read_call, write_fault, write_response
from tests.data import CAPTURES

LIMIT = 1 << 20
BASIC = CAPTURES / "java-xmlrpc-basic"


def call(params: bytes, method: bytes = b"m") -> bytes:
    return b"<methodCall><methodName>%b</methodName><params>%b</params></methodCall>" % (method, params)


def value(data: bytes) -> Value:
    [found] = read_call(call(b"<param><value>%b</value></param>" % data), LIMIT).params
    return found


def body_of(connection: str, name: str = "c2s.bin") -> bytes:
    return (BASIC / connection / name).read_bytes().split(b"\r\n\r\n", 1)[1]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"plain ", "plain "),
        (b"", ""),
        (b"<string> as it is </string>", " as it is "),
        (b"\n <string>a</string>\n ", "a"),
        (b"<i4>007</i4>", "007"),
        (b"<int> 12 </int>", "12"),
        (b"<boolean>1</boolean>", "1"),
        (b"<double>1.50</double>", "1.50"),
        (b"<dateTime.iso8601>20261201T10:00:00</dateTime.iso8601>", "20261201T10:00:00"),
        (b"<base64>aGk=</base64>", b"hi"),
        (b"<base64>\naG\n k=\n</base64>", b"hi"),
        (b"<base64></base64>", b""),
        (b"<nil/>", None),
        (b"<ex:nil xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions'/>", None),
        (b"<array><data/></array>", []),
        (b"<array><data><value>a</value><value><i4>1</i4></value></data></array>", ["a", "1"]),
        (b"<struct><member><name>k</name><value>v</value></member></struct>", {"k": "v"}),
        (b"&lt;qos&gt;&amp;", "<qos>&"),
        ("äöü€".encode(), "äöü€"),
    ],
)
def test_values_keep_the_text_that_was_sent(data: bytes, wanted: Value) -> None:
    assert value(data) == wanted


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<methodCall/>",
        b"<methodCall><methodName/></methodCall>",
        b"<methodResponse/>",
        b"<methodCall><methodName>m</methodName>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + call(b""),
        b"<?xml-stylesheet href='a'?>" + call(b""),
        call(b"<value>a</value>"),
        call(b"<param><value><i4>1</i4><i4>2</i4></value></param>"),
        call(b"<param><value><float>1</float></value></param>"),
        call(b"<param><value><base64>a</base64></value></param>"),
        call("<param><value><base64>ä</base64></value></param>".encode()),
        call(b"<param><value>\xe4</value></param>"),
        call(b"<param><value>" + b"<array><data><value>" * 30 + b"</value></data></array>" * 30 + b"</value></param>"),
        call(b"<param><value/></param>" * 100_001),
        call(b"<param><value>" + b"x" * LIMIT + b"</value></param>"),
    ],
)
def test_what_is_no_call_is_refused(data: bytes) -> None:
    with pytest.raises(BrokerError) as caught:
        read_call(data, LIMIT * 4 if len(data) < LIMIT else LIMIT)
    assert str(caught.value.code) == "user.illegalArgument"


def test_a_long_call_is_read_in_pieces() -> None:
    content = bytes(range(256)) * 4096
    data = xmlrpc.client.dumps(("sid", "<key/>", content, "<qos/>"), "xmlBlaster.publish").encode()
    assert len(data) > 4 * PIECE
    assert read_call(data, len(data)) == MethodCall("xmlBlaster.publish", ("sid", "<key/>", content, "<qos/>"))


def test_recorded_connect_of_the_java_client() -> None:
    method, params = read_call(body_of("conn1"), LIMIT).method, read_call(body_of("conn1"), LIMIT).params
    assert (method, params[0]) == ("authenticate.connect", None)
    assert str(params[1]).lstrip().startswith("<qos>")


@pytest.mark.parametrize("connection", [f"conn{number}" for number in range(11)])
def test_every_recorded_call_is_read_as_the_library_of_python_reads_it(connection: str) -> None:
    params, method = xmlrpc.client.loads(body_of(connection), use_builtin_types=True)
    assert read_call(body_of(connection), LIMIT) == MethodCall(str(method), cast(tuple[Value, ...], params))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]))
values = st.recursive(
    texts | st.binary() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(st.tuples(values, values))
def test_calls_of_pythons_library_are_read(params: tuple[Value, Value]) -> None:
    data = xmlrpc.client.dumps(params, "a.b", allow_none=True)
    assert read_call(data.encode(), LIMIT) == MethodCall("a.b", params)


@given(values)
def test_answers_are_read_by_pythons_library(answer: Value) -> None:
    (found,), _ = xmlrpc.client.loads(write_response(answer), use_builtin_types=True)
    assert found == answer


@given(st.text())
def test_faults_are_read_by_pythons_library(text: str) -> None:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(write_fault(99, text))
    assert caught.value.faultCode == 99


def test_text_that_xml_cannot_hold_goes_as_base64() -> None:
    (found,), _ = xmlrpc.client.loads(write_response("a\0b"), use_builtin_types=True)
    assert found == b"a\0b"


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda data: call(b"<param><value>" + data)))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        read_call(data, LIMIT)
    except BrokerError as error:
        assert str(error.code) == "user.illegalArgument"


@pytest.mark.parametrize(
    ("beginning", "found"),
    [
        (body_of("conn2"), "sessionId:127.0.0.1-null-1795217730804-858242138-37"),
        (xmlrpc.client.dumps(("sid", "b"), "m").encode(), "sid"),
        (call(b"<param><value><i4>1</i4></value></param>"), ""),
        (b"<methodCall><methodName>m</methodName><params><param><value>si", ""),
        (b"", ""),
    ],
)
def test_the_first_parameter_is_found_before_the_call_is_complete(beginning: bytes, found: str) -> None:
    assert first_text(beginning) == found
