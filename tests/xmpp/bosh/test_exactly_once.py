"""A bad network and a broker that is killed: each message comes once and in order over BOSH."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from broker.xmpp.bosh.session import GATHERING
from tests.xmpp.bosh.peer import Asked, Office, bound
from tests.xmpp.world import World

MESSAGES = 40


@dataclass(slots=True)
class Open:
    """A request of which the client has no answer."""

    rid: int
    payload: str
    asked: Asked


class Client:
    """Joe, who sends each request until it is answered.

    Args:
        office: that he talks to.
        chance: decides what is lost.
        options: of the session.

    Attributes:
        got: bodies that have come.
        to_send: payloads that wait for a request.
    """

    def __init__(self, office: Office, chance: random.Random, **options: object) -> None:
        self.office = office
        self.peer = bound(office, "joe", **options)
        self.got: list[str] = []
        self.to_send: list[str] = []
        self._chance = chance
        self._uses_ack = "ack" in options
        self._open: list[Open] = []

    def step(self, loss: float) -> None:
        """Take answers, some of which are lost, and have requests open."""
        while self._open and self._open[0].asked.answer is not None:
            first = self._open[0]
            if self._chance.random() < loss:
                self._send_again(first)
                return
            assert not first.asked.condition, first.asked.answer
            self.got += first.asked.bodies
            del self._open[0]
        if self._open and self._chance.random() < loss / 3:
            self._send_again(self._chance.choice(self._open))
        if len(self._open) < 2 and (self.to_send or not self._open):
            payload = "".join(self.to_send[:3])
            del self.to_send[:3]
            rid = self.peer.rid
            self._open.append(Open(rid, payload, self.peer.ask(payload, turn=True, **self._acks())))

    def leave(self) -> None:
        """End the session, with nothing lost on the way."""
        while self._open and self._open[0].asked.answer is not None:
            self.step(0.0)
        self.peer.ask("", rid=None, turn=True, type="terminate", **self._acks())

    def come_back(self) -> None:
        """The broker was killed: everything that is not answered is sent again."""
        for each in self._open if self._chance.random() < 0.7 else self._open[::-1]:
            self._send_again(each)
        self.office.world.advance(GATHERING)
        self.office.world.turn()

    def _send_again(self, each: Open) -> None:
        each.asked.lose()
        each.asked = self.peer.ask(each.payload, rid=each.rid, turn=True, **self._acks())

    def _acks(self) -> dict[str, int]:
        if not self._uses_ack or not self._open:
            return {}
        return {"ack": self._open[0].rid - 1}


@pytest.mark.parametrize("options", [{}, {"ack": 1}], ids=["by the window", "by ack"])
@pytest.mark.parametrize("kills", [0.0, 0.1], ids=["a bad network", "a broker that is killed"])
@pytest.mark.parametrize("seed", range(6))
def test_each_message_comes_once_and_in_order(seed: int, kills: float, options: dict[str, int]) -> None:
    chance = random.Random(seed)
    world = World()
    office = Office(world)
    joe = Client(office, chance, **options)
    jack = world.bind("jack@localhost/y", sm=True)
    sent: list[str] = []
    got: list[str] = []
    for step in range(20 * MESSAGES):
        if len(sent) < MESSAGES and chance.random() < 0.5:
            sent.append(str(len(sent)))
            jack.send(f"<message to='joe@localhost/x' type='chat'><body>{sent[-1]}</body></message>")
            body = f"<body>{sent[-1]}</body>"
            joe.to_send.append(f"<message xmlns='jabber:client' to='jack@localhost/y' type='chat'>{body}</message>")
        got += jack.bodies()
        if chance.random() < 0.3:
            jack.ack()
        if chance.random() < kills and step < 15 * MESSAGES:
            id, h = jack.id, jack.h
            office.crash()
            jack = office.world.peer()
            jack.login("jack")
            trees = jack.resume(id, h)
            got += [tree.text_of("jabber:client", "body") for tree in trees if tree.name == "message"]
            joe.come_back()
        joe.step(0.3)
        if len(sent) == MESSAGES == len(joe.got) == len(got):
            break
    assert joe.got == sent
    assert got == sent
    joe.leave()
    assert office.world.bind("joe@localhost/z").bodies() == []
