"""The XMPP side of the campaign: clients that resume their streams, rosters, nodes, and accounts that come late."""

from __future__ import annotations

import random
import time
from typing import Any

from broker.wire.xmpp import ns
from broker.xmlio.stanza import Stanza
from broker.xmlio.tree import Tree
from tests.campaign.checks import Failed, check_equal, check_stream
from tests.system.launcher import BrokerProcess, LaunchError, wait_until
from tests.system.stream_client import StreamClient

USERS = ("ann", "bob", "cat")
LATE = ("late1", "late2", "late3", "late4")
"""Accounts that are away at first: what is sent to them waits until they come."""
SERVICE = "pubsub.localhost"
NODE = "news"
ITEMS = 10
ROSTER = "jabber:iq:roster"
FRIENDS = tuple(f"friend{number}@example.org" for number in range(8))
PATIENCE = 60.0
LOGIN = 2.0
"""Seconds for which a client waits for an answer while it logs in; it tries again then."""


class Patient(StreamClient):
    """A client that tries again where the broker gives no answer to its login, because its store can not work.

    Args:
        broker: that is killed.
        user: whose password is ``secret``.
        resource: of its JID.
    """

    def __init__(self, broker: BrokerProcess, user: str, resource: str = "x") -> None:
        super().__init__(broker, user, resource, patience=LOGIN)

    def go_on(self) -> bool:
        """Connect and resume, or begin anew; tells whether it worked."""
        try:
            return super().go_on()
        except LaunchError:
            self.cut()
            return False


class Talker(Patient):
    """A client that also asks, and is told of items.

    Args:
        broker: that is killed.
        user: whose password is ``secret``.

    Attributes:
        answers: type of the answer to each request, by its id; those that were due when the broker died do not come.
        items: ids of the items that it was told of, in order.
        asked: ids of its requests.
        roster: as its requests made it; each of them is counted in the end, so each must have had its effect.
    """

    def __init__(self, broker: BrokerProcess, user: str) -> None:
        super().__init__(broker, user)
        self.answers: dict[str, str] = {}
        self.items: list[str] = []
        self.asked: list[str] = []
        self.roster: dict[str, str] = {}
        self.result: Tree | None = None

    def request(self, type: str, payload: str, to: str = "") -> str:
        """Ask; returns the id."""
        id = f"{self.user}-{len(self.asked)}"
        self.asked.append(id)
        address = f" to='{to}'" if to else ""
        self.send_stanza(f"<iq type='{type}' id='{id}'{address}>{payload}</iq>")
        return id

    def take_stanza(self, stanza: Stanza) -> None:
        """A stanza has come, and is counted."""
        if stanza.name == "iq" and stanza.attributes.get("type") in ("result", "error"):
            id = stanza.attributes["id"]
            if id in self.answers:
                raise Failed(f"{self.user}: the answer to {id} came twice")
            self.answers[id] = stanza.attributes["type"]
            self.result = stanza.tree()
        elif stanza.name == "message":
            tree = stanza.tree()
            event = tree.find(ns.PUBSUB_EVENT, "event")
            if event is None:
                self.got.append(tree.text_of(ns.CLIENT, "body"))
            else:
                self.items += [each.attributes["id"] for child in event.children for each in child.children]

    def settle_roster(self, jid: str, name: str) -> None:
        """Have a contact under a name, or none."""
        contact = f"jid='{jid}' name='{name}'" if name else f"jid='{jid}' subscription='remove'"
        self.request("set", f"<query xmlns='{ROSTER}'><item {contact}/></query>")
        if name:
            self.roster[jid] = name
        else:
            self.roster.pop(jid, None)


class XmppTalk:
    """All XMPP clients.

    Args:
        broker: that is killed.
        chance: decides what they do.

    Attributes:
        count: messages that were sent.
    """

    def __init__(self, broker: BrokerProcess, chance: random.Random) -> None:
        self._broker = broker
        self._chance = chance
        self.residents = [Talker(broker, user) for user in USERS]
        self.late = [Talker(broker, user) for user in LATE]
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
                raise Failed(f"{each.user} can not log in")
        ann, *others = self.residents
        self._ask(ann, "set", f"<pubsub xmlns='{ns.PUBSUB}'><create node='{NODE}'/></pubsub>", SERVICE)
        for each in others:
            payload = f"<subscribe node='{NODE}' jid='{each.user}@localhost'/>"
            self._ask(each, "set", f"<pubsub xmlns='{ns.PUBSUB}'>{payload}</pubsub>", SERVICE)

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

    def cut(self) -> None:
        """All connections are lost."""
        for each in self.clients:
            each.cut()

    def drain(self) -> None:
        """Everybody takes what is left; those who were away come.

        Raises:
            Failed: they do not come to rest.
        """
        while len(self.clients) < len(self.residents) + len(self.late):
            self.welcome()

        until = time.monotonic() + PATIENCE
        before = self._progress
        while not self._finished:
            for client in self.clients:
                client.ask() if client.attached else client.go_on()
                client.read(0.01)
            if self._progress != before:
                before = self._progress
                until = time.monotonic() + PATIENCE
            if time.monotonic() > until:
                self.check()
                told = [f"{each.user} {len(each.unacked)} unacknowledged" for each in self.clients]
                raise Failed(f"the streams do not come to rest: {', '.join(told)}")

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
            refused = [id for id, type in each.answers.items() if type != "result"]
            check_equal(f"requests of {each.user} that were refused", [], refused)
            # An answer is of no use to anybody else, so it is not kept over a crash; what was asked for is.
            check_equal(f"answers to {each.user} that nobody asked for", set(), set(each.answers) - set(each.asked))
        for each in self.residents[1:]:
            check_stream(f"items to {each.user}", self._published, each.items)
        for each in self.residents:
            check_equal(f"the roster of {each.user}", each.roster, self._roster(each))
        check_equal("the items of the node", self._published[-ITEMS:], self._items())

    def leave(self) -> None:
        """All streams end in good order."""
        for each in self.clients:
            each.ask()
            each.read(0.05)
            each.end()
            each.read(0.2)
            each.cut()

    @property
    def _progress(self) -> list[tuple[int, int]]:
        return [(each.h, each.acked) for each in self.clients]

    @property
    def _finished(self) -> bool:
        messages = sum(map(len, self._sent.values()))
        items = len(self._published) * (len(self.residents) - 1)
        return (
            sum(len(each.got) for each in self.clients) >= messages
            and sum(len(each.items) for each in self.clients) >= items
            and all(each.attached and not each.unacked for each in self.clients)
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
        if name or jid in client.roster:
            client.settle_roster(jid, name)

    def _publish(self) -> None:
        id = f"item{len(self._published)}"
        self._published.append(id)
        item = f"<item id='{id}'><entry xmlns='urn:example:entry'>{id}</entry></item>"
        payload = f"<pubsub xmlns='{ns.PUBSUB}'><publish node='{NODE}'>{item}</publish></pubsub>"
        self.residents[0].request("set", payload, SERVICE)

    def _ask(self, client: Talker, type: str, payload: str, to: str = "") -> Tree:
        id = client.request(type, payload, to)

        def answered() -> bool:
            client.ask()
            client.read(0.05)
            return id in client.answers

        wait_until(answered, PATIENCE)
        assert client.result is not None
        return client.result

    def _roster(self, client: Talker) -> dict[str, str]:
        query = self._ask(client, "get", f"<query xmlns='{ROSTER}'/>").find(ROSTER, "query")
        items: list[Any] = [] if query is None else query.children
        return {each.attributes["jid"]: each.attributes.get("name", "") for each in items}

    def _items(self) -> list[str]:
        payload = f"<pubsub xmlns='{ns.PUBSUB}'><items node='{NODE}'/></pubsub>"
        pubsub = self._ask(self.residents[1], "get", payload, SERVICE).find(ns.PUBSUB, "pubsub")
        items: list[Any] = [] if pubsub is None else pubsub.children[0].children
        return [each.attributes["id"] for each in items]
