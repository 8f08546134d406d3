"""All XMPP clients of the campaign."""

from __future__ import annotations

import random

from tests.campaign.friends import Friends
from tests.campaign.resources import Resources
from tests.campaign.xmpp_talk import XmppTalk
from tests.system.launcher import BrokerProcess

WEIGHTS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 1, 1))
"""How often talkers, friends and resources do something, each for a while: to log all in takes longer than the broker
often lives.
"""


class Streams:
    """Talkers, friends, and an account with several resources, on one broker.

    Args:
        broker: that is killed.
        chance: decides what they do.
    """

    def __init__(self, broker: BrokerProcess, chance: random.Random) -> None:
        self._chance = chance
        self.talk = XmppTalk(broker, chance)
        self.friends = Friends(broker, chance)
        self.resources = Resources(broker, chance)
        self._kinds = (self.talk, self.friends, self.resources)
        self._weights = WEIGHTS[-1]

    @property
    def messages(self) -> int:
        """Messages that were sent."""
        return self.talk.count + self.resources.count

    def prepare(self) -> None:
        """What must stand before the first kill."""
        self.talk.prepare()
        self.resources.prepare()

    def step(self) -> None:
        """One thing that somebody does."""
        (kind,) = self._chance.choices(self._kinds, self._weights)
        kind.step()

    def cut(self) -> None:
        """All connections are lost; then others talk."""
        self._weights = self._chance.choice(WEIGHTS)
        for kind in self._kinds:
            kind.cut()

    def drain(self) -> None:
        """Everybody takes what is left; raises :class:`Failed` where they do not come to rest."""
        for kind in self._kinds:
            kind.drain()

    def check(self) -> None:
        """Compare with the models, after :meth:`drain`; raises :class:`Failed` where a promise is broken."""
        for kind in self._kinds:
            kind.check()
