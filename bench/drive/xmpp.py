"""Loads of XMPP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.drive import tls
from bench.drive.lane import Lane, flow
from bench.drive.latency import probe
from bench.drive.load import TimedLoad
from bench.drive.loop import Link, Loop, connect, connect_for_tls, talk
from bench.drive.xmpp_wire import Managed, XmppReceiver, XmppSender, count_stanzas, enable, log_in, whole_elements

PASSWORD = "secret"
_QUIET = 0.3


def account(number: int) -> str:
    """Name of an account of the XMPP cases."""
    return f"user{number}"


@dataclass(slots=True)
class Client:
    """Who is logged in."""

    link: Link
    managed: Managed
    jid: str
    sent: int
    """Stanzas since stream management was switched on."""


@dataclass(frozen=True, slots=True)
class XmppLoad(TimedLoad):
    """Pairs: one sends chat messages to the full address of the other.

    Args:
        pairs: of clients, every client with an account of its own.
        managed: whether stream management is used, and what was sent counts when it is acknowledged, too.
        size: of a body in bytes.
        window: messages of a pair that are on their way.
        probes: messages that are sent one at a time before, for latency.
        tls: whether clients start TLS.
    """

    pairs: int = 1
    managed: bool = False
    size: int = 100
    window: int = 500
    probes: int = 200
    tls: bool = False

    def run(self) -> dict[str, float]:
        """Milliseconds of a message when there is no load, and rates of a window that is kept full."""
        loop = Loop()
        clients = [self._log_in(loop, number) for number in range(2 * self.pairs)]
        loop.run_for(_QUIET)
        pairs = list(zip(clients[::2], clients[1::2], strict=True))
        latency: dict[str, float] = {}
        if self.probes:
            lane = self._lane(*pairs[0], window=1, batch=1)
            latency = probe(loop, lane, self.probes, 0.002)
            pairs[0][0].sent += lane.sent
        lanes = [self._lane(*pair, window=self.window, batch=50) for pair in pairs]
        return latency | flow(loop, lanes, warm_up=self.warm_up, seconds=self.seconds, watch=self.watch)

    def _log_in(self, loop: Loop, number: int) -> Client:
        link: Link
        if self.tls:
            link = secured = connect_for_tls(loop, self.host, self.port)
            script = tls.log_in(secured, account(number), PASSWORD, "bench")
        else:
            link = connect(loop, self.host, self.port)
            script = log_in(link, account(number), PASSWORD, "bench")
        jid, rest = talk(link, script)
        if self.managed:
            _, rest = talk(link, enable(link))
        managed = Managed(link, on=self.managed)
        link.on_data = swallow(managed)
        if rest:
            link.on_data(rest)
        link.send(b"<presence/>")
        return Client(link, managed, jid, sent=1)

    def _lane(self, sender: Client, receiver: Client, *, window: int, batch: int) -> Lane:
        sending = XmppSender(
            sender.link,
            sender.managed,
            receiver.jid,
            size=self.size,
            batch=batch,
            window=window,
            asks=self.managed,
            handled=sender.sent,
        )
        return Lane(sending, [XmppReceiver(receiver.link, receiver.managed)], window)


def swallow(managed: Managed) -> Callable[[bytes], None]:
    """Count stanzas that are no messages of the load, such as presence."""
    rest = b""

    def received(data: bytes) -> None:
        nonlocal rest
        buffer = rest + data
        cut = whole_elements(buffer)
        rest = buffer[cut:]
        managed.came(count_stanzas(buffer[:cut]), buffer[:cut])

    return received
