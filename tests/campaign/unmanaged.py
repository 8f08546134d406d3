"""Clients without stream management behind a connection manager that speaks routes, which acknowledge nothing.

Neither the broker nor the manager can know then what a client has got when a link, the manager or the broker dies. So
a message may be lost, and one that is given back as not delivered may come again, marked as delayed. What must hold all
the same says :func:`tests.campaign.checks.check_unmanaged`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from broker.xml.stanza import Stanza
from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from tests.campaign.checks import check_unmanaged
from tests.campaign.resuming import LOGIN, PATIENCE
from tests.campaign.ways import Ways
from tests.system.launcher import LaunchError, wait_until
from tests.system.stream_client import StreamClient

NAMES = ("kim", "lee", "max")
RUDE = 0.2
"""Share of the connections that their clients cut, and do not end in good order."""


class Unmanaged(StreamClient):
    """One of them.

    Args:
        ways: to the broker that is killed.
        user: whose password is ``secret``.

    Attributes:
        live: bodies that have come without a mark of delay, in order.
        delayed: those with one.
    """

    is_held = False

    def __init__(self, ways: Ways, user: str) -> None:
        super().__init__(ways, user, patience=LOGIN)
        self.live: list[str] = []
        self.delayed: list[str] = []
        self._ways = ways

    def go_on(self) -> bool:
        """Connect and begin a session; tells whether it worked."""
        if not self._ways.is_open:
            self.cut()
            return False
        self.listener = self._ways.choose_routes()
        try:
            return super().go_on()
        except LaunchError:
            self.cut()
            return False

    def send_stanza(self, stanza: str) -> None:
        """Send a stanza; nobody tells whether it arrives."""
        self._write(stanza)

    def ask(self) -> None:
        """Nothing is counted, so there is nothing to ask."""

    def leave(self) -> None:
        """End the stream in good order, and take what comes before the other side ends it, too."""
        self.end()
        until = time.monotonic() + LOGIN
        while self.attached and time.monotonic() < until:
            self.read(0.02)
        self.cut()

    @property
    def came(self) -> int:
        """Messages that have come."""
        return len(self.live) + len(self.delayed)

    def _begin(self) -> None:
        bind = f"<bind xmlns='{ns.BIND}'><resource>{self.resource}</resource></bind>"
        self._write(f"<iq type='set' id='b'>{bind}</iq>")
        self._expect("iq")
        self._write("<presence/>")

    def _take(self, stanza: Stanza) -> None:
        if (stanza.namespace, stanza.name) == (ns.CLIENT, "message"):
            message = stanza.tree()
            bodies = self.delayed if _is_delayed(message) else self.live
            bodies.append(message.text_of(ns.CLIENT, "body"))


class UnmanagedTalk:
    """All of them, who write to each other.

    Args:
        ways: to the broker that is killed.
        chance: decides what they do.

    Attributes:
        count: messages that were sent.
    """

    def __init__(self, ways: Ways, chance: random.Random) -> None:
        self._chance = chance
        self._all = [Unmanaged(ways, name) for name in NAMES]
        self._sent: dict[tuple[str, str], list[str]] = {}
        self.count = 0

    @property
    def clients(self) -> Sequence[Unmanaged]:
        """All of them."""
        return self._all

    @property
    def arrived(self) -> int:
        """Messages that have come at least once."""
        return sum(len({*each.live, *each.delayed} & self._sent_to(each)) for each in self._all)

    def step(self) -> None:
        """One thing that one of them does."""
        client = self._chance.choice(self._all)
        if not client.attached:
            client.go_on()
            return
        match self._chance.randrange(10):
            case 0:
                if self._chance.random() < RUDE:
                    client.cut()  # what it has not read is lost
                else:
                    client.leave()
            case 1 | 2 | 3 | 4:
                client.read()
            case _:
                self._say(client)

    def drain(self) -> None:
        """Everybody takes what is left.

        Raises:
            LaunchError: they do not come to rest.
        """
        for each in self._all:
            wait_until(lambda each=each: self._is_drained(each), PATIENCE)  # type: ignore[misc]

    def check(self) -> None:
        """Compare with what was sent; raises :class:`tests.campaign.checks.Failed` where a promise is broken."""
        for receiver in self._all:
            for sender in self._all:
                mark = f"{sender.user}>{receiver.user} "
                live, delayed = (
                    [body for body in bodies if body.startswith(mark)] for bodies in (receiver.live, receiver.delayed)
                )
                check_unmanaged(mark.strip(), self._sent.get((sender.user, receiver.user), []), live, delayed)

    def _say(self, sender: Unmanaged) -> None:
        receiver = self._chance.choice([each for each in self._all if each is not sender])
        for _ in range(self._chance.randint(1, 5)):
            self._send(sender, receiver)

    def _send(self, sender: Unmanaged, receiver: Unmanaged) -> str:
        self.count += 1
        body = f"{sender.user}>{receiver.user} {self.count}"
        self._sent.setdefault((sender.user, receiver.user), []).append(body)
        sender.send(f"{receiver.user}@localhost" + self._chance.choice(("", f"/{receiver.resource}")), body)
        return body

    def _sent_to(self, receiver: Unmanaged) -> set[str]:
        return {body for (_, user), sent in self._sent.items() if user == receiver.user for body in sent}

    def _is_drained(self, client: Unmanaged) -> bool:
        """Whether a message to oneself comes, and nothing else before it."""
        if not client.attached and not client.go_on():
            return False
        before, body = client.came, self._send(client, client)
        for _ in range(100):
            client.read(0.05)
            if body in client.live or not client.attached:
                break
        return body in client.live and client.came == before + 1


def _is_delayed(message: Tree) -> bool:
    return message.find(ns.DELAY, "delay") is not None
