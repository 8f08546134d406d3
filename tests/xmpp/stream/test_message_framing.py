"""Elements that come one in a message (RFC 7395 §3.3)."""

from __future__ import annotations

import pytest

from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import StreamError
from broker.xmpp.stream.message_framing import CLOSE, END_OF_MESSAGE, MessageCutter, MessageFraming
from broker.xmpp.wire import ns

OPEN = f"<open xmlns='{ns.FRAMING}' to='localhost' version='1.0'/>".encode()
MESSAGE = b"<message xmlns='jabber:client' to='joe@localhost'><body>hi</body></message>"


@pytest.fixture
def allowed() -> list[int]:
    return []


@pytest.fixture
def framing(allowed: list[int]) -> MessageFraming:
    return MessageFraming("localhost", 1000, allowed.append)


def fed(framing: MessageFraming, *messages: bytes) -> list[object]:
    """The events of some messages that come at once."""
    events: list[object] = list(framing.feed(b"".join([each + END_OF_MESSAGE for each in messages])))
    while framing.has_more and framing.error is None:
        events += framing.feed()
    return events


def test_open_and_close_are_the_beginning_and_the_end_of_the_stream(framing: MessageFraming) -> None:
    start, end = fed(framing, OPEN, CLOSE)
    assert isinstance(start, StreamStart)
    assert (start.attributes["to"], start.namespace) == ("localhost", ns.CLIENT)
    assert isinstance(end, StreamEnd)


def test_a_stanza_stands_alone(framing: MessageFraming) -> None:
    (stanza,) = fed(framing, MESSAGE)
    assert isinstance(stanza, Stanza)
    assert (stanza.namespace, stanza.name, stanza.raw) == (ns.CLIENT, "message", MESSAGE)
    assert stanza.tree().text_of(ns.CLIENT, "body") == "hi"


def test_an_xml_declaration_before_an_element_is_passed_over(framing: MessageFraming) -> None:
    assert len(fed(framing, b"<?xml version='1.0'?>" + OPEN, b"<?xml version='1.0' encoding='utf-8'?>\n" + OPEN)) == 2


def test_one_message_is_read_at_a_time_until_all_may_be(framing: MessageFraming) -> None:
    data = (MESSAGE + END_OF_MESSAGE) * 3
    assert len(framing.feed(data)) == 1
    assert framing.unread
    framing.read_ahead()
    assert len(framing.feed()) == 2
    assert not framing.unread


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        (b"", "not-well-formed"),
        (b" ", "not-well-formed"),
        (b"hello", "not-well-formed"),
        (b" " + MESSAGE, "not-well-formed"),
        (MESSAGE + MESSAGE, "not-well-formed"),
        (MESSAGE + b"x", "not-well-formed"),
        (MESSAGE[:-3], "not-well-formed"),
        (b"<message xmlns='jabber:client'", "not-well-formed"),
        (b"<message xmlns='jabber:client'></iq>", "not-well-formed"),
        (b"<stream:features/>", "bad-namespace-prefix"),
        (b"</stream>", "not-well-formed"),
        (b"<!-- x -->", "restricted-xml"),
        (b"<!DOCTYPE a>", "not-well-formed"),
        (b"<a>&b;</a>", "restricted-xml"),
        (b"<a>" + b"x" * 1000 + b"</a>", "policy-violation"),
        (f"<other xmlns='{ns.FRAMING}'/>".encode(), "bad-format"),
    ],
)
def test_what_is_not_one_whole_element_breaks_the_stream_behind_what_came_before(
    framing: MessageFraming, message: bytes, condition: str
) -> None:
    assert len(fed(framing, MESSAGE, message)) == 1
    assert framing.error is not None
    assert framing.error.condition == condition
    with pytest.raises(StreamError):
        framing.feed(MESSAGE + END_OF_MESSAGE)


def test_a_new_limit_holds_for_the_messages_below_too(framing: MessageFraming, allowed: list[int]) -> None:
    framing.allow(2000)
    assert allowed == [2000]
    assert len(fed(framing, b"<a>" + b"x" * 1500 + b"</a>")) == 1


def test_what_is_written_stands_alone(framing: MessageFraming) -> None:
    written = framing.open("joe@localhost") + framing.features(b"<a xmlns='b'/>") + framing.fail("conflict", "gone")
    written += framing.close()
    names = []
    reader = MessageFraming("localhost", 1 << 20, lambda limit: None)
    reader.read_ahead()
    for message in MessageCutter().cut(written):
        (event,) = reader.feed(message + END_OF_MESSAGE)
        names.append((event.namespace, event.name) if isinstance(event, Stanza) else type(event).__name__)
    assert names == ["StreamStart", (ns.STREAM, "features"), (ns.STREAM, "error"), "StreamEnd"]


def test_an_error_before_the_stream_is_open_opens_it(framing: MessageFraming) -> None:
    opened, error = MessageCutter().cut(framing.fail("bad-format", "what?"))
    assert opened.startswith(b"<open ")
    assert error.startswith(b"<stream:error ")
    assert framing.close() == CLOSE


def test_a_stream_that_was_not_opened_is_not_closed(framing: MessageFraming) -> None:
    assert not framing.close()


@pytest.mark.parametrize(
    "written", [b"<presence/>", b"<presence>a b</presence>", b"<iq type='get'><a xmlns='b'/></iq>"]
)
def test_stanzas_get_their_namespace_and_one_message_each(written: bytes) -> None:
    messages = list(MessageCutter().cut(written * 2 + b"<r xmlns='urn:xmpp:sm:3'/>"))
    name = written[1:].partition(b" ")[0].partition(b"/")[0].partition(b">")[0]
    assert len(messages) == 3
    assert messages[0] == messages[1] == written.replace(name, name + b" xmlns='jabber:client'", 1)
    assert messages[2] == b"<r xmlns='urn:xmpp:sm:3'/>"
