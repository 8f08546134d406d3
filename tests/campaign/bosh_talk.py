"""Two clients over BOSH that talk: each message comes once and in order, whatever becomes of the broker."""

from __future__ import annotations

import random
import time

from tests.campaign.checks import Failed, check_stream
from tests.campaign.resuming import PATIENCE
from tests.campaign.ways import Ways
from tests.system.bosh_client import BoshClient, Ended

USERS = ("bosh1", "bosh2")


class BoshTalk:
    """Both of them. Their sessions last: when the broker is back, they send again what was not answered.

    Args:
        ways: to the broker that is killed.
        chance: decides what they do.

    Attributes:
        count: messages that were sent.
    """

    def __init__(self, ways: Ways, chance: random.Random) -> None:
        self._chance = chance
        self._clients = [BoshClient(ways, user) for user in USERS]
        self._sent: list[list[str]] = [[], []]  # to each
        self.count = 0

    def prepare(self) -> None:
        """Log in; the broker must not die meanwhile."""
        for each in self._clients:
            each.begin()

    def step(self) -> None:
        """One of them says something, and takes what has come."""
        own = self._chance.randrange(2)
        if self._chance.random() < 0.5:
            body = f"{USERS[own]}-{self.count}"
            self.count += 1
            self._sent[1 - own].append(body)
            self._clients[own].send(f"{USERS[1 - own]}@localhost/x", body)
        self._step(own)

    def drain(self) -> None:
        """Take what is left, and end the sessions; the broker must not die meanwhile.

        Raises:
            Failed: it does not come.
        """
        until = time.monotonic() + PATIENCE
        while any(len(each.got) < len(sent) for each, sent in zip(self._clients, self._sent, strict=True)):
            for number in range(len(self._clients)):
                self._step(number)
            if time.monotonic() > until:
                break
        self.check()
        for each in self._clients:
            each.end()

    def check(self) -> None:
        """Compare with what was sent."""
        for user, sent, each in zip(USERS, self._sent, self._clients, strict=True):
            check_stream(f"{user} over BOSH", sent, each.got)

    def close(self) -> None:
        """Ask no more."""
        for each in self._clients:
            each.close()

    def _step(self, number: int) -> None:
        try:
            self._clients[number].step(0.01)
        except Ended as error:
            raise Failed(f"the session of {USERS[number]} over BOSH was ended: {error}") from error
