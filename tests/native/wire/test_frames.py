from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.native.wire.frames import (
    MAX_HEADER,
    Frame,
    FrameError,
    FrameReader,
    FrameTooLong,
    Kind,
    Unit,
    encode_frame,
    encode_invocations,
    encode_unit,
    encode_units,
)
from tests.data import CAPTURES
from tests.native.wire.captures import stream_id, streams

MAX_FRAME = 1024 * 1024
I, R, E = Kind.INVOKE, Kind.RESPONSE, Kind.EXCEPTION  # noqa: E741  the letters of the specification


def wire(text: str) -> bytes:
    """The notation of the specification: ``*`` is a NUL."""
    return text.replace("*", "\0").encode()


def read(data: bytes, max_frame: int = MAX_FRAME) -> list[Frame]:
    reader = FrameReader(max_frame)
    frames = reader.feed(data)
    assert reader.error is None
    return frames


def error_of(data: bytes, max_frame: int = MAX_FRAME) -> FrameError:
    reader = FrameReader(max_frame)
    reader.feed(data)
    assert reader.error is not None
    return reader.error


def frame_of(body: bytes) -> Frame:
    return Frame(I, b"1", b"publish", b"", body)


CONNECT_QOS = (
    b"<qos><securityService type='htpasswd' version='1.0'><![CDATA[<user>joe</user><passwd>secret</passwd>]]>"
    b"</securityService></qos>"
)
OK_QOS = b"<qos><state id='OK'/></qos>"

# xmlblaster §20.1, byte examples: (wire, header, units, whether a writer makes the same bytes from them)
EXAMPLES = [
    (
        "        83**I**17711*publish*oxf6hZs**<qos></qos>*<key oid='hello'/>*11*Hello world",
        (I, b"7711", b"publish", b"oxf6hZs"),
        [Unit(b"<qos></qos>", b"<key oid='hello'/>", b"Hello world")],
        True,
    ),
    ("        48**R**17711*publish*oxf6hZs**<qos/>**0*", (R, b"7711", b"publish", b"oxf6hZs"), [Unit(b"<qos/>")], True),
    (
        "        70**I**17711*get*oxf6hZs**<qos></qos>*<key oid='ooo'></key>*0*",
        (I, b"7711", b"get", b"oxf6hZs"),
        [Unit(b"<qos></qos>", b"<key oid='ooo'></key>")],
        True,
    ),
    ("        34**I**17711*get*oxf6hZs**", (I, b"7711", b"get", b"oxf6hZs"), [], True),
    (
        "        81**R**17711*get***<qos></qos>*<key oid='hello'/>*20*Hello world response",
        (R, b"7711", b"get", b""),
        [Unit(b"<qos></qos>", b"<key oid='hello'/>", b"Hello world response")],
        True,
    ),
    (
        "        60**R**17711*erase***<qos><state id='OK'/></qos>**0*",
        (R, b"7711", b"erase", b""),
        [Unit(OK_QOS)],
        True,
    ),
    (
        "       100**I**17711*publish*oxf6hZs**<qos/>*<key oid='x1'/>*6*Hello1<qos/>*<key oid='x2'/>*6*Hello2",
        (I, b"7711", b"publish", b"oxf6hZs"),
        [Unit(b"<qos/>", b"<key oid='x1'/>", b"Hello1"), Unit(b"<qos/>", b"<key oid='x2'/>", b"Hello2")],
        True,
    ),
    (
        "        84**E**17711*publish*oxf6hZs**QueueOverflow*The destination queue is full*0*",
        (E, b"7711", b"publish", b"oxf6hZs"),
        [Unit(b"QueueOverflow", b"The destination queue is full")],
        True,
    ),
    ("        25**I**11*ping***", (I, b"1", b"ping", b""), [], True),
    ("        35**I**11*ping***<qos/>**0*", (I, b"1", b"ping", b""), [Unit(b"<qos/>")], True),
    ("        56**R**11*ping***<qos><state id='OK'/></qos>**0*", (R, b"1", b"ping", b""), [Unit(OK_QOS)], True),
    (
        f"       159**I**11*connect***{CONNECT_QOS.decode()}**0*",
        (I, b"1", b"connect", b""),
        [Unit(CONNECT_QOS)],
        True,
    ),
    (
        "        92**I**15*update*cb1**<qos><subscribe id='__subId:1'/></qos>*<key oid='Hello'/>*2*Hi",
        (I, b"5", b"update", b"cb1"),
        [Unit(b"<qos><subscribe id='__subId:1'/></qos>", b"<key oid='Hello'/>", b"Hi")],
        True,
    ),
    (
        "        61**R**15*update*cb1**<qos><state id='OK'/></qos>**0*",
        (R, b"5", b"update", b"cb1"),
        [Unit(OK_QOS)],
        True,
    ),
    ("        43**I**13*disconnect*s1**<qos/>**0*", (I, b"3", b"disconnect", b"s1"), [Unit(b"<qos/>")], True),
    ("        10", (I, b"", b"ping", b""), [], False),
]


@pytest.mark.parametrize(("text", "header", "units", "_canonical"), EXAMPLES)
def test_an_example_of_the_specification_is_read(
    text: str, header: tuple[Kind, bytes, bytes, bytes], units: list[Unit], _canonical: bool
) -> None:
    [frame] = read(wire(text))

    assert (frame.kind, frame.request_id, frame.method, frame.session) == header
    assert frame.units() == units


@pytest.mark.parametrize(("text", "header", "units"), [example[:3] for example in EXAMPLES if example[3]])
def test_an_example_of_the_specification_is_written_byte_by_byte(
    text: str, header: tuple[Kind, bytes, bytes, bytes], units: list[Unit]
) -> None:
    assert encode_frame(*header, encode_units(units)) == wire(text)


def test_the_first_example_of_the_specification_in_hex() -> None:
    expected = bytes.fromhex(
        "20 20 20 20 20 20 20 20 38 33 00 00 49 00 00 31 37 37 31 31 00 70 75 62 6C 69 73 68 00 6F 78 66 36 68 5A 73 00"
        "00 3C 71 6F 73 3E 3C 2F 71 6F 73 3E 00 3C 6B 65 79 20 6F 69 64 3D 27 68 65 6C 6C 6F 27 2F 3E 00 31 31 00 48 65"
        "6C 6C 6F 20 77 6F 72 6C 64"
    )

    unit = encode_unit(b"<qos></qos>", b"<key oid='hello'/>", b"Hello world")

    assert encode_frame(I, b"7711", b"publish", b"oxf6hZs", unit) == expected


class TestCaptures:
    @pytest.mark.parametrize("path", streams(), ids=stream_id)
    def test_a_recorded_stream_is_read_to_its_end_and_written_again_byte_by_byte(self, path: Path) -> None:
        data = path.read_bytes()

        frames = read(data)

        written = [encode_frame(*frame[:4], encode_units(frame.units())) for frame in frames]
        bare_ping = encode_frame(I, b"", b"ping", b"", b"")
        assert b"".join(b"        10" if frame == bare_ping else frame for frame in written) == data

    @pytest.mark.parametrize("path", streams(), ids=stream_id)
    def test_a_recorded_stream_that_arrives_byte_by_byte_has_the_same_frames(self, path: Path) -> None:
        data = path.read_bytes()
        reader = FrameReader(MAX_FRAME)

        frames = [frame for at in range(len(data)) for frame in reader.feed(data[at : at + 1])]

        assert frames == read(data)

    @pytest.mark.parametrize("path", streams(), ids=stream_id)
    def test_a_recorded_stream_that_is_split_at_any_byte_has_the_same_frames(self, path: Path) -> None:
        data = path.read_bytes()
        frames = read(data)

        for cut in range(len(data)):
            reader = FrameReader(MAX_FRAME)
            assert reader.feed(data[:cut]) + reader.feed(data[cut:]) == frames

    def test_what_the_reference_server_answers_with_a_reset_is_an_error(self) -> None:
        probes = CAPTURES / "raw-probes-wire"

        assert "is no number (at byte 0)" in str(error_of((probes / "conn3" / "c2s.bin").read_bytes()))
        assert "too small" in str(error_of((probes / "conn4" / "c2s.bin").read_bytes()))


class TestLengthField:
    @pytest.mark.parametrize("field", [b"        25", b"25        ", b"   25     ", b"0000000025", b"\t     25\r\n"])
    def test_padding_may_be_on_either_side(self, field: bytes) -> None:
        [frame] = read(field + wire("**I**11*ping***"))

        assert frame == Frame(I, b"1", b"ping", b"", b"")

    @pytest.mark.parametrize(
        "field",
        [
            b"          ",
            b"       -25",
            b"       +25",
            b"       2_5",
            b"      0x19",
            b"       2 5",
            b"      25.0",
            b"       1e2",
            b"\0\0\0\0\0\0\0\x0025",
            b"       \xb2\xb3\xb9",
            "      ٢٥".encode(),
            b"GET / HTTP",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03",
        ],
    )
    def test_anything_but_digits_is_an_error(self, field: bytes) -> None:
        assert "is no number" in str(error_of(field + wire("**I**11*ping***")))

    @pytest.mark.parametrize("length", [*range(10), *range(11, 20)])
    def test_a_length_that_has_no_room_for_a_header_is_an_error(self, length: int) -> None:
        assert "too small" in str(error_of(b"%10d" % length + bytes(30)))

    def test_the_shortest_frame_has_empty_header_fields_only(self) -> None:
        assert read(wire("        20**I**1****")) == [Frame(I, b"", b"", b"", b"")]

    def test_it_is_known_only_when_it_is_complete(self) -> None:
        reader = FrameReader(MAX_FRAME)

        assert reader.feed(b"         ") == []
        assert reader.error is None


class TestMaximum:
    def test_a_frame_of_the_greatest_length_is_read(self) -> None:
        data = encode_frame(I, b"1", b"publish", b"", encode_unit(b"", b"", bytes(1000)))

        assert len(read(data, max_frame=len(data))) == 1

    def test_a_longer_one_is_an_error(self) -> None:
        data = encode_frame(I, b"1", b"publish", b"", encode_unit(b"", b"", bytes(1000)))

        assert "exceeds the maximum" in str(error_of(data, max_frame=len(data) - 1))

    @pytest.mark.parametrize("chunk", [1, 10])
    def test_a_longer_one_is_an_error_as_soon_as_its_length_is_there(self, chunk: int) -> None:
        reader = FrameReader(MAX_FRAME)
        field = b"9999999999"

        for at in range(0, len(field), chunk):
            assert reader.error is None
            reader.feed(field[at : at + chunk])

        assert "exceeds the maximum" in str(reader.error)

    @pytest.mark.parametrize("before", [b"", b"        10", b"    "])
    def test_the_error_names_the_request_that_is_too_long(self, before: bytes) -> None:
        reader = FrameReader(100)
        long = encode_frame(I, b"7", b"publish", b"secret", encode_unit(b"", b"", bytes(1000)))
        if before.strip():
            assert len(reader.feed(before)) == 1
        else:
            reader.feed(long[: len(before)])
            long = long[len(before) :]

        reader.feed(long)

        assert isinstance(reader.error, FrameTooLong)
        assert reader.error.header == Frame(I, b"7", b"publish", b"secret", b"")

    def test_it_may_be_raised_between_two_frames(self) -> None:
        small = encode_frame(I, b"1", b"connect", b"", b"")
        large = encode_frame(I, b"2", b"publish", b"", encode_unit(b"", b"", bytes(1000)))
        reader = FrameReader(len(small))
        reader.feed(small)

        reader.max_frame = len(large)

        assert [frame.request_id for frame in reader.feed(large)] == [b"2"]

    def test_the_header_has_a_maximum_of_its_own(self) -> None:
        request_id = b"x" * (MAX_HEADER - len("*ping***") + 1)
        body = bytes(100)

        assert "lacks its NULs" in str(error_of(encode_frame(I, request_id, b"ping", b"", body)))
        assert len(read(encode_frame(I, request_id[1:], b"ping", b"", body))) == 1


class TestHeader:
    @pytest.mark.parametrize("flag", [b"\0", b"i", b"X", b"\xff"])
    def test_another_type_than_invoke_response_exception_is_an_error(self, flag: bytes) -> None:
        data = b"        25\0\0" + flag + wire("**11*ping***")

        error = error_of(data)

        assert "frame type" in error.message
        assert error.offset == 12

    @pytest.mark.parametrize(
        "flags", [b"A\0I\0\x001", b"\0ZI\0\x001", b"\0\0I\0\x002", b"\0\0I\0\0\0", b"AZIxy9", b"  I   "]
    )
    def test_other_flags_say_nothing(self, flags: bytes) -> None:
        assert read(b"        25" + flags + wire("1*ping***")) == [Frame(I, b"1", b"ping", b"", b"")]

    @pytest.mark.parametrize("text", ["xxxx", "1*ping", "1*ping*", "1*ping**"])
    def test_fewer_than_four_terminated_fields_are_an_error(self, text: str) -> None:
        rest = wire("**I**1" + text.ljust(8, "x"))

        error = error_of(b"%10d" % (10 + len(rest)) + rest)

        assert "lacks its NULs" in error.message
        assert error.offset == 16

    def test_fields_do_not_reach_into_the_next_frame(self) -> None:
        assert "lacks its NULs" in str(error_of(wire("        25**I**11*pingxxx" + "        25**I**11*ping***")))

    def test_the_uncompressed_length_says_nothing(self) -> None:
        assert read(wire("        27**I**11*ping**99*")) == [Frame(I, b"1", b"ping", b"", b"")]


class TestUnits:
    @pytest.mark.parametrize(
        ("text", "units"),
        [
            ("", []),
            ("<qos/>", [Unit(b"<qos/>")]),
            ("<qos/>*", [Unit(b"<qos/>")]),
            ("<qos/>*<key/>", [Unit(b"<qos/>", b"<key/>")]),
            ("<qos/>*<key/>*", [Unit(b"<qos/>", b"<key/>")]),
            ("<qos/>*<key/>**", [Unit(b"<qos/>", b"<key/>")]),
            ("<qos/>*<key/>*0", [Unit(b"<qos/>", b"<key/>")]),
            ("<qos/>*<key/>*0*", [Unit(b"<qos/>", b"<key/>")]),
            ("<qos/>*<key/>* 2 *Hi", [Unit(b"<qos/>", b"<key/>", b"Hi")]),
            ("<qos/>*<key/>*02*Hi", [Unit(b"<qos/>", b"<key/>", b"Hi")]),
            ("<qos/>*<key/>*3*a*b", [Unit(b"<qos/>", b"<key/>", b"a\0b")]),
            ("**0*", [Unit(b"")]),
            ("a*b*1*x<qos/>", [Unit(b"a", b"b", b"x"), Unit(b"<qos/>")]),
            ("a*b*1*x<qos/>*<key/>", [Unit(b"a", b"b", b"x"), Unit(b"<qos/>", b"<key/>")]),
            ("a*b*3***4c*d*1*z", [Unit(b"a", b"b", b"\0\x004"), Unit(b"c", b"d", b"z")]),
        ],
    )
    def test_the_last_unit_may_be_incomplete(self, text: str, units: list[Unit]) -> None:
        assert frame_of(wire(text)).units() == units

    @pytest.mark.parametrize("text", ["q*k*3*Hi", "q*k*3", "q*k*99999999999*Hi", "a*b*1*xq*k*1*"])
    def test_a_content_that_is_shorter_than_its_length_is_an_error(self, text: str) -> None:
        with pytest.raises(FrameError, match="exceeds the"):
            frame_of(wire(text)).units()

    @pytest.mark.parametrize("digits", ["x", "-1", "+2", "0x2", "1_0", "2.0", "٢", "1" * 20, "1" * 5000])
    def test_a_content_length_that_is_no_number_is_an_error(self, digits: str) -> None:
        with pytest.raises(FrameError, match="is no number"):
            frame_of(wire(f"q*k*{digits}*Hi")).units()

    def test_the_error_tells_where(self) -> None:
        with pytest.raises(FrameError) as caught:
            frame_of(wire("a*b*1*xq*k*zwei*Hi")).units()

        assert caught.value.offset == len("a*b*1*xq*k*")

    def test_there_is_a_limit(self) -> None:
        frame = frame_of(encode_units([Unit(b"q")] * 3))

        assert len(frame.units(limit=3)) == 3
        with pytest.raises(FrameError, match="more than 2 units"):
            frame.units(limit=2)


class TestErrors:
    def test_frames_before_it_are_returned(self) -> None:
        good = encode_frame(I, b"1", b"ping", b"", b"")
        reader = FrameReader(MAX_FRAME)

        frames = reader.feed(good + good + b"no length!" + good)

        assert [frame.request_id for frame in frames] == [b"1", b"1"]
        assert reader.error is not None
        assert reader.error.offset == 2 * len(good)

    def test_a_frame_that_was_waiting_is_returned_too(self) -> None:
        good = encode_frame(I, b"1", b"ping", b"", b"")
        reader = FrameReader(MAX_FRAME)
        reader.feed(good[:-1])

        assert len(reader.feed(good[-1:] + b"no length!")) == 1
        assert reader.error is not None
        assert reader.error.offset == len(good)

    def test_nothing_is_read_after_it(self) -> None:
        reader = FrameReader(MAX_FRAME)
        reader.feed(b"no length!")

        with pytest.raises(FrameError, match="no length!"):
            reader.feed(encode_frame(I, b"1", b"ping", b"", b""))

    def test_its_offset_counts_from_the_beginning_of_the_stream(self) -> None:
        data = encode_frame(I, b"1", b"ping", b"", b"") + b"        10" + b"no length!"
        for cut in range(len(data)):
            reader = FrameReader(MAX_FRAME)
            reader.feed(data[:cut])
            reader.feed(data[cut:])

            assert reader.error is not None
            assert reader.error.offset == len(data) - 10


class TestWriting:
    @pytest.mark.parametrize("header", [(b"\0", b"", b""), (b"", b"a\0b", b""), (b"", b"", b"a\0")])
    def test_a_header_field_with_a_nul_is_refused(self, header: tuple[bytes, bytes, bytes]) -> None:
        with pytest.raises(ValueError, match="NUL"):
            encode_frame(I, *header, b"")

    @pytest.mark.parametrize(("qos", "key"), [(b"\0", b""), (b"", b"a\0b")])
    def test_a_qos_or_key_with_a_nul_is_refused(self, qos: bytes, key: bytes) -> None:
        with pytest.raises(ValueError, match="NUL"):
            encode_unit(qos, key, b"")

    def test_a_bare_qos_is_written_as_a_complete_unit(self) -> None:
        assert encode_unit(b"<qos/>") == b"<qos/>\0\x000\0"


def test_a_large_frame_in_many_small_chunks_is_copied_only_a_few_times() -> None:
    # Copying everything with each of 300,000 chunks would be 300 GB, which the test's time limit does not allow.
    content = bytes(2 * 1024 * 1024)
    data = encode_frame(I, b"1", b"publish", b"s", encode_unit(b"q", b"k", content))
    reader = FrameReader(len(data))

    frames = [frame for at in range(0, len(data), 7) for frame in reader.feed(data[at : at + 7])]

    assert [frame.units() for frame in frames] == [[Unit(b"q", b"k", content)]]


def test_large_and_small_frames_share_chunks() -> None:
    bodies = [encode_unit(b"q", b"k", b"x" * size) for size in (0, MAX_HEADER, 1, 3 * MAX_HEADER, 2)]
    frames = [Frame(I, b"%d" % number, b"publish", b"s", body) for number, body in enumerate(bodies)]
    data = b"".join(encode_frame(*frame) for frame in frames)
    reader = FrameReader(MAX_FRAME)

    assert [frame for at in range(0, len(data), 1000) for frame in reader.feed(data[at : at + 1000])] == frames


texts = st.binary(max_size=20).map(lambda data: data.replace(b"\0", b""))
units_lists = st.lists(st.builds(Unit, texts, texts, st.binary(max_size=40)), max_size=4)
frames_lists = st.lists(
    st.builds(Frame, st.sampled_from(Kind), texts, texts, texts, units_lists.map(encode_units)), max_size=6
)


@given(units_lists)
def test_units_are_read_as_they_were_written(units: list[Unit]) -> None:
    assert frame_of(encode_units(units)).units() == units


@given(frames_lists, st.lists(st.integers(0, 1000), max_size=8))
def test_frames_are_read_as_they_were_written_however_the_stream_is_cut(frames: list[Frame], cuts: list[int]) -> None:
    data = b"".join(encode_frame(*frame) for frame in frames)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    reader = FrameReader(MAX_FRAME)

    received = [frame for start, end in pairwise(edges) for frame in reader.feed(data[start:end])]

    assert received == frames


_field = st.binary(max_size=12).filter(lambda field: 0 not in field) | st.just(b"%d%%")


@given(method=_field, prefix=_field, first=st.integers(0, 10**7), session=_field, bodies=st.lists(st.binary()))
def test_invocations_are_frames_with_ids_in_order(
    method: bytes, prefix: bytes, first: int, session: bytes, bodies: list[bytes]
) -> None:
    assert read(encode_invocations(method, prefix, first, session, bodies)) == [
        Frame(I, b"%b%d" % (prefix, number), method, session, body) for number, body in enumerate(bodies, first)
    ]


def test_invocations_refuse_a_nul_in_their_header() -> None:
    with pytest.raises(ValueError, match="NUL"):
        encode_invocations(b"update", b"\0", 1, b"", [b""])


@st.composite
def damaged_streams(draw: st.DrawFn) -> bytes:
    """Frames in which some bytes are replaced by others."""
    data = bytearray(b"".join(encode_frame(*frame) for frame in draw(frames_lists)) + b"        10")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3) | st.just(b"9") | st.just(b"\0"))
    return bytes(data)


@given(st.binary(max_size=200) | damaged_streams(), st.integers(0, 200))
def test_any_bytes_are_frames_or_a_frame_error_wherever_they_are_cut(data: bytes, cut: int) -> None:
    in_one = FrameReader(MAX_FRAME)
    frames = in_one.feed(data)

    in_two = FrameReader(MAX_FRAME)
    in_parts = in_two.feed(data[:cut])
    if in_two.error is None:
        in_parts += in_two.feed(data[cut:])

    assert in_parts == frames
    assert str(in_two.error) == str(in_one.error)


@given(st.binary(max_size=60) | st.text("*01 2a", max_size=30).map(wire))
def test_any_body_is_units_or_a_frame_error(body: bytes) -> None:
    try:
        units = frame_of(body).units()
    except FrameError as error:
        assert 0 <= error.offset <= len(body)
    else:
        assert sum(len(unit.qos) + len(unit.key) + len(unit.content) for unit in units) <= len(body)
