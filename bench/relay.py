"""A relay with nothing behind it: ``python -m bench.relay native|xmpp`` prints its port and passes messages on.

It shows what Twisted alone can do on the machine: messages are cut out of the stream and written to every receiver,
each by a write of its own. A connection says first what it is, in one line: ``R2`` receives on lane 2, ``S2`` sends on
it, ``A2`` sends and gets an answer to every message.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

ANSWER = b"        68\0\0R\0\x001p1\0publish\0session\0\0<qos><state id='OK'/></qos>\0\0000\0"
"""What an acknowledged message is answered with; as long as an answer of the broker."""
_LENGTH = 10
_END = b"</message>"
Cut = Callable[[bytes], tuple[list[bytes], bytes]]


def cut_frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Frames that begin with their length; returns them, and what is left."""
    found: list[bytes] = []
    position, end = 0, len(data)
    while end - position >= _LENGTH and position + (size := int(data[position : position + _LENGTH])) <= end:
        found.append(data[position : position + size])
        position += size
    return found, data[position:]


def cut_stanzas(data: bytes) -> tuple[list[bytes], bytes]:
    """Messages of XMPP; returns them, and what is left."""
    *found, rest = data.split(_END)
    return [each + _END for each in found], rest


class RelayProtocol(Protocol):
    """One connection."""

    def __init__(self, lanes: dict[bytes, list[Any]], cut: Cut) -> None:
        self._lanes = lanes
        self._cut = cut
        self._rest = b""
        self._receivers: list[Any] | None = None
        self._answers = False

    def dataReceived(self, data: bytes) -> None:
        """Pass messages on; before, be told who it is."""
        transport: Any = self.transport
        buffer = self._rest + data if self._rest else data
        if self._receivers is None:
            hello, newline, buffer = buffer.partition(b"\n")
            if not newline:
                self._rest = hello
                return
            lane = self._lanes[hello[1:]]
            self._answers = hello[:1] == b"A"
            self._receivers = lane
            if hello[:1] == b"R":
                lane.append(transport)
                transport.write(b"\n")
        messages, self._rest = self._cut(buffer)
        for message in messages:
            for receiver in self._receivers:
                receiver.write(message)
            if self._answers:
                transport.write(ANSWER)


def main() -> int:
    """Serve until it is killed."""
    cut = {"native": cut_frames, "xmpp": cut_stanzas}[sys.argv[1]]
    lanes: dict[bytes, list[Any]] = defaultdict(list)

    class RelayFactory(Factory):
        noisy = False

        def buildProtocol(self, address: object) -> RelayProtocol:
            return RelayProtocol(lanes, cut)

    loop: Any = reactor
    port = loop.listenTCP(0, RelayFactory(), interface="127.0.0.1")
    print(f"port {port.getHost().port}", flush=True)
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
