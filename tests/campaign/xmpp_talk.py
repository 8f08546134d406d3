"""The XMPP side of the campaign: clients that resume their streams, rosters, nodes, and accounts that come late."""

from __future__ import annotations

import random
from typing import Any

from broker.xml.stanza import Stanza
from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from tests.campaign.checks import Failed, check_equal, check_stream
from tests.campaign.resuming import Asking, come_to_rest
from tests.campaign.ways import Ways

USERS = ("ann", "bob", "cat")
LATE = ("late1", "late2", "late3", "late4")
"""Accounts that are away at first: what is sent to them waits until they come."""
SERVICE = "pubsub.localhost"
NODE = "news"
ITEMS = 10
FRIENDS = tuple(f"friend{number}@example.org" for number in range(8))


class Talker(Asking):
    """A client that has contacts, and is told of items.

    Args:
        ways: to the broker that is killed.
        user: whose password is ``secret``.

    Attributes:
        items: ids of the items that it was told of, in order.
        names: of its contacts by JID, as its requests made them.
    """

    def __init__(self, ways: Ways, user: str) -> None:
        super().__init__(ways, user)
        self.items: list[str] = []
        self.names: dict[str, str] = {}

    def take_stanza(self, stanza: Stanza) -> None:
        """A stanza has come, and is counted."""
        event = stanza.tree().find(ns.PUBSUB_EVENT, "event") if stanza.name == "message" else None
        if event is None:
            super().take_stanza(stanza)
        else:
            self.items += [each.attributes["id"] for child in event.children for each in child.children]

    def settle_roster(self, jid: str, name: str) -> None:
        """Have a contact under a name, or none."""
        contact = f"jid='{jid}' name='{name}'" if name else f"jid='{jid}' subscription='remove'"
        self.request("set", f"<query xmlns='{ns.ROSTER}'><item {contact}/></query>")
        if name:
            self.names[jid] = name
        else:
            self.names.pop(jid, None)


class XmppTalk:
    """All XMPP clients.

    Args:
        ways: to the broker that is killed.
        chance: decides what they do.

    Attributes:
        count: messages that were sent.
    """

    def __init__(self, ways: Ways, chance: random.Random) -> None:
        self._chance = chance
        self.residents = [Talker(ways, user) for user in USERS]
        self.late = [Talker(ways, user) for user in LATE]
        self.clients = list(self.residents)
        self._sent: dict[tuple[str, str], list[str]] = {}
        self._published: list[str] = []
        self.count = 0
        self._made = False

    @property
    def requests(self) -> int:
        """How often they asked for something that is kept."""
        return sum(len(each.asked) for each in self.residents)

    def prepare(self) -> None:
        """Log in, make the node, and subscribe to it; before the first kill."""
        for each in self.residents:
            if not each.go_on():
                raise Failed(f"{each.user} cannot log in")
        ann, *others = self.residents
        ann.answer("set", f"<pubsub xmlns='{ns.PUBSUB}'><create node='{NODE}'/></pubsub>", SERVICE)
        for each in others:
            payload = f"<subscribe node='{NODE}' jid='{each.user}@localhost'/>"
            each.answer("set", f"<pubsub xmlns='{ns.PUBSUB}'>{payload}</pubsub>", SERVICE)

    def step(self) -> None:
        """One thing that one of them does."""
        client = self._chance.choice(self.clients)
        if not client.attached:
            client.go_on()
            return
        match self._chance.randrange(14):
            case 0:
                client.cut()
            case 1 | 2:
                client.ask()
            case 3 | 4 | 5:
                client.read()
            case 6 if client in self.residents:
                if self._chance.random() < 0.5:
                    self._change_roster(client)
                elif client is self.residents[0]:
                    self._publish()
            case _:
                self._say(client)

    def welcome(self) -> None:
        """One of those who were away logs in for the first time."""
        away = [each for each in self.late if each not in self.clients]
        if away and away[0].go_on():
            self.clients.append(away[0])

    def drain(self) -> None:
        """Everybody takes what is left; those who were away come.

        Raises:
            Failed: they do not come to rest.
        """
        while len(self.clients) < len(self.residents) + len(self.late):
            self.welcome()
        come_to_rest(self.clients, lambda: self._complete, self.check)

    def check(self) -> None:
        """Compare with the model; to be called after :meth:`drain`.

        Raises:
            Failed: a promise is broken.
        """
        for receiver in self.clients:
            for sender in self.residents:
                mark = f"{sender.user}>{receiver.user}"
                got = [body for body in receiver.got if body.startswith(f"{mark} ")]
                check_stream(mark, self._sent.get((sender.user, receiver.user), []), got)
        for each in self.residents:
            each.check_answers()
        for each in self.residents[1:]:
            check_stream(f"items to {each.user}", self._published, each.items)
        for each in self.residents:
            check_equal(f"the roster of {each.user}", each.names, _names(each.roster()))
        check_equal("the items of the node", self._published[-ITEMS:], self._items())
        for each in self.clients:
            each.rest()

    def leave(self) -> None:
        """All streams end in good order."""
        for each in self.clients:
            each.ask()
            each.read(0.05)
            each.end()
            each.read(0.2)
            each.cut()

    @property
    def _complete(self) -> bool:
        messages = sum(map(len, self._sent.values()))
        items = len(self._published) * (len(self.residents) - 1)
        return (
            sum(len(each.got) for each in self.clients) >= messages
            and sum(len(each.items) for each in self.clients) >= items
            and not any(each.owed for each in self.clients)
        )

    def _say(self, sender: Talker) -> None:
        if sender not in self.residents:
            return
        receivers = [each for each in (*self.residents, *self.late) if each is not sender]
        self.send(sender, self._chance.choice(receivers), self._chance.randint(1, 5))

    def send(self, sender: Talker, receiver: Talker, count: int, padding: int = 0) -> None:
        """Messages of one to another.

        Args:
            sender: who is there.
            receiver: to whom; by the bare JID sometimes, and always where it was never there.
            count: of messages.
            padding: bytes behind each text.
        """
        for _ in range(count):
            self.count += 1
            body = f"{sender.user}>{receiver.user} {self.count}{' x' * (padding // 2)}"
            self._sent.setdefault((sender.user, receiver.user), []).append(body)
            bare = receiver in self.late or self._chance.random() < 0.3
            sender.send(f"{receiver.user}@localhost" + ("" if bare else f"/{receiver.resource}"), body)

    def _change_roster(self, client: Talker) -> None:
        name = self._chance.choice(("", f"name {len(client.asked)}"))
        jid = self._chance.choice(FRIENDS)
        if name or jid in client.names:
            client.settle_roster(jid, name)

    def _publish(self) -> None:
        id = f"item{len(self._published)}"
        self._published.append(id)
        item = f"<item id='{id}'><entry xmlns='urn:example:entry'>{id}</entry></item>"
        payload = f"<pubsub xmlns='{ns.PUBSUB}'><publish node='{NODE}'>{item}</publish></pubsub>"
        self.residents[0].request("set", payload, SERVICE)

    def _items(self) -> list[str]:
        payload = f"<pubsub xmlns='{ns.PUBSUB}'><items node='{NODE}'/></pubsub>"
        pubsub = self.residents[1].answer("get", payload, SERVICE).find(ns.PUBSUB, "pubsub")
        items: list[Any] = [] if pubsub is None else pubsub.children[0].children
        return [each.attributes["id"] for each in items]


def _names(roster: list[Tree]) -> dict[str, str]:
    return {each.attributes["jid"]: each.attributes.get("name", "") for each in roster}
