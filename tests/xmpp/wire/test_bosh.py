"""The wrapper of BOSH, read and written (XEP-0124 §6)."""

from __future__ import annotations

import pytest

from broker.xmpp.wire import ns
from broker.xmpp.wire.bosh import MAX_PAYLOADS, MAX_RID, BadBody, read_body, write_body


def body(attributes: str = "rid='7' sid='s'", content: str = "") -> bytes:
    return f"<body xmlns='{ns.BOSH}' xmlns:xmpp='{ns.XBOSH}' {attributes}>{content}</body>".encode()


def test_a_body_is_its_attributes_and_its_elements_as_they_came() -> None:
    read = read_body(body("rid='7' sid='s' xmpp:restart='true'", " <a xmlns='b'>x &amp; y</a>\n<c><body/></c>"))
    assert (read.rid, read.sid, read.is_restart) == (7, "s", True)
    assert list(read.payloads) == [b"<a xmlns='b'>x &amp; y</a>", b"<c><body/></c>"]


@pytest.mark.parametrize("data", [body(), b"<?xml version='1.0'?>\n" + body(), b"\n" + body() + b"\n"])
def test_white_space_and_a_declaration_around_it_are_passed_over(data: bytes) -> None:
    assert read_body(data).rid == 7


def test_an_empty_element_has_no_payload() -> None:
    read = read_body(f"<body xmlns='{ns.BOSH}' rid='1'/>".encode())
    assert (list(read.payloads), read.sid, read.pause, read.is_end) == ([], "", None, False)


def test_its_numbers_are_those_that_can_be_one() -> None:
    read = read_body(body("rid='1' pause='12' wait='-1' hold='x' ack=''"))
    assert (read.pause, read.number("wait"), read.number("hold"), read.number("ack")) == (12, None, None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<body/>",
        b"<body xmlns='elsewhere' rid='1'/>",
        f"<other xmlns='{ns.BOSH}' rid='1'/>".encode(),
        f"<body xmlns='{ns.BOSH}'/>".encode(),
        body("rid='-1'"),
        body("rid='x'"),
        body("rid='٣'"),
        body(f"rid='{MAX_RID + 1}'"),
        body()[:-1],
        body() + b"x",
        body() + body(),
        body(content="<a>"),
        body(content="<a></b>"),
        body(content="<!-- x -->"),
        body(content="<?x y?>"),
        body(content="&x;"),
        b"<!DOCTYPE body [<!ENTITY x 'y'>]>" + body(),
        body(content="<a/>" * (MAX_PAYLOADS + 1)),
        body("rid='1' " + " ".join([f"a{number}='{'x' * 100}'" for number in range(100)])),
        body(f"rid='1' sid='{'x' * 1000}'"),
        b"\xff" + body(),
    ],
)
def test_what_is_no_body_is_refused(data: bytes) -> None:
    with pytest.raises(BadBody):
        read_body(data)


def test_what_is_written_is_read_again() -> None:
    written = write_body({"rid": 7, "sid": "a'b<", "xmpp:version": "1.0"}, b"<stream:features/>")
    read = read_body(written)
    assert read.attributes == {"rid": "7", "sid": "a'b<", "xmpp:version": "1.0"}
    assert list(read.payloads) == [b"<stream:features/>"]
