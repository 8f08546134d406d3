"""Loads of AMQP 0-9-1: the nearest to what the native protocol does."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from bench.drive.lane import Lane, Receiver, content_of
from bench.drive.loop import DriveError, Link, Loop, Script, connect, talk
from bench.drive.stride import StrideReceiver
from bench.drive.topic import TopicLoad

_EXCHANGE = b"bench"
_END = b"\xce"
_METHOD, _HEADER, _BODY = 1, 2, 3
_BASIC = 60
_TAG = b"c"
_TAG_AT = 11 + 1 + len(_TAG)
"""Where the number of a delivery is: behind its method and the consumer's tag."""
_ACK = struct.Struct("!BHIHHQBc")
_PREFIX = struct.Struct("!BHI")


def short(value: bytes) -> bytes:
    """A short string."""
    return bytes([len(value)]) + value


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """A frame (AMQP 0-9-1 §4.2.3)."""
    return _PREFIX.pack(kind, channel, len(payload)) + payload + _END


def method(channel: int, class_id: int, method_id: int, arguments: bytes = b"") -> bytes:
    """A method frame."""
    return frame(_METHOD, channel, struct.pack("!HH", class_id, method_id) + arguments)


def whole_frame(buffer: bytearray) -> int:
    """Wait for a frame."""
    if len(buffer) < _PREFIX.size:
        return 0
    size = _PREFIX.size + int.from_bytes(buffer[3:7], "big") + 1
    return size if len(buffer) >= size else 0


def publish(content: bytes, *, persistent: bool) -> bytes:
    """A message: method, header and body."""
    header = struct.pack("!HHQHB", _BASIC, 0, len(content), 0x1000, 2 if persistent else 1)
    return (
        method(1, _BASIC, 40, b"\0\0" + short(_EXCHANGE) + short(b"") + b"\0")
        + frame(_HEADER, 1, header)
        + frame(_BODY, 1, content)
    )


def call(link: Link, class_id: int, method_id: int, arguments: bytes, channel: int = 1) -> Script[bytes]:
    """Call a method, and wait for its answer."""
    link.send(method(channel, class_id, method_id, arguments))
    return (yield from expect(class_id, method_id + 1))


def expect(class_id: int, method_id: int) -> Script[bytes]:
    """Wait for a method; returns its arguments.

    Raises:
        DriveError: another one came.
    """
    answer = yield whole_frame
    if answer[0] != _METHOD or struct.unpack_from("!HH", answer, 7) != (class_id, method_id):
        raise DriveError(f"unexpected: {answer[:300]!r}")
    return answer[11:-1]


def log_in(link: Link) -> Script[None]:
    """Open a connection and its channel."""
    link.send(b"AMQP\0\0\x09\x01")
    yield from expect(10, 10)
    response = b"\0guest\0guest"
    start_ok = struct.pack("!I", 0) + short(b"PLAIN") + struct.pack("!I", len(response)) + response + short(b"en_US")
    link.send(method(0, 10, 11, start_ok))
    tune = yield from expect(10, 30)
    link.send(method(0, 10, 31, tune[:6] + b"\0\0"))  # as the server wants it, without heartbeats
    yield from call(link, 10, 40, short(b"/") + b"\0\0", channel=0)
    yield from call(link, 20, 10, b"\0")
    yield from call(link, 40, 10, b"\0\0" + short(_EXCHANGE) + short(b"fanout") + b"\x02" + struct.pack("!I", 0))


def declare(link: Link, queue: bytes, *, durable: bool) -> Script[None]:
    """Declare a queue and bind it to the exchange."""
    yield from call(link, 50, 10, b"\0\0" + short(queue) + (b"\x02" if durable else b"\x08") + struct.pack("!I", 0))
    arguments = b"\0\0" + short(queue) + short(_EXCHANGE) + short(b"") + b"\0" + struct.pack("!I", 0)
    yield from call(link, 50, 20, arguments)


def consume(link: Link, queue: bytes, *, acknowledges: bool, prefetch: int) -> Script[None]:
    """Begin to take messages from a queue."""
    if acknowledges:
        yield from call(link, _BASIC, 10, struct.pack("!IHB", 0, prefetch, 0))
    bits = b"\0" if acknowledges else b"\x02"
    yield from call(link, _BASIC, 20, b"\0\0" + short(queue) + short(_TAG) + bits + struct.pack("!I", 0))


class AmqpSender:
    """Publishes; with confirms it counts them.

    Args:
        link: of the publisher.
        content: of every message.
        persistent: whether messages are.
        confirms: whether the channel is in confirm mode.
        batch: messages in one write.
    """

    def __init__(self, link: Link, content: bytes, *, persistent: bool, confirms: bool, batch: int) -> None:
        self.link = link
        self.batch = batch
        self.chunks: Sequence[bytes] = [publish(content, persistent=persistent) * batch]
        self.acknowledged: int | None = 0 if confirms else None
        self._early: set[int] = set()
        self._buffer = bytearray()
        link.on_data = self._received

    def _received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        end = len(buffer) // _ACK.size * _ACK.size
        for _, _, _, class_id, method_id, tag, multiple, last in _ACK.iter_unpack(bytes(buffer[:end])):
            if (class_id, method_id, last) != (_BASIC, 80, _END):
                raise DriveError(f"unexpected: {bytes(buffer[:100])!r}")
            self._confirmed(tag, multiple=bool(multiple))
        del buffer[:end]

    def _confirmed(self, tag: int, *, multiple: bool) -> None:
        """Confirms come in any order, but only the messages before the first gap are counted."""
        assert self.acknowledged is not None
        if multiple:
            self.acknowledged = max(self.acknowledged, tag)
        else:
            self._early.add(tag)
        while self.acknowledged + 1 in self._early:
            self.acknowledged += 1
            self._early.remove(self.acknowledged)


class AmqpReceiver(StrideReceiver):
    """Takes messages; acknowledges all of one read at once, or none.

    Args:
        link: of the consumer.
        content: of every message, which are all of one length.
        acknowledges: whether it does.
        rest: bytes that have come already.
    """

    def __init__(self, link: Link, content: bytes, *, acknowledges: bool, rest: bytes = b"") -> None:
        deliver = method(1, _BASIC, 60, short(_TAG) + bytes(9) + short(_EXCHANGE) + short(b""))
        stride = (
            len(deliver)
            + len(publish(content, persistent=True))
            - len(method(1, _BASIC, 40, b"\0\0" + short(_EXCHANGE) + short(b"") + b"\0"))
        )
        super().__init__(link, stride, acknowledges=acknowledges, rest=rest)

    def answer(self, whole: bytearray, count: int) -> bytes:
        """An acknowledgement of the last and all before it."""
        last, end = (count - 1) * self._stride, count * self._stride
        if struct.unpack_from("!BHIHH", whole, last)[3:] != (_BASIC, 60) or whole[end - 1] != _END[0]:
            raise DriveError(f"unexpected: {bytes(whole[last : last + 200])!r}")
        tag = bytes(whole[last + _TAG_AT : last + _TAG_AT + 8])
        return method(1, _BASIC, 80, tag + b"\x01")


@dataclass(frozen=True, slots=True)
class AmqpLoad(TopicLoad):
    """One publisher to a fanout exchange, and consumers with a queue each.

    Args:
        acknowledged: publisher confirms, and consumers that acknowledge.
        persistent: durable queues and persistent messages.
        prefetch: messages that a consumer may have without having acknowledged them.
    """

    acknowledged: bool = False
    persistent: bool = False
    prefetch: int = 100

    def lane(self, loop: Loop, receivers: Sequence[Receiver]) -> Lane:
        """Log the publisher in."""
        link = connect(loop, self.host, self.port)
        talk(link, log_in(link))
        if self.acknowledged:
            talk(link, call(link, 85, 10, b"\0"))
        sender = AmqpSender(
            link, content_of(self.size), persistent=self.persistent, confirms=self.acknowledged, batch=50
        )
        return Lane(sender, receivers, self.window)

    def receiver(self, loop: Loop, number: int, *, first: bool) -> Receiver:
        """Log a consumer in, who at first declares its queue."""
        link = connect(loop, self.host, self.port)
        queue = b"bench%d" % number
        talk(link, log_in(link))
        if first:
            talk(link, declare(link, queue, durable=self.persistent))
        _, rest = talk(link, consume(link, queue, acknowledges=self.acknowledged, prefetch=self.prefetch))
        return AmqpReceiver(link, content_of(self.size), acknowledges=self.acknowledged, rest=rest)


@dataclass(frozen=True, slots=True)
class AmqpAbsent(AmqpLoad):
    """Messages to a queue that nobody reads, whose consumer then comes."""

    messages: int = 100_000

    def run(self) -> dict[str, float]:
        """Rates of queueing and of draining."""
        return self.run_absent(self.messages)
