"""Clients that resume their streams, ask, and come to rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from broker.xml.stanza import Stanza
from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from tests.campaign.checks import Failed
from tests.campaign.ways import Ways
from tests.system.launcher import LaunchError, wait_until
from tests.system.stream_client import StreamClient

PATIENCE = 60.0
DYING = 0.1
"""Seconds after which a process that was killed is known to be gone, though its connections were closed before."""
LOGIN = 2.0
"""Seconds for which a client waits for an answer while it logs in; it tries again then."""


class Patient(StreamClient):
    """A client that tries again where the broker gives no answer to its login, because its store cannot work.

    It takes another way for each connection. Where that leads over a connection manager, the connection must stay open
    while the manager lives, whatever becomes of the broker: the stream can be resumed.

    Args:
        ways: to the broker that is killed.
        user: whose password is ``secret``.
        resource: of its JID.
    """

    def __init__(self, ways: Ways, user: str, resource: str = "x") -> None:
        super().__init__(ways, user, resource, patience=LOGIN)
        self._ways = ways
        self._life = 0  # of the manager that holds the connection, once the stream can be resumed
        self._error = ""

    def go_on(self) -> bool:
        """Connect and resume, or begin anew; tells whether it worked."""
        if not self._ways.is_open:
            self.cut()
            return False
        self.listener = self._ways.choose()
        life = self._ways.life(self.listener)
        try:
            done = super().go_on()
        except LaunchError:
            self.cut()
            return False
        if done:
            self.hold(life)
        return done

    def hold(self, life: int) -> None:
        """The stream can be resumed, so that the manager must keep the connection open.

        Args:
            life: of the manager; see :meth:`tests.campaign.ways.Ways.life`.
        """
        self._life = life

    @property
    def is_held(self) -> bool:
        """Whether it has a connection that a manager must keep open."""
        return self.attached and self._ways.is_living(self.listener, self._life)

    def dropped(self) -> None:
        """The other side has closed the connection."""
        life, error = self._life, self._error
        self.cut()
        if self._ways.is_living(self.listener, life):
            time.sleep(DYING)
            if self._ways.is_living(self.listener, life):
                self._ways.lost(f"{self.user}/{self.resource} over {self.listener} {error}")

    def cut(self) -> None:
        """Lose the connection."""
        super().cut()
        self._life = 0
        self._error = ""

    def end(self) -> None:
        """End the stream in good order; the session with it."""
        self._life = 0
        super().end()

    def _take(self, stanza: Stanza) -> None:
        if (stanza.namespace, stanza.name) == (ns.STREAM, "error"):
            self._error = stanza.raw.decode()
        super()._take(stanza)

    def rest(self) -> None:
        """Have all that has come acknowledged, until nothing more comes; the broker must not die meanwhile."""
        told = -1
        while told != self.h:
            told = self.h
            self.ask()
            wait_until(self._is_answered, PATIENCE)

    def _is_answered(self) -> bool:
        self.read(0.05)
        return not self.asking


class Asking(Patient):
    """A client that also asks.

    Attributes:
        asked: ids of its requests; each is counted in the end, so each must have had its effect.
        owed: those of this session that have no answer yet.
        answers: type of the answer to each request, by its id.
        result: the last answer.
    """

    def __init__(self, ways: Ways, user: str) -> None:
        super().__init__(ways, user)
        self.asked: list[str] = []
        self.owed: set[str] = set()
        self.answers: dict[str, str] = {}
        self.result: Tree | None = None

    def request(self, type: str, payload: str, to: str = "") -> str:
        """Ask; returns the id."""
        id = f"{self.user}-{len(self.asked)}"
        self.asked.append(id)
        self.owed.add(id)
        address = f" to='{to}'" if to else ""
        self.send_stanza(f"<iq type='{type}' id='{id}'{address}>{payload}</iq>")
        return id

    def take_stanza(self, stanza: Stanza) -> None:
        """A stanza has come, and is counted."""
        if stanza.name == "iq" and stanza.attributes.get("type") in ("result", "error"):
            id = stanza.attributes["id"]
            if id not in self.owed:
                raise Failed(f"{self.user}: {'another' if id in self.asked else 'a strange'} answer to {id}")
            self.owed.remove(id)
            self.answers[id] = stanza.attributes["type"]
            self.result = stanza.tree()
        else:
            super().take_stanza(stanza)

    def answer(self, type: str, payload: str, to: str = "") -> Tree:
        """Ask, and wait for the answer; the broker must not die meanwhile."""
        id = self.request(type, payload, to)

        def answered() -> bool:
            self.ask()
            self.read(0.05)
            return id in self.answers

        wait_until(answered, PATIENCE)
        assert self.result is not None
        return self.result

    def roster(self) -> list[Tree]:
        """The items of its roster."""
        query = self.answer("get", f"<query xmlns='{ns.ROSTER}'/>").find(ns.ROSTER, "query")
        return [] if query is None else query.children

    def forget(self) -> None:
        """Lose the connection, and begin anew the next time; an answer is for the session that asked."""
        super().forget()
        self.owed.clear()

    def check_answers(self) -> None:
        """Raises :class:`Failed` where a request was refused, or has no answer."""
        refused = [id for id, type in self.answers.items() if type != "result"]
        if refused:
            raise Failed(f"requests of {self.user} were refused: {refused}")
        if self.owed:
            raise Failed(f"requests of {self.user} without an answer: {self.owed}")


def done_while_moving(done: Callable[[], bool], progress: Callable[[], object]) -> bool:
    """Ask again and again whether something is done, as long as it goes on: a busy machine may take its time.

    Args:
        done: does a part of it, and tells whether it is.
        progress: a value that changes as long as it goes on.

    Returns:
        Whether it is done; else nothing has moved for :data:`PATIENCE`.
    """
    before = progress()
    until = time.monotonic() + PATIENCE
    while not done():
        now = progress()
        if now != before:
            before, until = now, time.monotonic() + PATIENCE
        elif time.monotonic() > until:
            return False
    return True


def come_to_rest(clients: Sequence[Patient], complete: Callable[[], bool], explain: Callable[[], None]) -> None:
    """Everybody comes, takes what is left, and is told that all that it sent has been counted.

    Args:
        clients: all of them.
        complete: whether they have got everything.
        explain: called where nothing moves any more; raises if it knows what is missing.

    Raises:
        Failed: they do not come to rest.
    """

    def done() -> bool:
        if all(each.attached and not each.unacked for each in clients) and complete():
            return True
        for client in clients:
            client.ask() if client.attached else client.go_on()
            client.read(0.01)
        return False

    if not done_while_moving(done, lambda: [(each.h, each.acked) for each in clients]):
        explain()
        told = [f"{each.user}/{each.resource} {len(each.unacked)} unacknowledged" for each in clients]
        raise Failed(f"the streams do not come to rest: {', '.join(told)}")
    for client in clients:
        client.rest()
