from __future__ import annotations

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.native.wire.compress import MAX_DEFLATE_RATIO, ZlibStreamReader, ZlibStreamWriter
from broker.native.wire.frames import FrameError, FrameReader, Kind, encode_frame, encode_unit, encode_units
from tests.data import CAPTURES

MAX_OUTPUT = 1024 * 1024


class TestCaptures:
    @pytest.mark.parametrize("direction", ["c2s", "s2c"])
    def test_a_recorded_stream_is_inflated_however_it_is_cut(self, direction: str) -> None:
        connection = CAPTURES / "java-basic-zlib-stream" / "conn0"
        data = (connection / f"{direction}.bin").read_bytes()
        plain = (connection / f"{direction}.plain.bin").read_bytes()

        for size in (1, 7, len(data)):
            reader = ZlibStreamReader(MAX_OUTPUT)
            chunks = [reader.feed(data[at : at + size]) for at in range(0, len(data), size)]
            assert b"".join(chunks) == plain

    @pytest.mark.parametrize("direction", ["c2s", "s2c"])
    def test_recorded_frames_that_are_deflated_one_by_one_are_inflated_one_by_one(self, direction: str) -> None:
        connection = CAPTURES / "java-basic-zlib-stream" / "conn0"
        plain = (connection / f"{direction}.plain.bin").read_bytes()
        frames = FrameReader(MAX_OUTPUT).feed(plain)
        writer, inflater, reader = ZlibStreamWriter(), zlib.decompressobj(), FrameReader(MAX_OUTPUT)

        for frame in frames:
            data = encode_frame(*frame[:4], encode_units(frame.units()))
            assert reader.feed(inflater.decompress(writer.write(data))) == [frame]


class TestWriter:
    def test_each_frame_can_be_read_at_once(self) -> None:
        writer, reader = ZlibStreamWriter(), ZlibStreamReader(MAX_OUTPUT)

        for number in range(100):
            frame = encode_frame(Kind.INVOKE, b"%d" % number, b"publish", b"", encode_unit(b"<qos/>", b"", b"Hi"))
            assert reader.feed(writer.write(frame)) == frame

    def test_frames_share_one_stream(self) -> None:
        writer = ZlibStreamWriter()
        frame = encode_frame(Kind.INVOKE, b"1", b"publish", b"", encode_unit(b"<qos/>", b"<key oid='Hello'/>", b"Hi"))
        writer.write(frame)

        assert len(writer.write(frame)) < len(frame) / 2

    def test_it_begins_with_the_header_of_the_best_compression(self) -> None:
        assert ZlibStreamWriter().write(b"")[:2] == b"\x78\xda"  # RFC 1950 §2.2: 32 kB window, level 3 of 3

    def test_the_level_may_be_lower(self) -> None:
        plain = bytes(1000)
        fast = ZlibStreamWriter(level=0).write(plain)

        assert len(fast) > len(plain)
        assert ZlibStreamReader(MAX_OUTPUT).feed(fast) == plain


class TestReader:
    @pytest.mark.parametrize("data", [b"        25\0\0I\0\0", b"GET / HTTP/1.1\r\n", bytes(10)])
    def test_what_is_no_zlib_stream_is_an_error(self, data: bytes) -> None:
        with pytest.raises(FrameError, match="broken zlib stream"):
            ZlibStreamReader(MAX_OUTPUT).feed(data)

    def test_a_stream_that_needs_a_dictionary_is_an_error(self) -> None:
        deflater = zlib.compressobj(zdict=b"<qos/>")

        with pytest.raises(FrameError, match="broken zlib stream"):
            ZlibStreamReader(MAX_OUTPUT).feed(deflater.compress(b"<qos/>") + deflater.flush())

    def test_the_peer_may_end_its_stream(self) -> None:
        reader = ZlibStreamReader(MAX_OUTPUT)

        assert reader.feed(zlib.compress(b"last")) == b"last"
        assert reader.feed(b"") == b""

    def test_data_after_the_end_is_an_error(self) -> None:
        with pytest.raises(FrameError, match="after the end"):
            ZlibStreamReader(MAX_OUTPUT).feed(zlib.compress(b"last") + b"more")

    def test_data_after_the_end_is_an_error_in_a_chunk_of_its_own_too(self) -> None:
        reader = ZlibStreamReader(MAX_OUTPUT)
        data = zlib.compress(b"last")
        reader.feed(data)

        with pytest.raises(FrameError, match="after the end") as caught:
            reader.feed(b"more")

        assert caught.value.offset == len(data)

    def test_a_reader_without_room_is_refused(self) -> None:
        with pytest.raises(ValueError, match="positive"):
            ZlibStreamReader(0)


class TestBounds:
    def test_one_feed_may_give_as_much_as_the_maximum(self) -> None:
        assert ZlibStreamReader(1000).feed(zlib.compress(bytes(1000))) == bytes(1000)

    def test_more_is_an_error(self) -> None:
        with pytest.raises(FrameError, match="beyond 1000 bytes"):
            ZlibStreamReader(1000).feed(zlib.compress(bytes(1001)))

    def test_a_bomb_is_never_unpacked(self) -> None:
        bomb = zlib.compress(bytes(64 * MAX_OUTPUT), 9)
        reader = ZlibStreamReader(MAX_OUTPUT)

        tracemalloc.start()
        try:
            with pytest.raises(FrameError, match="expands beyond"):
                reader.feed(bomb)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 4 * MAX_OUTPUT

    def test_input_that_is_short_enough_cannot_exceed_the_maximum(self) -> None:
        plain = bytes(4 * MAX_OUTPUT)
        data = zlib.compress(plain, 9)
        size = MAX_OUTPUT // MAX_DEFLATE_RATIO
        reader = ZlibStreamReader(MAX_OUTPUT)

        assert b"".join(reader.feed(data[at : at + size]) for at in range(0, len(data), size)) == plain

    def test_a_stream_may_expand_more_than_the_ratio_for_a_while(self) -> None:
        writer, reader = ZlibStreamWriter(), ZlibStreamReader(100_000, max_ratio=10)

        assert len(reader.feed(writer.write(bytes(90_000)))) == 90_000

    def test_a_stream_that_always_expands_more_is_an_error(self) -> None:
        writer, reader = ZlibStreamWriter(), ZlibStreamReader(100_000, max_ratio=10)
        reader.feed(writer.write(bytes(90_000)))

        with pytest.raises(FrameError, match="more than 10 times"):
            reader.feed(writer.write(bytes(90_000)))

    def test_a_stream_that_expands_less_may_go_on(self) -> None:
        writer, reader = ZlibStreamWriter(level=0), ZlibStreamReader(1000, max_ratio=2)

        for _ in range(100):
            assert len(reader.feed(writer.write(bytes(900)))) == 900


@given(st.lists(st.binary(max_size=200), max_size=10), st.integers(1, 50))
def test_what_is_deflated_is_inflated_again_however_it_is_cut(frames: list[bytes], size: int) -> None:
    writer, reader = ZlibStreamWriter(), ZlibStreamReader(MAX_OUTPUT)
    data = b"".join(writer.write(frame) for frame in frames)

    assert b"".join(reader.feed(data[at : at + size]) for at in range(0, len(data), size)) == b"".join(frames)


@given(st.binary(max_size=100) | st.binary(max_size=100).map(lambda data: b"\x78\xda" + data))
def test_any_bytes_are_a_zlib_stream_or_a_frame_error(data: bytes) -> None:
    try:
        plain = ZlibStreamReader(50).feed(data)
    except FrameError as error:
        assert 0 <= error.offset <= len(data)
    else:
        assert len(plain) <= 50
