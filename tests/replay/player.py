"""Plays a recorded conversation against a broker, and tells where it answers differently."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from broker.native.wire.compress import ZlibStreamReader, ZlibStreamWriter
from broker.native.wire.frames import Frame, FrameReader, Kind, Unit, encode_frame, encode_units
from tests.replay.aliases import Aliases
from tests.replay.capture import MAX_FRAME, ClientCall, Closed, Conversation, ServerCall
from tests.replay.equivalence import differences, normalized

PATIENCE = 10.0
"""Seconds to wait for a frame of the broker."""


class Connection:
    """One client's connection, with what the broker has sent and nobody has looked at."""

    def __init__(self, address: tuple[str, int], *, compressed: bool) -> None:
        self._socket = socket.create_connection(address, timeout=PATIENCE)
        self._inflate = ZlibStreamReader(MAX_FRAME) if compressed else None
        self._deflate = ZlibStreamWriter() if compressed else None
        self._reader = FrameReader(MAX_FRAME)
        self._invokes: deque[Frame] = deque()
        self._answers: dict[bytes, Frame] = {}

    def send(self, data: bytes) -> None:
        """Write a frame."""
        self._socket.sendall(data if self._deflate is None else self._deflate.write(data))

    def answer_to(self, request_id: bytes) -> Frame:
        """Wait for the answer to a request.

        Raises:
            TimeoutError: there is none.
        """
        self._receive_until(lambda: request_id in self._answers)
        return self._answers.pop(request_id)

    def invoke(self) -> Frame:
        """Wait for the next update or ping.

        Raises:
            TimeoutError: there is none.
        """
        self._receive_until(lambda: bool(self._invokes))
        return self._invokes.popleft()

    def unexpected(self) -> list[Frame]:
        """What came and was not asked for."""
        return list(self._invokes)

    def close(self) -> None:
        """Hang up, and wait until the broker knows: what others send next may be for this client."""
        with self._socket, suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(PATIENCE)
            while self._socket.recv(65536):
                pass

    def _receive_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                raise TimeoutError("the broker has closed the connection")
            if self._inflate is not None:
                data = self._inflate.feed(data)
            for frame in self._reader.feed(data):
                if frame.kind is Kind.INVOKE:
                    self._invokes.append(frame)
                else:
                    self._answers[frame.request_id] = frame


class Player:
    """Plays conversations.

    Args:
        address: of the broker.
        compressed: the listener speaks ``zlib:stream``.
    """

    def __init__(self, address: tuple[str, int], *, compressed: bool = False) -> None:
        self._address = address
        self._compressed = compressed
        self._connections: dict[int, Connection] = {}
        self._aliases = Aliases()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections.values():
            connection.close()

    def play(self, conversation: Conversation, *, hang_up_late: bool = False) -> list[str]:
        """Play a conversation from beginning to end.

        Args:
            conversation: what to play.
            hang_up_late: clients hang up at the end only; a recording does not tell when they did.

        Returns:
            What was different, as ``step method: what``; empty where all was equivalent.
        """
        found: list[str] = []
        for number, step in enumerate(conversation.steps):
            if isinstance(step, Closed):
                if not hang_up_late:
                    self._connections.pop(step.connection).close()
                continue
            where = f"{number} {step.frame.method.decode()}"
            try:
                played = self._call(step) if isinstance(step, ClientCall) else self._serve(step)
                found += [f"{where}: {difference}" for difference in played]
            except (TimeoutError, OSError) as error:
                return [*found, f"{where}: {error or 'no answer'}"]
        for connection in self._connections.values():
            found += [f"end: {frame.method.decode()} was not expected" for frame in connection.unexpected()]
        return found

    def _connection(self, number: int) -> Connection:
        if number not in self._connections:
            self._connections[number] = Connection(self._address, compressed=self._compressed)
        return self._connections[number]

    def _call(self, step: ClientCall) -> list[str]:
        frame = step.frame
        connection = self._connection(step.connection)
        units = [
            Unit(self._aliases.translate(qos), self._aliases.translate(key), content)
            for qos, key, content in frame.units()
        ]
        session = self._aliases.translate(frame.session)
        connection.send(encode_frame(Kind.INVOKE, frame.request_id, frame.method, session, encode_units(units)))
        if step.answer is None:
            return []
        answer = connection.answer_to(frame.request_id)
        if answer.kind is not Kind.EXCEPTION and step.answer.kind is not Kind.EXCEPTION:
            for recorded, ours in zip(step.answer.units(), answer.units(), strict=False):
                self._aliases.learn(recorded.qos, ours.qos)
                self._aliases.learn(recorded.key, ours.key)
        return _compared(step.answer, answer)

    def _serve(self, step: ServerCall) -> list[str]:
        connection = self._connection(step.connection)
        frame = connection.invoke()
        if step.answer is not None:
            answer = step.answer
            connection.send(encode_frame(answer.kind, frame.request_id, frame.method, frame.session, answer.body))
        if frame.method != step.frame.method:
            return [f"{frame.method.decode()} ours"]
        found = _compared(step.frame, frame)
        if step.frame.session != frame.session:
            found.append(f"session {step.frame.session!r} recorded, {frame.session!r} ours")
        return found


def _compared(recorded: Frame, ours: Frame) -> list[str]:
    if recorded.kind is not ours.kind:
        return [f"{recorded.kind.name} recorded, {ours.kind.name} ours"]
    expected, actual = recorded.units(), ours.units()
    if recorded.kind is Kind.EXCEPTION:
        return [] if expected[0].qos == actual[0].qos else [f"{expected[0].qos!r} recorded, {actual[0].qos!r} ours"]
    if len(expected) != len(actual):
        return [f"{len(expected)} units recorded, {len(actual)} ours"]
    found: list[str] = []
    for left, right in zip(expected, actual, strict=True):
        found += differences(left.qos, right.qos)
        found += differences(left.key, right.key)
        if normalized(left.content.decode("utf-8", "replace")) != normalized(right.content.decode("utf-8", "replace")):
            found.append(f"content {left.content[:80]!r} recorded, {right.content[:80]!r} ours")
    return found
