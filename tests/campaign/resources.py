"""An account with several resources, and messages to all of them or to one."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.campaign.checks import Failed, check_part, check_stream
from tests.campaign.resuming import PATIENCE, Patient, come_to_rest
from tests.campaign.ways import Ways
from tests.system.launcher import wait_until

ACCOUNT = "team"
EVERYWHERE = ("desk", "phone", "pad")
"""Resources that get what is sent to the bare JID."""
ABSENT = "pad"
"""Away most of the time, with a stream that it resumes."""
ASIDE = "robot"
"""Has a negative priority, so it gets only what is sent to itself (RFC 6121 §8.5.2.1.1)."""
GUEST = "guest"
"""Comes and goes; what it has not taken is for nobody else, because all others have copies of their own."""
SENDERS = ("tess", "tom")


class Guest(Patient):
    """A client that begins anew."""

    def leave(self, *, farewell: bool) -> None:
        """Forget the stream, which its next one ends where it is not ended in good order."""
        if farewell:
            self.end()
        self.forget()


class Resources:
    """The account, and those who write to it.

    All resources but the guest are there from the first message to the end, with a connection or waiting to be resumed.
    So who gets what is known.

    Args:
        ways: to the broker that is killed.
        chance: decides what they do.

    Attributes:
        count: messages that were sent.
    """

    def __init__(self, ways: Ways, chance: random.Random) -> None:
        self._chance = chance
        self._members = [Patient(ways, ACCOUNT, resource) for resource in (*EVERYWHERE, ASIDE)]
        self._senders = [Patient(ways, user) for user in SENDERS]
        self._guest = Guest(ways, ACCOUNT, GUEST)
        self._all = [*self._members, *self._senders, self._guest]
        self._sent: dict[tuple[str, str], list[str]] = {
            (sender, member.resource): [] for sender in SENDERS for member in self._members
        }
        self._to_all: dict[str, list[str]] = {sender: [] for sender in SENDERS}
        self.count = 0

    def prepare(self) -> None:
        """Log in, and be there for messages; before the first kill.

        Raises:
            Failed: somebody cannot log in.
        """
        for each in self._all:
            if not each.go_on():
                raise Failed(f"{each.user}/{each.resource} cannot log in")
            if each.resource == ASIDE:
                each.send_stanza("<presence><priority>-1</priority></presence>")
            wait_until(lambda each=each: self._is_counted(each), PATIENCE)  # type: ignore[misc]

    @property
    def clients(self) -> Sequence[Patient]:
        """All of them."""
        return self._all

    def step(self) -> None:
        """One thing that one of them does."""
        client = self._chance.choice(self._all)
        if not client.attached:
            if client.resource != ABSENT or self._chance.random() < 0.05:
                client.go_on()
            return
        match self._chance.randrange(12):
            case 0:
                client.cut()
            case 1 | 2:
                client.ask()
            case 3 | 4 | 5 | 6:
                client.read()
            case 7 | 8 if client is self._guest:
                self._guest.leave(farewell=self._chance.random() < 0.7)
            case _ if client in self._senders:
                self._say(client)

    def drain(self) -> None:
        """Everybody takes what is left; raises :class:`Failed` where they do not come to rest."""
        messages = sum(map(len, self._sent.values()))
        come_to_rest(self._all, lambda: sum(len(each.got) for each in self._members) >= messages, self.check)

    def check(self) -> None:
        """Each resource got each message that was for it, once and in order; to be called after :meth:`drain`.

        The guest got none twice.

        Raises:
            Failed: one did not.
        """
        for (sender, resource), sent in self._sent.items():
            (member,) = [each for each in self._members if each.resource == resource]
            check_stream(f"{sender} to {ACCOUNT}/{resource}", sent, _from(sender, member))
        for sender in SENDERS:
            check_part(f"{sender} to {ACCOUNT}/{GUEST}", self._to_all[sender], _from(sender, self._guest))

    def _say(self, sender: Patient) -> None:
        for _ in range(self._chance.randint(1, 5)):
            self.count += 1
            body = f"{sender.user} {self.count}"
            one = self._chance.choice(self._members).resource if self._chance.random() < 0.25 else ""
            if not one:
                self._to_all[sender.user].append(body)
            for resource in (one,) if one else EVERYWHERE:
                self._sent[sender.user, resource].append(body)
            sender.send(f"{ACCOUNT}@localhost{'/' * bool(one)}{one}", body)

    def _is_counted(self, client: Patient) -> bool:
        client.ask()
        client.read(0.05)
        return not client.unacked


def _from(sender: str, client: Patient) -> list[str]:
    return [body for body in client.got if body.startswith(f"{sender} ")]
