from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from broker.native.wire.frames import Kind, Unit, encode_frame, encode_unit
from tests.replay.capture import (
    ClientCall,
    Closed,
    ServerCall,
    captured,
    load,
    read_connection,
    stamp_of,
)
from tests.replay.equivalence import differences


def frame(kind: Kind, request_id: bytes, method: bytes, qos: bytes = b"<qos/>") -> bytes:
    return encode_frame(kind, request_id, method, b"", encode_unit(qos))


def write_connection(directory: Path, *reads: tuple[str, bytes]) -> Path:
    """A recorded connection with these reads, both directions closed at the end."""
    streams = {"c2s": b"", "s2c": b""}
    lines = []
    for origin, data in reads:
        lines.append(f"{origin}\t{len(streams[origin])}\t{len(data)}")
        streams[origin] += data
    for origin, data in streams.items():
        (directory / f"{origin}.bin").write_bytes(data)
        lines.append(f"{origin}\tEOF")
    (directory / "order.tsv").write_text("\n".join(lines) + "\n")
    return directory


def test_a_request_has_its_answer(tmp_path: Path) -> None:
    call, closed = read_connection(
        0,
        write_connection(
            tmp_path,
            ("c2s", frame(Kind.INVOKE, b"joe:publish:1000", b"publish")),
            ("s2c", frame(Kind.RESPONSE, b"joe:publish:1000", b"publish", b"<qos>1</qos>")),
        ),
    )

    assert isinstance(call, ClientCall)
    assert (call.connection, call.stamp, call.frame.method) == (0, 1000, b"publish")
    assert call.answer is not None
    assert call.answer.units() == [Unit(b"<qos>1</qos>")]
    assert closed == Closed(0, 1000)


def test_an_exception_is_an_answer(tmp_path: Path) -> None:
    call, _ = read_connection(
        0,
        write_connection(
            tmp_path,
            ("c2s", frame(Kind.INVOKE, b"joe:get:1", b"get")),
            ("s2c", frame(Kind.EXCEPTION, b"joe:get:1", b"get", b"user.query.invalid")),
        ),
    )

    assert isinstance(call, ClientCall)
    assert call.answer is not None
    assert call.answer.kind is Kind.EXCEPTION


def test_a_oneway_has_no_answer(tmp_path: Path) -> None:
    call, _ = read_connection(
        0, write_connection(tmp_path, ("c2s", frame(Kind.INVOKE, b"joe:publishOneway:1", b"publishOneway")))
    )

    assert isinstance(call, ClientCall)
    assert call.answer is None


def test_an_update_has_the_answer_of_the_client(tmp_path: Path) -> None:
    update, _ = read_connection(
        0,
        write_connection(
            tmp_path,
            ("s2c", frame(Kind.INVOKE, b"client/joe:update:7", b"update")),
            ("c2s", frame(Kind.RESPONSE, b"client/joe:update:7", b"update")),
        ),
    )

    assert isinstance(update, ServerCall)
    assert update.answer is not None


def test_equal_request_ids_of_both_directions_are_not_mixed_up(tmp_path: Path) -> None:
    first, second, _ = read_connection(
        0,
        write_connection(
            tmp_path,
            ("c2s", frame(Kind.INVOKE, b"1", b"get")),
            ("s2c", frame(Kind.INVOKE, b"1", b"update")),
            ("s2c", frame(Kind.RESPONSE, b"1", b"get")),
            ("c2s", frame(Kind.RESPONSE, b"1", b"update")),
        ),
    )

    assert not isinstance(first, Closed) and first.answer is not None
    assert not isinstance(second, Closed) and second.answer is not None
    assert (first.answer.method, second.answer.method) == (b"get", b"update")


def test_a_frame_arrives_with_the_read_that_completes_it(tmp_path: Path) -> None:
    request = frame(Kind.INVOKE, b"joe:get:2", b"get")
    steps = read_connection(
        0,
        write_connection(
            tmp_path,
            ("c2s", request[:20]),
            ("s2c", frame(Kind.INVOKE, b"client/joe:update:1", b"update")),
            ("c2s", request[20:] + frame(Kind.INVOKE, b"joe:get:3", b"get")),
        ),
    )

    assert [type(step) for step in steps] == [ServerCall, ClientCall, ClientCall, Closed]


def test_the_stamps_of_a_connection_never_decrease(tmp_path: Path) -> None:
    steps = read_connection(
        0,
        write_connection(
            tmp_path,
            ("c2s", frame(Kind.INVOKE, b"joe:get:5", b"get")),
            ("s2c", frame(Kind.INVOKE, b"client/joe:update:4", b"update")),
            ("c2s", frame(Kind.INVOKE, b"joe:get:6", b"get")),
        ),
    )

    assert [step.stamp for step in steps] == [5, 5, 6, 6]


def test_a_compressed_stream_is_inflated_read_by_read(tmp_path: Path) -> None:
    compressor = zlib.compressobj()
    request = compressor.compress(frame(Kind.INVOKE, b"joe:get:1", b"get")) + compressor.flush(zlib.Z_SYNC_FLUSH)
    write_connection(tmp_path, ("c2s", request[:9]), ("c2s", request[9:]))
    (tmp_path / "c2s.plain.bin").write_bytes(b"")

    call, _ = read_connection(0, tmp_path)

    assert isinstance(call, ClientCall)
    assert call.frame.method == b"get"


@pytest.mark.parametrize(
    ("request_id", "stamp"),
    [(b"joe:publish:1795217454759000001", 1795217454759000001), (b"7711", 7711), (b"oxf6", 0), (b"", 0)],
)
def test_the_stamp_is_the_last_part_of_the_request_id(request_id: bytes, stamp: int) -> None:
    assert stamp_of(request_id) == stamp


def test_connections_are_interleaved_by_their_stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, stamps in enumerate([(1, 4), (2, 3)]):
        directory = tmp_path / "two" / f"conn{number}"
        directory.mkdir(parents=True)
        write_connection(directory, *(("c2s", frame(Kind.INVOKE, b"joe:get:%d" % stamp, b"get")) for stamp in stamps))
    monkeypatch.setattr("tests.replay.capture.CAPTURES", tmp_path)

    conversation = load("two")

    order = [(step.connection, step.stamp) for step in conversation.steps if isinstance(step, ClientCall)]
    assert order == [(0, 1), (1, 2), (1, 3), (0, 4)]
    assert [step.stamp for step in conversation.of(1)] == [2, 3, 3]


def test_a_recording_that_breaks_off_within_a_frame_loses_only_that_frame(tmp_path: Path) -> None:
    request = frame(Kind.INVOKE, b"joe:get:1", b"get")
    steps = read_connection(0, write_connection(tmp_path, ("c2s", request), ("c2s", request[:30])))

    assert [type(step) for step in steps] == [ClientCall, Closed]


@pytest.mark.parametrize("name", captured())
def test_every_recorded_request_but_oneways_is_answered(name: str) -> None:
    conversation = load(name)

    unanswered = [
        step.frame.method
        for step in conversation.steps
        if isinstance(step, ClientCall) and step.answer is None and step.frame.method != b"publishOneway"
    ]
    assert unanswered == []


@pytest.mark.parametrize("name", captured())
def test_every_recorded_update_is_answered(name: str) -> None:
    assert all(step.answer is not None for step in load(name).steps if isinstance(step, ServerCall))


@pytest.mark.parametrize("name", captured())
def test_every_recorded_connection_begins_with_a_connect_and_ends(name: str) -> None:
    conversation = load(name)

    for connection in range(conversation.connections):
        first, *_, last = conversation.of(connection)
        assert isinstance(first, ClientCall)
        assert first.frame.method == b"connect"
        assert isinstance(last, Closed)


@pytest.mark.parametrize("name", captured())
def test_every_recorded_document_is_equivalent_to_itself(name: str) -> None:
    for step in load(name).steps:
        if isinstance(step, Closed):
            continue
        for recorded in (step.frame, *([step.answer] if step.answer else [])):
            for unit in recorded.units():
                assert differences(unit.qos, unit.qos) == []
                assert differences(unit.key, unit.key) == []


def test_the_recorded_publisher_and_subscriber_take_turns() -> None:
    methods = [
        (step.connection, step.frame.method.decode())
        for step in load("java-filters").steps
        if not isinstance(step, Closed)
    ]

    assert methods == [
        (0, "connect"),
        (1, "connect"),
        (0, "subscribe"),
        (1, "publish"),
        (1, "publish"),
        (0, "update"),
        (1, "erase"),
        (0, "update"),
        (0, "disconnect"),
        (1, "disconnect"),
    ]


def test_a_plain_and_a_compressed_recording_of_one_program_have_the_same_calls() -> None:
    def calls(name: str) -> list[str]:
        return [step.frame.method.decode() for step in load(name).steps if isinstance(step, ClientCall)]

    assert load("java-basic-zlib-stream").compressed
    assert not load("java-basic").compressed
    assert calls("java-basic-zlib-stream") == calls("java-basic")
