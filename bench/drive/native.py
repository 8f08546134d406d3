"""Loads of the native protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.drive.lane import Lane, Receiver, content_of
from bench.drive.latency import probe
from bench.drive.loop import Link, Loop, connect, talk
from bench.drive.native_wire import (
    NativeReceiver,
    NativeSender,
    OnewayReceiver,
    call,
    connect_qos,
    log_in,
    to_session,
    unit,
)
from bench.drive.topic import TopicLoad

MAX_UNDER_WAY = 16 << 20
"""Bytes of contents that are on their way; large contents make the window smaller."""
OID = b"bench"
SENDER = "alice"
RECEIVER = "bob"
PASSWORD = "secret"


@dataclass(frozen=True, slots=True)
class NativeLoad(TopicLoad):
    """One publisher, and subscribers of a topic or one receiver of messages from point to point.

    Args:
        to: a topic with ``subscribers``, or one session that is there.
        session: number of that one.
        oneway: neither publishes nor updates are answered.
        persistent: messages, and the session that they go to.
        bulk: messages in one update.
        array: messages in one request.
    """

    to: Literal["topic", "session"] = "topic"
    session: int = 1
    oneway: bool = False
    persistent: bool = False
    bulk: int = 1
    array: int = 1

    def batches(self) -> tuple[int, int]:
        """Messages on their way, and in one write."""
        window = min(self.window, max(4, MAX_UNDER_WAY // self.size))
        batch = max(self.array, min(50, window // 4) // self.array * self.array)
        return max(window, 4 * batch), batch

    def lane(self, loop: Loop, receivers: Sequence[Receiver]) -> Lane:
        """Log the publisher in."""
        window, batch = self.batches()
        link, session = self._log_in(loop, SENDER)
        sender = NativeSender.of_message(
            link, session, self._message(), oneway=self.oneway, array=self.array, batch=batch, window=window
        )
        return Lane(sender, receivers, window)

    def receiver(self, loop: Loop, number: int, *, first: bool) -> Receiver:
        """Log a subscriber in, or the one receiver; subscriptions end with the session."""
        own = self.to == "session"
        link, session = self._log_in(loop, RECEIVER, number=self.session if own else 0)
        if not own:
            qos = b"<qos><updateOneway>true</updateOneway></qos>" if self.oneway else b"<qos/>"
            talk(link, call(link, b"subscribe", session, unit(qos, b"<key oid='%s'/>" % OID)))
        return OnewayReceiver(link) if self.oneway else NativeReceiver(link, session)

    def _log_in(self, loop: Loop, user: str, number: int = 0) -> tuple[Link, bytes]:
        link = connect(loop, self.host, self.port)
        persistent = self.persistent and number > 0
        qos = connect_qos(user, PASSWORD, number=number, bulk=self.bulk, persistent=persistent)
        session, _ = talk(link, log_in(link, qos))
        return link, session

    def _message(self) -> bytes:
        inner = b"<persistent/>" if self.persistent else b""
        if self.to == "session":
            inner += to_session(f"{RECEIVER}/{self.session}")
        qos = b"<qos>" + inner + b"</qos>" if inner else b"<qos/>"
        return unit(qos, b"<key oid='%s'/>" % OID, content_of(self.size))


@dataclass(frozen=True, slots=True)
class NativeLatency(NativeLoad):
    """One message at a time to one receiver that is there."""

    probes: int = 1000
    pause: float = 0.001

    def run(self) -> dict[str, float]:
        """Milliseconds from the request to its answer and to the update."""
        loop = Loop()
        return probe(loop, self.lane(loop, self.receivers(loop)), self.probes, self.pause)

    def batches(self) -> tuple[int, int]:
        """One message on its way."""
        return 1, 1


@dataclass(frozen=True, slots=True)
class NativeAbsent(NativeLoad):
    """Messages to a session that is away, which then comes back for them."""

    messages: int = 50_000

    def run(self) -> dict[str, float]:
        """Rates of queueing and of draining."""
        return self.run_absent(self.messages)
