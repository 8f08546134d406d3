"""Clients that ask to see each other's presence, agree, refuse, and come and go."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from broker.xml.stanza import Stanza
from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from tests.campaign.acquaintances import Acquaintances, Contact
from tests.campaign.checks import check_equal
from tests.campaign.resuming import PATIENCE, Asking, come_to_rest
from tests.campaign.ways import Ways
from tests.system.launcher import wait_until

NAMES = ("fay", "gus", "hal", "ivy")
ABSENT = "ivy"
"""Away most of the time, so that what it is to be told waits."""
TYPES = ("subscribe", "subscribed", "unsubscribe", "unsubscribed")
WEIGHTS = (4, 5, 1, 2)
"""How often each is sent, so that all states are reached."""


class Friend(Asking):
    """One of them.

    Attributes:
        requests: who has asked to see its presence, as it was told since it logged in.
        there: whose presence it has been shown, and not withdrawn, since it logged in.
        rosters: its contacts as answers had them, by the id of the request; to be taken away.
        contacts: its contacts as the last answer had them, and pushes since.
    """

    def __init__(self, ways: Ways, user: str) -> None:
        super().__init__(ways, user)
        self.requests: set[str] = set()
        self.there: set[str] = set()
        self.rosters: dict[str, dict[str, Contact]] = {}
        self.contacts: dict[str, Contact] = {}

    def take_stanza(self, stanza: Stanza) -> None:
        """A stanza has come, and is counted."""
        if stanza.name != "presence":
            super().take_stanza(stanza)
            query = stanza.tree().find(ns.ROSTER, "query")
            if query is not None:
                self._take_roster(stanza, query)
            return
        other = stanza.attributes["from"].partition("@")[0]
        match stanza.attributes.get("type", ""):
            case "subscribe":
                self.requests.add(other)
            case "":
                self.there.add(other)
            case "unavailable":
                self.there.discard(other)

    def _take_roster(self, stanza: Stanza, query: Tree) -> None:
        contacts = dict(map(_contact, query.children))
        if stanza.attributes["type"] == "result":
            self.contacts = self.rosters[stanza.attributes["id"]] = contacts
            return
        ((other, contact),) = contacts.items()
        if contact.subscription == "remove":
            del self.contacts[other]
        else:
            self.contacts[other] = contact

    def look(self) -> str:
        """Ask for its roster; returns the id of the request. Then it is told of changes, too."""
        return self.request("get", f"<query xmlns='{ns.ROSTER}'/>")

    def leave(self) -> None:
        """End the session; everything that was sent has been counted."""
        assert not self.unacked
        self.ask()
        self.end()
        self.forget()
        self.requests.clear()
        self.there.clear()

    def _begin(self) -> None:
        super()._begin()
        self.look()


class Friends:
    """All of them, and what their rosters must be.

    Two never act on each other at a time: the one waits until what the other did has been counted. So what comes out
    is known.

    Args:
        ways: to the broker that is killed.
        chance: decides what they do.

    Attributes:
        count: requests, answers and changes of rosters.
        compared: contacts that were compared with the model meanwhile.
    """

    def __init__(self, ways: Ways, chance: random.Random) -> None:
        self._chance = chance
        self._all = [Friend(ways, name) for name in NAMES]
        self._model = Acquaintances()
        self._acting: dict[frozenset[Friend], tuple[Friend, int]] = {}
        self._acts: Counter[frozenset[Friend]] = Counter()
        self._looking: dict[str, dict[Friend, int]] = {}
        self.count = 0
        self.compared = 0

    @property
    def clients(self) -> Sequence[Friend]:
        """All of them."""
        return self._all

    def step(self) -> None:
        """One thing that one of them does."""
        friend = self._chance.choice(self._all)
        if not friend.attached:
            if (friend.id and friend.user != ABSENT) or self._chance.random() < 0.05:
                friend.go_on()
            return
        match self._chance.randrange(15):
            case 0:
                friend.cut()
            case 1 | 2 | 3 | 4:
                friend.ask()
            case 5 | 6 | 7 | 8:
                friend.read()
                self._compare(friend)
            case 9 if not friend.unacked and self._chance.random() < 0.3:
                self._leave(friend)
            case 9 | 10 | 11 | 12:
                self._look(friend)
            case _:
                for _ in range(self._chance.randint(1, 3)):
                    self._act(friend)

    def drain(self) -> None:
        """Everybody comes, all that they did is counted, and they have been told all that they must know.

        Raises:
            Failed: that does not happen.
        """
        come_to_rest(self._all, lambda: all(map(self._knows_all, self._all)), self._explain)

    def check(self) -> None:
        """Everybody logs in anew, and compares with the model; to be called after :meth:`drain`.

        Raises:
            Failed: a roster is not as its owner made it; a request is lost, or came from nobody; presence is shown to
                somebody who may not see it, or not to somebody who may.
        """
        for each in self._all:
            each.check_answers()
            self._leave(each)
        for each in self._all:
            wait_until(each.go_on, PATIENCE)
            each.roster()  # so it is there for those who come later
        for each in self._all:
            expected = self._model.roster(each.user)
            check_equal(f"the roster of {each.user}", expected, dict(map(_contact, each.roster())))
            check_equal(f"requests to {each.user}", self._model.waiting(each.user), each.requests)
            check_equal(f"presence shown to {each.user}", self._model.seen(each.user), each.there - {each.user})
        for each in self._all:
            each.rest()

    def _knows_all(self, friend: Friend) -> bool:
        """Whether somebody has been told how things are, though the broker died meanwhile."""
        return not friend.owed and all(expected == told for _, expected, told in self._knowledge(friend))

    def _explain(self) -> None:
        for each in self._all:
            for what, expected, told in self._knowledge(each):
                check_equal(what, expected, told)
            each.check_answers()

    def _knowledge(self, friend: Friend) -> list[tuple[str, object, object]]:
        """What somebody must know, by the model, and was told."""
        user = friend.user
        return [
            (f"requests that {user} was not told of", set(), self._untold(friend)),
            (f"the roster that {user} was told of", self._model.roster(user), friend.contacts),
            (f"presence that {user} sees", self._model.seen(user), friend.there - {user}),
        ]

    def _untold(self, friend: Friend) -> set[str]:
        return self._model.waiting(friend.user) - friend.requests

    def _leave(self, friend: Friend) -> None:
        self._compare(friend)  # what it is told from now on is of another session
        friend.leave()
        self._acting = {pair: acting for pair, acting in self._acting.items() if acting[0] is not friend}

    def _act(self, friend: Friend) -> None:
        other = self._chance.choice([each for each in self._all if each is not friend])
        pair = frozenset({friend, other})
        if not self._is_quiet(pair) and self._acting[pair][0] is not friend:
            return
        if self._chance.random() < 0.15:
            self._change_roster(friend, other)
        else:
            (type,) = self._chance.choices(TYPES, WEIGHTS)
            friend.send_stanza(f"<presence type='{type}' to='{other.user}@localhost'/>")
            getattr(self._model, type)(friend.user, other.user)
        for one, asker in ((friend, other.user), (other, friend.user)):
            if asker not in self._model.waiting(one.user):
                one.requests.discard(asker)  # the next one is told anew
        self.count += 1
        self._acts[pair] += 1
        self._acting[pair] = (friend, friend.acked + len(friend.unacked))

    def _is_quiet(self, pair: frozenset[Friend]) -> bool:
        """Whether all that two did to each other has been counted."""
        if pair not in self._acting:
            return True
        friend, stanza = self._acting[pair]
        return friend.acked >= stanza

    def _look(self, friend: Friend) -> None:
        pairs = {other: frozenset({friend, other}) for other in self._all if other is not friend}
        quiet = {other: self._acts[pair] for other, pair in pairs.items() if self._is_quiet(pair)}
        self._looking[friend.look()] = quiet

    def _compare(self, friend: Friend) -> None:
        """Compare a roster, and the requests before it, with the model as far as nobody has changed it meanwhile."""
        untold = self._untold(friend)
        for id, roster in friend.rosters.items():
            expected = self._model.roster(friend.user)
            for other, acts in self._looking.pop(id, {}).items():
                if acts == self._acts[frozenset({friend, other})]:
                    who = f"{other.user} in the roster of {friend.user}"
                    check_equal(who, expected.get(other.user), roster.get(other.user))
                    check_equal(f"requests that {friend.user} was not told of", set(), untold & {other.user})
                    self.compared += 1
        friend.rosters.clear()

    def _change_roster(self, friend: Friend, other: Friend) -> None:
        if self._model.has(friend.user, other.user) and self._chance.random() < 0.5:
            self._model.remove(friend.user, other.user)
            change = "subscription='remove'"
        else:
            name = f"name {self.count}"
            self._model.name(friend.user, other.user, name)
            change = f"name='{name}'"
        friend.request("set", f"<query xmlns='{ns.ROSTER}'><item jid='{other.user}@localhost' {change}/></query>")


def _contact(item: Tree) -> tuple[str, Contact]:
    given = item.attributes
    contact = Contact(
        given["subscription"], given.get("ask") == "subscribe", given.get("approved") == "true", given.get("name", "")
    )
    return given["jid"].partition("@")[0], contact
