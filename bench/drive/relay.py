"""The same bytes as of the native protocol and of XMPP, by way of a bare relay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.drive.lane import Counter, Lane, content_of, flow
from bench.drive.load import TimedLoad
from bench.drive.loop import Link, Loop, Script, connect, talk, until
from bench.drive.native_wire import OnewayReceiver, frame, unit
from bench.relay import ANSWER

_SESSION = b"sessionId:127.0.0.2-null-1600000000-0123456789abcdef"


class RelaySender:
    """Sends prepared messages and counts answers.

    Args:
        link: of the sender.
        message: its bytes.
        answered: whether there are answers.
        batch: messages in one write.
    """

    def __init__(self, link: Link, message: bytes, *, answered: bool, batch: int) -> None:
        self.link = link
        self.batch = batch
        self.chunks: Sequence[bytes] = [message * batch]
        self._counter = Counter(ANSWER[-9:])
        self._answered = answered
        link.on_data = self._received

    @property
    def acknowledged(self) -> int | None:
        """Messages that were answered."""
        return self._counter.count if self._answered else None

    def _received(self, data: bytes) -> None:
        self._counter.feed(data)


@dataclass(frozen=True, slots=True)
class RelayLoad(TimedLoad):
    """Lanes through the relay.

    Args:
        content: whose bytes are sent.
        answered: whether every message is answered.
        lanes: senders.
        subscribers: of each lane.
        size: of a content in bytes.
        window: messages of a lane that are on their way.
    """

    content: Literal["native", "xmpp"] = "native"
    answered: bool = False
    lanes: int = 1
    subscribers: int = 1
    size: int = 100
    window: int = 500

    def run(self) -> dict[str, float]:
        """Rates of windows that are kept full."""
        loop = Loop()
        lanes = [self._lane(loop, number) for number in range(self.lanes)]
        return flow(loop, lanes, warm_up=self.warm_up, seconds=self.seconds, watch=self.watch)

    def _lane(self, loop: Loop, number: int) -> Lane:
        receivers = []
        for _ in range(self.subscribers):
            link = connect(loop, self.host, self.port)
            talk(link, _hello(link, b"R%d\n" % number))
            receivers.append(OnewayReceiver(link))
        link = connect(loop, self.host, self.port)
        link.send(b"%b%d\n" % (b"A" if self.answered else b"S", number))
        sender = RelaySender(link, self._message(), answered=self.answered, batch=50)
        return Lane(sender, receivers, self.window)

    def _message(self) -> bytes:
        content = content_of(self.size)
        if self.content == "xmpp":
            return b"<message to='user1@localhost/bench' type='chat' id='m100'><body>" + content + b"</body></message>"
        name = b"publish" if self.answered else b"publishOneway"
        return frame(b"I", b"p100", name, _SESSION, unit(b"<qos/>", b"<key oid='bench'/>", content))


def _hello(link: Link, line: bytes) -> Script[None]:
    link.send(line)
    yield until(b"\n")
