"""All XMPP clients of the campaign."""

from __future__ import annotations

import random
import time

from tests.campaign.bosh_talk import BoshTalk
from tests.campaign.checks import Failed
from tests.campaign.friends import Friends
from tests.campaign.participants import Participants
from tests.campaign.resources import Resources
from tests.campaign.resuming import PATIENCE, Patient
from tests.campaign.unmanaged import UnmanagedTalk
from tests.campaign.ways import Ways
from tests.campaign.xmpp_talk import XmppTalk

STAYS = 0.7
"""Share of the rounds after which connections that managers have kept open stay open."""
WEIGHTS = ((1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 0, 1), (2, 1, 1, 1, 1))
"""How often talkers, friends, resources, clients without stream management and those over BOSH do something, each for a
while: to log all in takes longer than the broker often lives.
"""


class Streams:
    """Talkers, friends, an account with several resources, clients without stream management, and those over BOSH.

    Args:
        ways: to the broker that is killed.
        chance: decides what they do.
        participants: which of them take part.
    """

    def __init__(self, ways: Ways, chance: random.Random, participants: Participants) -> None:
        self._chance = chance
        self.talk = XmppTalk(ways, chance)
        self.friends = Friends(ways, chance)
        self.resources = Resources(ways, chance)
        self.unmanaged = UnmanagedTalk(ways, chance)
        self.bosh = BoshTalk(ways, chance)
        self._ways = ways
        self._managed = (self.talk, self.friends, self.resources)
        self._kinds = (*self._managed, self.unmanaged, self.bosh)
        self._has_bosh = participants.bosh
        self._present = self._kinds if self._has_bosh else self._kinds[:-1]
        self._choices = WEIGHTS if self._has_bosh else [(*each[:-1], 0) for each in WEIGHTS if any(each[:-1])]
        self._weights = self._choices[-1]

    @property
    def messages(self) -> int:
        """Messages that were sent."""
        return self.talk.count + self.resources.count + self.unmanaged.count + self.bosh.count

    def prepare(self) -> None:
        """What must stand before the first kill."""
        self.talk.prepare()
        self.resources.prepare()
        if self._has_bosh:
            self.bosh.prepare()

    def step(self) -> None:
        """One thing that somebody does."""
        (kind,) = self._chance.choices(self._kinds, self._weights)
        kind.step()

    def settle(self) -> None:
        """Connections that managers must have kept open are open, and all that was sent over them has been counted.

        Raises:
            Failed: they are not, or it has not.
        """
        waiting = [each for each in self._everybody if each.is_held]
        until = time.monotonic() + PATIENCE
        while waiting and self._ways.is_open:
            for each in waiting:
                each.ask()
                each.read(0.01)
            waiting = [each for each in waiting if each.is_held and each.unacked]
            if time.monotonic() > until:
                told = [f"{each.user}/{each.resource} over {each.listener}: {len(each.unacked)}" for each in waiting]
                raise Failed(f"what was sent over managers is not counted: {', '.join(told)}")
        self._ways.check()

    def attend(self) -> None:
        """Have those read whose connections managers hold: once the broker is back, they have a time to answer in."""
        for each in self._everybody:
            if each.is_held:
                each.read()

    def part(self) -> None:
        """Connections are lost, but most of those that managers hold; then others talk."""
        stays = self._chance.random() < STAYS
        for each in self._everybody:
            if not (stays and each.is_held):
                each.cut()
        for other in self.unmanaged.clients:
            other.cut()  # else all that it sends is for a session that went with the broker
        self._weights = self._chance.choice(self._choices)

    def cut(self) -> None:
        """All connections are lost."""
        for each in (*self._everybody, *self.unmanaged.clients):
            each.cut()

    @property
    def _everybody(self) -> list[Patient]:
        """Those that resume their streams."""
        return [each for kind in self._managed for each in kind.clients]

    def drain(self) -> None:
        """Everybody takes what is left; raises :class:`Failed` where they do not come to rest."""
        for kind in self._present:
            kind.drain()

    def check(self) -> None:
        """Compare with the models, after :meth:`drain`; raises :class:`Failed` where a promise is broken."""
        for kind in self._present:
            kind.check()
