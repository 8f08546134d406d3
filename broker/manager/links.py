"""All links of the manager, and the clients that want to be carried over one of them."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from broker.manager.carrier import Carrier, Unavailable
from broker.manager.client import Client
from broker.manager.settings import NAME
from broker.timers import cancel
from broker.xml.stanza import StreamStart

log = Logger()


class Wire(Protocol):
    """The connection of a link."""

    @property
    def server(self) -> str:
        """Where it leads to, for the log."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Send what was written, then close."""

    def abort(self) -> None:
        """Close now."""

    def refused(self, reason: str) -> None:
        """Close now: the server does not want the link, and would not take the next one either.

        Args:
            reason: for people.
        """


class Link(Protocol):
    """A link over which clients are carried, whatever it speaks."""

    @property
    def load(self) -> int:
        """Sessions on it."""

    @property
    def run(self) -> str:
        """Names the server's process; empty where it does not tell."""

    def carry(self, client: Client, header: StreamStart) -> Carrier:
        """Carry the stream of a client.

        Raises:
            Unavailable: it cannot.
        """

    def adopt(self, session: Session) -> None:
        """A session that has lost its link may go on over this one."""

    def drain(self) -> None:
        """The manager stops: say so, and close."""


class Session(Hashable, Protocol):
    """A client's session with the server."""

    @property
    def run(self) -> str:
        """Names the server's process that has it."""

    def give_up(self, condition: str, text: str) -> None:
        """No server is reached any more."""


class Links:
    """The links that are open, the sessions that have lost theirs, and the clients that wait for one.

    Args:
        clock: of deadlines.
        grace: seconds that sessions are kept while there is no link.
        patience: seconds that a new client waits for a link.
    """

    def __init__(self, clock: IReactorTime, grace: float, patience: float) -> None:
        self._clock = clock
        self._grace = grace
        self._patience = patience
        self._numbers = count(1)
        self._open: list[Link] = []
        self._sessions: set[Session] = set()
        self._detached: dict[Session, None] = {}
        self._waiting: dict[Client, tuple[StreamStart, IDelayedCall]] = {}
        self._overdue: IDelayedCall | None = None
        self._draining = False
        self._others_told = False
        self._emptied: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    @property
    def sessions(self) -> int:
        """Sessions of clients with the server."""
        return len(self._sessions)

    @property
    def sessions_detached(self) -> int:
        """Those of them that have lost their link."""
        return len(self._detached)

    @property
    def clients_waiting(self) -> int:
        """Clients that wait for a link."""
        return len(self._waiting)

    # What clients say

    def come(self, client: Client, header: StreamStart) -> None:
        """A client has begun its stream, and wants to be carried."""
        if self._draining:
            client.fail("system-shutdown", "the connection manager stops")
        elif self._open:
            self._carry(client, header)
        else:
            self._waiting[client] = (header, self._clock.callLater(self._patience, self._unreached, client))

    def gone(self, client: Client) -> None:
        """A client's connection is gone."""
        _, call = self._waiting.pop(client, (None, None))
        cancel(call)

    # What links say

    def ready(self, link: Link) -> None:
        """A link is open."""
        cancel(self._overdue)
        self._overdue = None
        self._open.append(link)
        detached, self._detached = self._detached, {}
        for session in detached:
            self._place(session)
        waiting, self._waiting = self._waiting, {}
        for client, (header, call) in waiting.items():
            cancel(call)
            self.come(client, header)

    def leaving(self, link: Link) -> None:
        """A link takes no more sessions: it is gone, or going."""
        if link in self._open:
            self._open.remove(link)
        if not self._open and self._overdue is None:
            self._overdue = self._clock.callLater(self._grace, self._give_up)

    def others_found(self, server: str) -> None:
        """Other processes are linked to a server under the manager's name: the log tells once."""
        if not self._others_told:
            self._others_told = True
            log.warn(
                "{server} has links of another manager with the same name: give each a {name} of its own",
                server=server,
                name=NAME.name,
            )

    # What sessions say

    def next_number(self) -> int:
        """A number that no session had."""
        return next(self._numbers)

    def began(self, session: Session) -> None:
        """A session has begun."""
        self._sessions.add(session)

    def detached(self, session: Session) -> None:
        """A session has no link, and wants one."""
        if self._open:
            self._place(session)
        else:
            self._detached[session] = None

    def ended(self, session: Session) -> None:
        """A session is over."""
        self._sessions.discard(session)
        self._detached.pop(session, None)
        self._look()

    # The end

    def drain(self) -> Deferred[None]:
        """Take no more clients; fires when no session is left."""
        self._draining = True
        for client in list(self._waiting):
            client.fail("system-shutdown", "the connection manager stops")
        emptied = self._emptied = Deferred()
        self._look()
        return emptied

    def close(self) -> None:
        """Close all links."""
        cancel(self._overdue)
        for link in list(self._open):
            link.drain()

    def _look(self) -> None:
        if self._emptied is not None and not self._sessions:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

    # Placing

    def _carry(self, client: Client, header: StreamStart) -> None:
        link = min(self._open, key=lambda each: each.load)
        try:
            carrier = link.carry(client, header)
        except Unavailable as error:
            client.fail(error.condition, error.text)
        else:
            client.carry(carrier)

    def _place(self, session: Session) -> None:
        """Put a session on a link to the process that has it, or else on any."""
        own = [link for link in self._open if link.run == session.run]
        min(own or self._open, key=lambda each: each.load).adopt(session)

    def _unreached(self, client: Client) -> None:
        self._waiting.pop(client, None)
        client.fail("remote-connection-failed", "the server cannot be reached at the moment")

    def _give_up(self) -> None:
        self._overdue = None
        detached, self._detached = self._detached, {}
        if detached:
            count_ = len(detached)
            log.error("no server was reached for {grace} s: {count} clients are told", grace=self._grace, count=count_)
        for session in detached:
            session.give_up("remote-connection-failed", "the server cannot be reached any more")
