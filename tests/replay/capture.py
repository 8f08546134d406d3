"""Recorded conversations of real clients with the real server, as scripts that can be played again.

A capture is a directory with one ``conn<N>/`` for each TCP connection: the bytes of both directions and ``order.tsv``,
which has direction, offset and length of every read in order of arrival. Captures with a compressed stream also have
``c2s.plain.bin``, which tells that they are compressed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from broker.native.wire.frames import Frame, FrameReader, Kind
from tests.data import CAPTURES

EXCLUDED = frozenset({"java-xmlrpc-basic", "java-basic-zlib-block"})
"""Not frames, and a compression whose real server broke the connection."""

CLIENT = "c2s"
SERVER = "s2c"
MAX_FRAME = 1_000_000


@dataclass(frozen=True, slots=True)
class ClientCall:
    """A request of a client.

    Args:
        connection: number of the connection in its conversation.
        stamp: nanoseconds since 1970, from the request id.
        frame: the request.
        answer: the response or exception; ``None`` for a oneway, or where the connection ended before it came.
    """

    connection: int
    stamp: int
    frame: Frame
    answer: Frame | None


@dataclass(frozen=True, slots=True)
class ServerCall:
    """An update or ping of the server, and how the client answered it; fields as in :class:`ClientCall`."""

    connection: int
    stamp: int
    frame: Frame
    answer: Frame | None


@dataclass(frozen=True, slots=True)
class Closed:
    """The client's end of a connection; nothing tells when, so it follows the last frame of the connection."""

    connection: int
    stamp: int


Step = ClientCall | ServerCall | Closed


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one run of a client program did, over all its connections.

    Args:
        name: of the capture.
        connections: how many there are.
        steps: in the order of their stamps; those of one connection are in order of arrival.
        compressed: whether the streams were ``zlib:stream``; the frames are plain in any case.
    """

    name: str
    connections: int
    steps: tuple[Step, ...]
    compressed: bool

    def of(self, connection: int) -> tuple[Step, ...]:
        """The steps of one connection."""
        return tuple(step for step in self.steps if step.connection == connection)


def captured() -> list[str]:
    """Names of the captures that can be played again; none where there are no recordings."""
    return sorted(path.name for path in CAPTURES.glob("java-*") if path.name not in EXCLUDED)


def load(name: str) -> Conversation:
    """Read a capture."""
    directories = sorted((CAPTURES / name).glob("conn*"), key=lambda path: int(path.name.removeprefix("conn")))
    steps = [step for number, directory in enumerate(directories) for step in read_connection(number, directory)]
    # Stable: of steps with one stamp, those of a connection keep their order.
    steps.sort(key=lambda step: step.stamp)
    return Conversation(name, len(directories), tuple(steps), _is_compressed(directories[0]))


def read_connection(number: int, directory: Path) -> list[Step]:
    """Read the steps of one connection; their stamps never decrease."""
    arrivals = list(_arrivals(directory))
    answers = {
        (origin, frame.request_id): frame for origin, frame in arrivals if frame and frame.kind is not Kind.INVOKE
    }
    steps: list[Step] = []
    stamp = 0
    closed = False
    for origin, frame in arrivals:
        if frame is None:
            closed = closed or origin == CLIENT
        elif frame.kind is Kind.INVOKE:
            stamp = max(stamp, stamp_of(frame.request_id))
            if origin == CLIENT:
                steps.append(ClientCall(number, stamp, frame, answers.get((SERVER, frame.request_id))))
            else:
                steps.append(ServerCall(number, stamp, frame, answers.get((CLIENT, frame.request_id))))
    if closed:
        steps.append(Closed(number, stamp))
    return steps


def stamp_of(request_id: bytes) -> int:
    """The time in a request id such as ``joe:publish:1795217454759000001``, 0 where there is none."""
    digits = request_id.rpartition(b":")[2]
    return int(digits) if digits.isdigit() else 0


def _arrivals(directory: Path) -> Iterator[tuple[str, Frame | None]]:
    """Direction and frame in order of arrival, by the read that completed it; ``None`` where a direction ended."""
    streams = {origin: (directory / f"{origin}.bin").read_bytes() for origin in (CLIENT, SERVER)}
    readers = {origin: FrameReader(MAX_FRAME) for origin in streams}
    plain = {origin: _inflation() if _is_compressed(directory) else bytes for origin in streams}
    for line in (directory / "order.tsv").read_text().splitlines():
        origin, offset, *length = line.split("\t")
        if offset == "EOF":
            yield origin, None
            continue
        start = int(offset)
        chunk = streams[origin][start : start + int(length[0])]
        for frame in readers[origin].feed(plain[origin](chunk)):
            yield origin, frame
        error = readers[origin].error
        if error is not None:
            raise error


def _is_compressed(directory: Path) -> bool:
    return (directory / f"{CLIENT}.plain.bin").exists()


def _inflation() -> Callable[[bytes], bytes]:
    return zlib.decompressobj().decompress
