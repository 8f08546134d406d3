"""XML streams over TCP (RFC 6120 §4.2-§4.4)."""

from __future__ import annotations

import pytest

from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import Event, StreamReader
from broker.xmpp.stream.framing import Framing
from broker.xmpp.stream.tcp_framing import TcpFraming
from broker.xmpp.wire import ns
from broker.xmpp.wire.stanza import STREAM_END
from tests.xmpp.world import HEADER


@pytest.fixture
def framing() -> Framing:
    return TcpFraming("localhost", 1000)


def read(data: bytes) -> list[Event]:
    """What a client reads."""
    reader = StreamReader(1 << 20, stepwise=False)
    events = reader.feed(data)
    assert reader.error is None
    return events


class TestReading:
    def test_events_come_one_at_a_time_before_the_login(self, framing: Framing) -> None:
        assert [type(each) for each in framing.feed(HEADER + b"<a/><b/>")] == [StreamStart, Stanza]
        assert framing.unread
        assert [each.name for each in framing.feed() if isinstance(each, Stanza)] == ["b"]
        assert not framing.unread

    def test_all_events_come_at_once_when_no_other_stream_can_follow(self, framing: Framing) -> None:
        framing.feed(HEADER)
        framing.read_ahead()
        assert [type(each) for each in framing.feed(b"<a/><b/></stream:stream>")] == [Stanza, Stanza, StreamEnd]

    def test_another_stream_follows_after_a_restart(self, framing: Framing) -> None:
        framing.feed(HEADER + b"<a/>")
        framing.restart()
        assert [type(each) for each in framing.feed(HEADER)] == [StreamStart]

    def test_what_came_before_tls_is_forgotten(self, framing: Framing) -> None:
        framing.feed(HEADER + b"<starttls/><injected/>")
        framing.restart(discard=True)
        assert not framing.unread
        assert [type(each) for each in framing.feed(HEADER)] == [StreamStart]

    def test_the_longest_stanza_can_be_raised(self, framing: Framing) -> None:
        long = b"<a>%b</a>" % (b"x" * 2000)
        framing.feed(HEADER)
        framing.allow(3000)
        assert len(framing.feed(long)) == 1
        framing.allow(1000)
        framing.feed(long)
        assert framing.error is not None
        assert framing.error.condition == "policy-violation"


class TestWriting:
    def test_the_header_names_the_peer_and_an_id_that_nobody_can_guess(self, framing: Framing) -> None:
        (start,) = read(framing.open("joe@localhost"))
        assert isinstance(start, StreamStart)
        assert start.namespace == ns.CLIENT
        assert start.attributes["from"] == "localhost"
        assert start.attributes["to"] == "joe@localhost"
        assert len(start.attributes["id"]) == 16

    def test_a_long_name_of_the_peer_is_cut(self, framing: Framing) -> None:
        (start,) = read(framing.open("x" * 5000))
        assert isinstance(start, StreamStart)
        assert len(start.attributes["to"]) == 1024

    def test_the_end_is_written_only_behind_a_header(self, framing: Framing) -> None:
        assert framing.close() == b""
        framing.open()
        assert framing.close() == STREAM_END
        framing.restart()
        assert framing.close() == b""

    def test_an_error_comes_behind_a_header(self, framing: Framing) -> None:
        # RFC 6120 §4.9.1.2
        start, error, end = read(framing.fail("not-well-formed", "why", b"<more xmlns='x'/>") + framing.close())
        assert isinstance(start, StreamStart)
        assert isinstance(error, Stanza)
        assert error.child_names[0].endswith("not-well-formed")
        assert isinstance(end, StreamEnd)
        assert framing.fail("reset", "").startswith(b"<stream:error>")

    def test_features_and_elements_are_read_as_they_are(self, framing: Framing) -> None:
        written = [framing.open(), framing.features(b"<f xmlns='x'/>")]
        framing.sender(written.append)(b"<iq/><iq/>")
        events = read(b"".join(written))
        assert [each.name for each in events if isinstance(each, Stanza)] == ["features", "iq", "iq"]
