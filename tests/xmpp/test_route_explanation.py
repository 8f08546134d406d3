"""Where a message would go: what is said is what happens."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError
from broker.xmpp.routing.explanation import RouteExplainer, RouteExplanation, RouteOutcome
from tests.xmpp.world import Peer, World

LOW = "<presence><priority>-1</priority></presence>"


class Street:
    """jack writes to joe, who has the resources a (priority 0), b (priority 5) and low (-1)."""

    def __init__(self, presences: dict[str, str | None] | None = None) -> None:
        self.world = World()
        given = {"a": "<presence/>", "b": "<presence><priority>5</priority></presence>", "low": LOW}
        self.joe: dict[str, Peer] = {
            name: self.world.bind(f"joe@localhost/{name}", presence=presence)
            for name, presence in (given if presences is None else presences).items()
        }
        self.jack = self.world.bind("jack@localhost/y")
        for peer in (*self.joe.values(), self.jack):
            peer.take()

    def explain(self, to: str, type: str) -> RouteExplanation:
        """Explain a message of jack."""
        return self.world.run(RouteExplainer(self.world.service.domain).explain("jack@localhost/y", to, type))

    def send(self, to: str, type: str) -> tuple[set[str], bool]:
        """Send it; which resources got it, and whether jack was told of an error."""
        self.jack.send(f"<message to='{to}' type='{type}'><body>hello</body></message>")
        got = {name for name, peer in self.joe.items() if "hello" in peer.bodies()}
        return got, any(tree.attributes.get("type") == "error" for tree in self.jack.take())


@pytest.mark.parametrize("type", ["normal", "chat", "headline", "groupchat", "error", "odd"])
@pytest.mark.parametrize("to", ["joe@localhost", "joe@localhost/a", "joe@localhost/low", "joe@localhost/gone"])
@pytest.mark.parametrize("presences", [None, {"low": LOW}, {"gone": None}, {}])
def test_what_is_said_is_what_happens(presences: dict[str, str | None] | None, to: str, type: str) -> None:
    street = Street(presences)

    told = street.explain(to, type)
    got, refused = street.send(to, type)

    assert {each.jid.rpartition("/")[2] for each in told.resources if each.gets} == got
    assert (told.outcome is RouteOutcome.DELIVERED) is bool(got)
    assert (told.outcome is RouteOutcome.REFUSED) is refused
    subject = street.world.node.subjects.get("joe")
    assert (told.outcome is RouteOutcome.WAITS) is (subject is not None and subject.queue.entries > 0)


def test_explaining_sends_nothing() -> None:
    street = Street()
    street.explain("joe@localhost", "chat")
    assert [peer.take() for peer in street.joe.values()] == [[], [], []]


def test_reason_of_each_resource_is_told() -> None:
    told = Street().explain("joe@localhost", "chat")
    assert {each.jid.rpartition("/")[2]: each.reason for each in told.resources} == {
        "a": "priority 0",
        "b": "priority 5",
        "low": "priority -1: it takes messages to its full JID only",
    }


def test_resource_with_carbons_gets_a_copy() -> None:
    street = Street()
    street.joe["b"].send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>")
    told = street.explain("joe@localhost/a", "chat")
    assert {each.jid.rpartition("/")[2]: (each.gets, each.carbon) for each in told.resources} == {
        "a": (True, False),
        "b": (False, True),
        "low": (False, False),
    }


@pytest.mark.parametrize("blocker", ["joe", "jack"])
def test_block_list_that_keeps_a_message_is_told(blocker: str) -> None:
    street = Street()
    peer, other = (street.joe["a"], "jack") if blocker == "joe" else (street.jack, "joe")
    peer.send(f"<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{other}@localhost'/></block></iq>")
    for each in (*street.joe.values(), street.jack):
        each.take()
    told = street.explain("joe@localhost", "chat")
    assert (told.outcome, "block" in told.reason) == (RouteOutcome.REFUSED, True)
    assert street.send("joe@localhost", "chat") == (set(), True)


@pytest.mark.parametrize(("to", "reason"), [("nobody@localhost", "no such account"), ("joe@elsewhere", "not served")])
def test_receiver_that_is_not_here_is_told(to: str, reason: str) -> None:
    told = Street().explain(to, "chat")
    assert (told.outcome, reason in told.reason) == (RouteOutcome.REFUSED, True)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(BrokerError):
        Street().explain("@", "chat")
