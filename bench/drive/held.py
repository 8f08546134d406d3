"""Loads of many clients in TLS that stay: they write to one another, or their server dies, or what is before it."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.drive.channel import hear, tell
from bench.drive.crowd import Crowd, gather, source
from bench.drive.lane import content_of
from bench.drive.latency import summary
from bench.drive.load import Load, TimedLoad
from bench.drive.loop import DriveError, Link, Loop, Script, TlsLink, connect_for_tls
from bench.drive.sessions import PASSWORD, attribute
from bench.drive.tls import authenticate, client_context
from bench.drive.xmpp import swallow
from bench.drive.xmpp_wire import Managed, bind, enable, resume, whole_elements
from bench.procfs import Usage

_REST = 2.0
_NUMBER = re.compile(rb"<body>(\d+) ")
_ASK = b"<r xmlns='urn:xmpp:sm:3'/>"
_ANSWER = re.compile(rb"<a [^>]*\bh=")


class Reader:
    """Notes when messages of a :class:`PacedLoad` come.

    Args:
        link: of the receiver.
        came: is called with the number of each.
    """

    def __init__(self, link: Link, came: Callable[[int], None]) -> None:
        self._came = came
        self._rest = b""
        link.on_data = self._received

    def _received(self, data: bytes) -> None:
        buffer = self._rest + data
        cut = buffer.rfind(b"</message>") + len(b"</message>") if b"</message>" in buffer else 0
        self._rest = buffer[cut:]
        for found in _NUMBER.finditer(buffer[:cut]):
            self._came(int(found[1]))


@dataclass(frozen=True, slots=True)
class PacedLoad(TimedLoad):
    """Many clients of which each writes seldom: one message at a time, to the full address of the next client.

    Args:
        clients: how many, each with an account of its own.
        rate: messages a second, of all together.
        size: of a body in bytes.
        at_once: clients that log in at a time.
        more_ports: that clients take in turn, beside the first.
    """

    clients: int = 10_000
    rate: int = 2_000
    size: int = 100
    at_once: int = 50
    more_ports: Sequence[int] = ()

    def run(self) -> dict[str, float]:
        """Milliseconds of a message, and what the server needs for it."""
        loop = Loop()
        context = client_context()
        ports = (self.port, *self.more_ports)

        def begin(number: int) -> tuple[Link, Script[str]]:
            link = connect_for_tls(loop, self.host, ports[number % len(ports)], source(number))

            def script() -> Script[str]:
                yield from authenticate(link, context, f"user{number}", PASSWORD)
                jid = yield from bind(link, "bench")
                link.send(b"<presence/>")
                return jid

            return link, script()

        sent: dict[int, float] = {}
        times: list[float] = []

        def came(number: int) -> None:
            times.append(time.perf_counter() - sent.pop(number))

        def read(link: Link, jid: str) -> None:
            Reader(link, came)

        crowd = gather(loop, self.clients, self.at_once, begin, read)
        loop.run_for(_REST)
        self._write(loop, crowd, sent, self.warm_up)
        loop.run(lambda: not sent)
        times.clear()
        start = Usage.now(self.watch)
        self._write(loop, crowd, sent, self.seconds)
        loop.run(lambda: not sent)
        end = Usage.now(self.watch)
        return {
            "delivered_per_s": len(times) / (end.clock - start.clock),
            "per_cpu_s": len(times) / max(end.watched - start.watched, 0.01),
            **summary(times, "delivered"),
            **start.shares(end),
        }

    def _write(self, loop: Loop, crowd: Crowd[str], sent: dict[int, float], seconds: float) -> None:
        padding = content_of(self.size - 8).decode()
        members = crowd.members
        begun = time.perf_counter()
        for number in range(round(seconds * self.rate)):
            while (left := begun + number / self.rate - time.perf_counter()) > 0:
                loop.turn(left)
            link, _ = members[number % len(members)]
            _, to = members[(number + 1) % len(members)]
            sent[number] = time.perf_counter()
            body = f"{number:07d} {padding}"
            link.send(f"<message to='{to}' type='chat'><body>{body}</body></message>".encode())
            loop.turn(0)


@dataclass(slots=True)
class Held:
    """A client with a resumable stream.

    Args:
        number: of the client.
        link: its connection.
        stream: names the stream.
        managed: its counters.
        back: whether its stream is known to live.
    """

    number: int
    link: TlsLink
    stream: bytes
    managed: Managed
    back: bool = False


@dataclass(slots=True)
class Return:
    """How long it takes until clients are back.

    Args:
        began: as the clock of the loop has it.
        times: seconds until each was back.
        retries: connections that were made again.
    """

    began: float = field(default_factory=time.perf_counter)
    times: list[float] = field(default_factory=list)
    retries: int = 0

    def came(self) -> None:
        """One is back."""
        self.times.append(time.perf_counter() - self.began)

    def figures(self, name: str) -> dict[str, float]:
        """Seconds until all are, and of half of them."""
        ordered = sorted(self.times)
        return {f"{name}_all_s": ordered[-1], f"{name}_half_s": ordered[len(ordered) // 2]}


@dataclass(frozen=True, slots=True)
class OutageLoad(Load):
    """Clients behind connection managers, whose broker is killed and started, and then one of the managers.

    Where the broker dies, a client keeps its connection, and is back when its question for the counter is answered.
    Where its manager dies, it connects to another one, logs in and resumes its stream.

    Args:
        clients: how many, each with an account of its own.
        at_once: clients that log in at a time.
        more_ports: that clients take in turn, beside the first; the manager that listens on the first is killed.
    """

    clients: int = 10_000
    at_once: int = 50
    more_ports: Sequence[int] = ()

    def run(self) -> dict[str, float]:
        """Seconds until all are back, after each."""
        loop = Loop()
        context = client_context()
        ports = (self.port, *self.more_ports)
        crowd = gather(
            loop, self.clients, self.at_once, lambda number: self._first(loop, context, ports, number), _count
        )
        clients = [client for _, client in crowd.members]
        loop.run_for(_REST)
        tell(event="joined")
        hear()
        broker = self._ask(loop, clients)
        tell(event="back")
        hear()
        manager = self._move(loop, context, [each for each in clients if each.number % len(ports) == 0])
        return {**broker.figures("broker"), **manager.figures("manager"), "retries": manager.retries}

    def _first(
        self, loop: Loop, context: ssl.SSLContext, ports: Sequence[int], number: int
    ) -> tuple[Link, Script[Held]]:
        link = connect_for_tls(loop, self.host, ports[number % len(ports)], source(number))

        def script() -> Script[Held]:
            yield from authenticate(link, context, f"user{number}", PASSWORD)
            yield from bind(link, "bench")
            answer = yield from enable(link)
            link.send(b"<presence/>")
            return Held(number, link, attribute(answer, b"id"), Managed(link, on=True))

        return link, script()

    def _ask(self, loop: Loop, clients: Sequence[Held]) -> Return:
        outcome = Return()
        for each in clients:
            each.link.on_data = self._until_answered(each, outcome)
            each.link.send(_ASK)
        loop.run(lambda: len(outcome.times) == len(clients))
        return outcome

    def _until_answered(self, client: Held, outcome: Return) -> Callable[[bytes], None]:
        further = swallow(client.managed)
        rest = b""

        def received(data: bytes) -> None:
            nonlocal rest
            buffer = rest + data
            rest = buffer[whole_elements(buffer) :]
            if not client.back and _ANSWER.search(buffer):
                client.back = True
                outcome.came()
            if b"<stream:error" in buffer:
                raise DriveError(f"a connection was not kept: {buffer[-500:]!r}")
            further(data)

        return received

    def _move(self, loop: Loop, context: ssl.SSLContext, clients: Sequence[Held]) -> Return:
        outcome = Return()
        for each in clients:
            each.link.close()

        def begin(number: int) -> tuple[Link, Script[None]]:
            client = clients[number]
            port = self.more_ports[number % len(self.more_ports)]
            link = connect_for_tls(loop, self.host, port, source(client.number))

            def script() -> Script[None]:
                yield from authenticate(link, context, f"user{client.number}", PASSWORD)
                yield from resume(link, client.stream, client.managed.handled)

            return link, script()

        def settle(link: Link, value: None) -> None:
            link.on_data = lambda data: None
            outcome.came()

        crowd = gather(loop, len(clients), len(clients), begin, settle)
        outcome.retries = crowd.retries
        return outcome


def _count(link: Link, client: Held) -> None:
    link.on_data = swallow(client.managed)
