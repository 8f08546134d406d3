"""Loads of MQTT 3.1.1: the nearest to what the native protocol does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.drive.lane import Lane, Receiver, content_of
from bench.drive.loop import DriveError, Link, Loop, Script, connect, talk
from bench.drive.stride import StrideReceiver
from bench.drive.topic import TopicLoad

_TOPIC = b"bench"
_CONNACK = 4
_SUBACK = 5
_PUBACK = 4
_PUBLISH = 3


def _text(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def packet(first: int, body: bytes) -> bytes:
    """A control packet (MQTT 3.1.1 §2.2)."""
    size, digits = len(body), bytearray()
    while True:
        size, digit = divmod(size, 128)
        digits.append(digit | (128 if size else 0))
        if not size:
            return bytes([first]) + bytes(digits) + body


def publish(qos: int, number: int, content: bytes) -> bytes:
    """A PUBLISH packet (§3.3)."""
    return packet(0x30 | qos << 1, _text(_TOPIC) + (number.to_bytes(2, "big") if qos else b"") + content)


def log_in(link: Link, name: bytes, *, clean: bool) -> Script[None]:
    """Connect under a client id (§3.1)."""
    link.send(packet(0x10, _text(b"MQTT") + bytes([4, 2 if clean else 0, 0, 0]) + _text(name)))
    answer = yield lambda buffer: _CONNACK if len(buffer) >= _CONNACK else 0
    if answer[0] != 0x20 or answer[3]:
        raise DriveError(f"not connected: {answer!r}")


def subscribe(link: Link, qos: int) -> Script[None]:
    """Subscribe to the topic (§3.8)."""
    link.send(packet(0x82, b"\0\1" + _text(_TOPIC) + bytes([qos])))
    answer = yield lambda buffer: _SUBACK if len(buffer) >= _SUBACK else 0
    if answer[0] != 0x90 or answer[4] != qos:
        raise DriveError(f"not subscribed: {answer!r}")


class MqttSender:
    """Publishes; with QoS 1 it counts acknowledgements.

    Args:
        link: of the publisher.
        qos: 0 or 1.
        content: of every message.
        batch: messages in one write.
        window: messages on their way.
    """

    def __init__(self, link: Link, qos: int, content: bytes, *, batch: int, window: int) -> None:
        self.link = link
        self.batch = batch
        self._bytes = 0
        self._qos = qos
        self.chunks: Sequence[bytes] = [
            b"".join(publish(qos, chunk * batch + index + 1, content) for index in range(batch))
            for chunk in range(window // batch + 2)
        ]
        link.on_data = self._received

    @property
    def acknowledged(self) -> int | None:
        """Messages that the server has acknowledged."""
        return self._bytes // _PUBACK if self._qos else None

    def _received(self, data: bytes) -> None:
        if self._bytes % _PUBACK == 0 and data[0] != 0x40:
            raise DriveError(f"unexpected: {data[:100]!r}")
        self._bytes += len(data)


class MqttReceiver(StrideReceiver):
    """Takes messages; with QoS 1 it acknowledges them.

    Args:
        link: of the subscriber.
        qos: 0 or 1.
        content: of every message, which are all of one length.
        rest: bytes that have come already.
    """

    def __init__(self, link: Link, qos: int, content: bytes, rest: bytes = b"") -> None:
        stride = len(publish(qos, 1, content))
        self._id_at = stride - len(content) - 2
        super().__init__(link, stride, acknowledges=qos > 0, rest=rest)

    def answer(self, whole: bytearray, count: int) -> bytes:
        """A PUBACK for each (§3.4)."""
        if whole[0] >> 4 != _PUBLISH:
            raise DriveError(f"unexpected: {bytes(whole[:100])!r}")
        end = count * self._stride
        answers = bytearray(b"\x40\x02\0\0" * count)
        answers[2::4] = whole[self._id_at : end : self._stride]
        answers[3::4] = whole[self._id_at + 1 : end : self._stride]
        return bytes(answers)


@dataclass(frozen=True, slots=True)
class MqttLoad(TopicLoad):
    """One publisher and subscribers of a topic.

    Args:
        qos: 0 or 1, of messages and subscriptions.
        lasting: whether sessions of subscribers outlive their connections.
    """

    qos: int = 0
    lasting: bool = False

    def lane(self, loop: Loop, receivers: Sequence[Receiver]) -> Lane:
        """Log the publisher in."""
        link = connect(loop, self.host, self.port)
        talk(link, log_in(link, b"sender", clean=True))
        sender = MqttSender(link, self.qos, content_of(self.size), batch=50, window=self.window)
        return Lane(sender, receivers, self.window)

    def receiver(self, loop: Loop, number: int, *, first: bool) -> Receiver:
        """Log a subscriber in, who at first subscribes."""
        link = connect(loop, self.host, self.port)
        _, rest = talk(link, log_in(link, b"receiver%d" % number, clean=not self.lasting))
        if first:
            _, rest = talk(link, subscribe(link, self.qos))
        return MqttReceiver(link, self.qos, content_of(self.size), rest)


@dataclass(frozen=True, slots=True)
class MqttAbsent(MqttLoad):
    """Messages to a subscriber that is away, which then comes back for them."""

    messages: int = 100_000

    def run(self) -> dict[str, float]:
        """Rates of queueing and of draining."""
        return self.run_absent(self.messages)
