"""Cutting XML streams (RFC 6120 §4, §11)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import Event, StreamError, StreamReader

HEADER = (
    b"<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client'"
    b" xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
)
STANZAS = [
    b"<message/>",
    b"<message to='b@d' type='chat'><body>a &lt; b</body></message>",
    b"<iq id='1' type='get'><query xmlns='jabber:iq:roster'/></iq>",
    b"<presence><show c='>'/><x a=\"'>'\"></x></presence>",
    b"<message><body><![CDATA[<not>]]></body></message>",
    b"<message xmlns:p='urn:p'><p:a/><b xmlns='urn:b'><c/></b></message>",
    "<message><body>Grüße ☃ 𝄞</body></message>".encode(),
    b"<a\n b = 'c'\t></a >",
]


def read(reader: StreamReader, *chunks: bytes) -> list[Event]:
    """All events of these chunks, as a connection reads them."""
    found: list[Event] = []
    for chunk in chunks:
        events = reader.feed(chunk)
        while True:
            found += events
            if not events or reader.error is not None:
                break
            events = reader.feed()
        if reader.error is not None:
            break
    return found


def raws(events: list[Event]) -> list[bytes]:
    return [event.raw for event in events if isinstance(event, Stanza)]


def opened(**settings: int | bool) -> StreamReader:
    reader = StreamReader(settings.pop("max_stanza", 65536), **settings)  # type: ignore[arg-type]
    assert isinstance(read(reader, HEADER)[0], StreamStart)
    return reader


class TestGoodStreams:
    def test_the_header_tells_addresses_and_namespaces(self) -> None:
        (start,) = read(StreamReader(1000), HEADER)
        assert start == StreamStart(
            {"to": "localhost", "version": "1.0"},
            "jabber:client",
            {"stream": "http://etherx.jabber.org/streams"},
        )

    @pytest.mark.parametrize("stepwise", [True, False])
    @pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 10_000])
    def test_stanzas_come_out_as_they_were_sent_however_they_are_cut(self, size: int, stepwise: bool) -> None:
        data = HEADER + b" \n".join(STANZAS) + b"</stream:stream>"
        chunks = [data[i : i + size] for i in range(0, len(data), size)]
        events = read(StreamReader(65536, stepwise=stepwise), *chunks)
        assert raws(events) == STANZAS
        assert events[-1] == StreamEnd()

    @given(
        st.lists(st.sampled_from(STANZAS), max_size=6),
        st.lists(st.integers(0, 2000), max_size=30),
        st.booleans(),
    )
    def test_a_reader_that_rests_between_reads_gives_the_same(
        self, stanzas: list[bytes], cuts: list[int], stepwise: bool
    ) -> None:
        data = HEADER + b" ".join(stanzas) + b"</stream:stream>"
        points = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
        reader = StreamReader(65536, stepwise=stepwise)
        events: list[Event] = []
        for start, end in pairwise(points):
            events += read(reader, data[start:end])
            reader.rest()
        assert raws(events) == stanzas
        assert events[-1] == StreamEnd()

    def test_a_reader_that_rests_between_stanzas_has_no_parser(self) -> None:
        reader = opened(stepwise=False)
        read(reader, STANZAS[1])
        reader.rest()
        assert reader._expat is None

    @pytest.mark.parametrize("part", [b"<mess", b"<message><body>hello", b"<message to='a", b"<message>a</message><m"])
    def test_a_stanza_that_has_not_come_whole_is_incomplete(self, part: bytes) -> None:
        reader = opened(stepwise=False)
        read(reader, b"<message/> " + part)
        assert reader.incomplete == len(part[part.rindex(b"<m") :])

    @given(
        st.lists(st.sampled_from(STANZAS), max_size=6),
        st.lists(st.integers(0, 2000), max_size=30),
        st.booleans(),
    )
    def test_any_cut_gives_the_same(self, stanzas: list[bytes], cuts: list[int], stepwise: bool) -> None:
        data = HEADER + b"".join(stanzas) + b"</stream:stream>"
        points = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
        chunks = [data[a:b] for a, b in pairwise(points)]
        events = read(StreamReader(65536, stepwise=stepwise), *chunks)
        assert raws(events) == stanzas

    def test_a_complete_stanza_is_never_held_back(self) -> None:
        reader = opened(stepwise=False)
        for stanza in STANZAS:
            assert raws(reader.feed(stanza)) == [stanza]

    def test_white_space_between_stanzas_is_no_event(self) -> None:
        assert read(opened(), b" ", b"\n\n", b"\t") == []

    def test_a_long_stream_of_ever_new_names_keeps_nothing(self) -> None:
        reader = opened(stepwise=False)
        for start in range(0, 20_000, 100):
            data = b"".join(b"<n%d a%d='1'/>" % (i, i) for i in range(start, start + 100))
            assert len(raws(reader.feed(data))) == 100
        assert len(reader._names) < 2000

    def test_after_the_end_nothing_is_read(self) -> None:
        reader = opened()
        assert read(reader, b"</stream:stream><garbage") == [StreamEnd()]
        assert read(reader, b"<<<<") == []


class TestStanza:
    def stanza(self, data: bytes) -> Stanza:
        (stanza,) = read(opened(), data)
        assert isinstance(stanza, Stanza)
        return stanza

    @pytest.mark.parametrize("language", ["de", "de-CH", "zh-Hant-TW"])
    def test_one_that_names_no_language_is_in_that_of_its_stream(self, language: str) -> None:
        # RFC 6120 §4.7.4, §8.1.5
        header = HEADER.replace(b" to=", f" xml:lang='{language}' to=".encode())
        _, silent, own = read(StreamReader(1000), header, b"<message/><message xml:lang='fr'/>")
        assert isinstance(silent, Stanza)
        assert isinstance(own, Stanza)
        assert silent.language == f" xml:lang='{language}'".encode()
        assert own.language == b""

    @pytest.mark.parametrize("language", ["", "x" * 9, "de_CH", "a'b", "-", "de-" * 20 + "x"])
    def test_what_is_no_language_of_a_stream_is_added_to_nothing(self, language: str) -> None:
        header = HEADER.replace(b" to=", f' xml:lang="{language}" to='.encode())
        _, message = read(StreamReader(1000), header, b"<message/>")
        assert isinstance(message, Stanza)
        assert message.language == b""

    def test_names_and_attributes_are_known(self) -> None:
        stanza = self.stanza(
            b"<iq type='get' id='1' xml:lang='en' xmlns:q='urn:q' q:a='b'><x:y xmlns:x='urn:x'/><z/></iq>"
        )
        assert (stanza.namespace, stanza.name) == ("jabber:client", "iq")
        assert stanza.attributes == {"type": "get", "id": "1", "xml:lang": "en", "{urn:q}a": "b"}
        assert stanza.first == ("urn:x", "y")
        assert stanza.children == (("urn:x", "y"), ("jabber:client", "z"))

    def test_the_content_is_what_stands_between_the_tags(self) -> None:
        assert self.stanza(b"<message to='a'>x<b/>y</message>").inner == b"x<b/>y"
        assert self.stanza(b"<message to='a>b'/>").inner == b""

    def test_the_content_declares_what_it_needs_of_the_header(self) -> None:
        header = HEADER[:-1] + b" xmlns:f='urn:f'>"
        reader = StreamReader(1000)
        (_, stanza) = read(reader, header + b"<message><f:x a='f:y'/></message>")
        assert isinstance(stanza, Stanza)
        assert stanza.inner == b"<f:x xmlns:f='urn:f' a='f:y'/>"

    def test_the_content_declares_what_it_needs_of_the_stanza(self) -> None:
        stanza = self.stanza(b"<message xmlns:f='urn:f'><f:x/></message>")
        assert stanza.inner == b"<f:x xmlns:f='urn:f'/>"

    def test_its_tree_has_everything(self) -> None:
        tree = self.stanza(b"<message to='a'><body>1 &lt; 2</body></message>").tree()
        assert tree.text_of("jabber:client", "body") == "1 < 2"


class TestRestarts:
    def test_what_is_pipelined_behind_an_element_is_for_the_next_stream(self) -> None:
        # spec xmpp §1.9 case 36
        reader = StreamReader(1000)
        events = reader.feed(HEADER + b"<auth xmlns='urn:sasl'/>" + HEADER + b"<resume xmlns='urn:sm'/>")
        assert [type(event) for event in events] == [StreamStart, Stanza]
        reader.restart()
        events = read(reader)
        events += read(reader, b"")
        assert [type(event) for event in events] == [StreamStart, Stanza]

    @pytest.mark.parametrize("size", [1, 3, 1000])
    @pytest.mark.parametrize("blank", [b" ", b"\n", b"\r\n \t"])
    def test_white_space_before_a_header_is_skipped(self, blank: bytes, size: int) -> None:
        # Clients that end each element with a line break send it behind their last SASL element, too.
        data = blank + HEADER + b"<auth xmlns='urn:sasl'/>" + blank + HEADER + b"<a/>"
        reader = StreamReader(1000)
        found: list[Event] = []
        for chunk in (data[i : i + size] for i in range(0, len(data), size)):
            events = reader.feed(chunk)
            while events:
                found += events
                if isinstance(events[-1], Stanza) and events[-1].name == "auth":
                    reader.restart()
                events = reader.feed()
        assert reader.error is None
        assert [type(event) for event in found] == [StreamStart, Stanza, StreamStart, Stanza]

    def test_what_came_before_tls_is_forgotten(self) -> None:
        reader = StreamReader(1000)
        reader.feed(HEADER + b"<starttls xmlns='urn:tls'/>" + HEADER + b"<auth xmlns='urn:injected'/>")
        assert reader.unread
        reader.restart(discard=True)
        assert read(reader, HEADER + b"<a/>")[1].raw == b"<a/>"  # type: ignore[union-attr]


class TestBrokenStreams:
    @pytest.mark.parametrize("size", [1, 50, 1000])
    def test_a_zero_byte_behind_the_header_does_not_cost_the_header(self, size: int) -> None:
        data = HEADER + b"<message>\0</message>"
        reader = StreamReader(1000)
        events = read(reader, *(data[i : i + size] for i in range(0, len(data), size)))
        assert isinstance(events[0], StreamStart)
        assert reader.error is not None
        assert reader.error.condition == "not-well-formed"

    @pytest.mark.parametrize(
        ("data", "condition"),
        [
            (b"<!-- hello -->", "restricted-xml"),
            (b"<?pi?>", "restricted-xml"),
            (b"<a><!-- hello --></a>", "restricted-xml"),
            (b"<a>&unknown;</a>", "restricted-xml"),
            (b"<a></b>", "not-well-formed"),
            (b"<a b='1' b='2'/>", "not-well-formed"),
            (b"<a b=1/>", "not-well-formed"),
            (b"<p:a/>", "bad-namespace-prefix"),
            (b"hello<a/>", "bad-format"),
            (b"&lt;<a/>", "bad-format"),
            (b"<a>" * 100, "policy-violation"),
            (b"<a " + b" ".join(b"b%d=''" % i for i in range(100)) + b"/>", "policy-violation"),
            (b"<a b='" + b"x" * 70_000, "policy-violation"),
            (b"<a>" + b"x" * 70_000 + b"</a>", "policy-violation"),
            (b"<a>\xff\xfe</a>", "not-well-formed"),
        ],
    )
    @pytest.mark.parametrize("size", [1, 1000, 100_000])
    def test_each_violation_has_its_condition(self, data: bytes, condition: str, size: int) -> None:
        # RFC 6120 §4.9.3, §11.1
        reader = opened()
        read(reader, *(data[i : i + size] for i in range(0, len(data), size)))
        assert reader.error is not None
        assert reader.error.condition == condition

    @pytest.mark.parametrize(
        ("header", "condition"),
        [
            (b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + HEADER[21:], "restricted-xml"),
            (HEADER.replace(b"http://etherx.jabber.org/streams", b"urn:other"), "invalid-namespace"),
            (HEADER.replace(b"<stream:stream", b"<stream:strom"), "bad-format"),
            (b"<?xml version='1.0' encoding='iso-8859-1'?>" + HEADER[21:], "unsupported-encoding"),
            (HEADER.decode().encode("utf-16"), "unsupported-encoding"),
            (b"GET / HTTP/1.1\r\n\r\n>", "not-well-formed"),
            (b" \n<!DOCTYPE x [<!ENTITY a 'b'>]>" + HEADER[21:], "restricted-xml"),
            (b" x" + HEADER, "not-well-formed"),
            (b"x" * 70_000, "policy-violation"),
        ],
    )
    def test_so_have_broken_headers(self, header: bytes, condition: str) -> None:
        reader = StreamReader(65536)
        read(reader, header)
        assert reader.error is not None
        assert reader.error.condition == condition

    def test_stanzas_before_a_violation_are_not_lost(self) -> None:
        reader = opened(stepwise=False)
        assert raws(reader.feed(b"<a/><b/><c></d>")) == [b"<a/>", b"<b/>"]
        assert reader.error is not None

    def test_a_broken_stream_stays_broken(self) -> None:
        reader = opened()
        read(reader, b"<a></b>")
        with pytest.raises(StreamError):
            reader.feed(b"<a/>")

    def test_a_stanza_may_be_as_long_as_is_allowed_and_no_longer(self) -> None:
        stanza = b"<a>" + b"x" * 993 + b"</a>"
        assert raws(read(opened(max_stanza=1000), stanza)) == [stanza]
        reader = opened(max_stanza=999)
        assert raws(read(reader, stanza)) == []
        assert reader.error is not None

    @given(st.binary(max_size=300), st.integers(1, 20))
    def test_whatever_comes_is_an_event_or_an_error(self, data: bytes, size: int) -> None:
        reader = opened(max_stanza=200)
        read(reader, *(data[i : i + size] for i in range(0, len(data), size)))
        assert reader.error is None or reader.error.condition


def test_a_header_keeps_its_tag_as_it_came() -> None:
    tag = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'\r\n to='a>b'>"
    (start,) = StreamReader(1000).feed(b"<?xml version='1.0'?>\n" + tag)
    assert isinstance(start, StreamStart)
    assert start.raw == tag


@pytest.mark.parametrize("stepwise", [True, False])
def test_a_stanza_that_was_begun_can_be_forgotten(stepwise: bool) -> None:
    reader = StreamReader(1000, stepwise=stepwise)
    reader.feed(b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><a>1</a>")
    reader.feed(b"<b><c>")
    reader.drop_incomplete()
    (stanza,) = reader.feed(b"<d/>")
    assert isinstance(stanza, Stanza)
    assert (stanza.namespace, stanza.name, stanza.raw) == ("jabber:client", "d", b"<d/>")
