"""What is done to connection managers and their links, while the broker may die at any of its points."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Sequence

from tests.campaign.managers import Manager

Talk = Callable[[float], None]
"""Lets clients talk for some seconds, or until the broker dies."""
LONGEST = 20_000
"""Bytes that are passed at most before a link is cut."""
SLOWEST = 0.02
"""Seconds that a piece of a slow link's bytes takes at most."""


class ManagerFaults:
    """Faults by name; each is called with what lets clients talk.

    Args:
        managers: that run.
        chance: decides when, and which of them.
    """

    def __init__(self, managers: Sequence[Manager], chance: random.Random) -> None:
        self._managers = managers
        self._chance = chance
        self.usual: dict[str, Callable[[Talk], None]] = {
            "SIGKILL of a manager": self.killed,
            "SIGTERM of a manager": self.terminated,
            "SIGTERM of a manager twice": self.terminated_twice,
            "a link cut at some byte": self.link_cut,
            "all links of a manager cut": self.links_cut,
            "what a manager is sent is lost": self.answers_lost,
            "no link for a while": self.links_away,
            "slow links": self.links_slow,
        }

    def killed(self, talk: Talk) -> None:
        """SIGKILL at any time; clients go on over another way."""
        talk(self._some_time())
        self._one().kill()
        talk(self._some_time())

    def terminated(self, talk: Talk) -> None:
        """SIGTERM at any time."""
        talk(self._some_time())
        self._one().stop()
        talk(self._some_time())

    def terminated_twice(self, talk: Talk) -> None:
        """SIGTERM, and again before it has ended."""
        talk(self._some_time())
        manager = self._one()
        manager.about_to_stop()
        with contextlib.suppress(ProcessLookupError):  # it has died at a point
            os.kill(manager.process.pid, signal.SIGTERM)
        time.sleep(self._chance.uniform(0, 0.1))
        manager.stop()

    def link_cut(self, talk: Talk) -> None:
        """A link is lost amid what is sent over it, more than once."""
        for _ in range(self._chance.randint(1, 4)):
            self._one().proxy.cut_after(self._chance.randint(1, LONGEST))
            talk(self._some_time())

    def links_cut(self, talk: Talk) -> None:
        """All links of a manager are lost, more than once."""
        for _ in range(self._chance.randint(1, 3)):
            talk(self._some_time())
            self._one().proxy.cut()
        talk(self._some_time())

    def answers_lost(self, talk: Talk) -> None:
        """What the broker sends to a manager does not arrive, then its links are lost."""
        for _ in range(self._chance.randint(1, 3)):
            talk(self._some_time())
            self._one().proxy.lose_answers(self._chance.uniform(0.005, 0.1))
        talk(self._some_time())

    def links_away(self, talk: Talk) -> None:
        """A manager has no link for a while."""
        manager = self._one()
        talk(self._some_time())
        manager.proxy.leave()
        talk(self._some_time())
        manager.proxy.come_back()
        talk(self._some_time())

    def links_slow(self, talk: Talk) -> None:
        """The links of a manager are slow, and sometimes lost then."""
        manager = self._one()
        manager.proxy.slow_down(self._chance.uniform(0.001, SLOWEST))
        talk(3 * self._some_time())
        if self._chance.random() < 0.5:
            manager.proxy.cut()
            talk(self._some_time())
        manager.proxy.slow_down(0.0)

    def _one(self) -> Manager:
        return self._chance.choice(self._managers)

    def _some_time(self) -> float:
        return self._chance.uniform(0.02, 0.4)
