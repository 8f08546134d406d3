"""Where a message goes, by its type, its address and who is there (RFC 6121 §8.5.1-§8.5.4)."""

from __future__ import annotations

import pytest

from broker.xmpp.wire import ns
from tests.xmpp.test_routing import condition
from tests.xmpp.world import Peer, World, settings

TYPES = ("normal", "chat", "groupchat", "headline", "error")
AVAILABLE = "<presence/>"
NEGATIVE = "<presence><priority>-1</priority></presence>"

ERROR, STORED, NOTHING = "error", "stored", "nothing"

Rule = tuple[str, ...]

RULES: dict[str, tuple[str, dict[str, str], dict[str, Rule]]] = {
    # name: account, its resources with their presence, and for each address what becomes of each type
    "there is no account": (
        "nobody",
        {},
        {
            "": (ERROR, ERROR, ERROR, NOTHING, NOTHING),
            "/a": (ERROR, ERROR, ERROR, NOTHING, NOTHING),
        },
    ),
    "nobody is there": (
        "jack",
        {},
        {
            "": (STORED, STORED, ERROR, NOTHING, NOTHING),
            "/a": (ERROR, STORED, ERROR, NOTHING, NOTHING),
        },
    ),
    "a resource that is not available": (
        "jack",
        {"a": ""},
        {
            "": (STORED, STORED, ERROR, NOTHING, NOTHING),
            "/a": ("a", "a", "a", "a", "a"),
            "/none": (ERROR, STORED, ERROR, NOTHING, NOTHING),
        },
    ),
    "a resource of negative priority": (
        "jack",
        {"a": NEGATIVE},
        {
            "": (STORED, STORED, ERROR, NOTHING, NOTHING),
            "/a": ("a", "a", "a", "a", "a"),
            "/none": (ERROR, STORED, ERROR, NOTHING, NOTHING),
        },
    ),
    "one resource": (
        "jack",
        {"a": AVAILABLE},
        {
            "": ("a", "a", ERROR, "a", NOTHING),
            "/a": ("a", "a", "a", "a", "a"),
            "/none": (ERROR, "a", ERROR, NOTHING, NOTHING),
        },
    ),
    "two resources and one of negative priority": (
        "jack",
        {"a": AVAILABLE, "b": AVAILABLE, "c": NEGATIVE},
        {
            "": ("a b", "a b", ERROR, "a b", NOTHING),
            "/a": ("a", "a", "a", "a", "a"),
            "/c": ("c", "c", "c", "c", "c"),
            "/none": (ERROR, "a b", ERROR, NOTHING, NOTHING),
        },
    ),
}


def outcome(world: World, sender: Peer, account: str, receivers: dict[str, Peer]) -> str:
    """What has become of a message to an account: where it came, or one of the words above."""
    came = [name for name, peer in receivers.items() if peer.bodies() == ["hi"]]
    refused = [condition(tree) for tree in sender.take() if tree.name == "message"]
    subject = world.node.subjects.get(account)
    waiting = len(subject.queue) if subject is not None else 0
    assert refused in ([], ["service-unavailable"])
    assert bool(came) + bool(refused) + bool(waiting) <= 1
    return " ".join(came) or (ERROR if refused else STORED if waiting else NOTHING)


@pytest.mark.parametrize(
    ("name", "address", "type", "expected"),
    [
        (name, address, type, expected)
        for name, (_, _, rules) in RULES.items()
        for address, rule in rules.items()
        for type, expected in zip(TYPES, rule, strict=True)
    ],
)
def test_a_message_goes_where_the_rules_say(name: str, address: str, type: str, expected: str) -> None:
    world = World(settings(idle=-1))
    account, resources, _ = RULES[name]
    joe = world.bind("joe@localhost/x")
    receivers = {
        resource: world.bind(f"{account}@localhost/{resource}", presence=presence or None)
        for resource, presence in resources.items()
    }
    for peer in receivers.values():
        peer.take()
    to = f"{account}@localhost{address}"
    joe.send(f"<message to='{to}' type='{type}' id='1'><body>hi</body></message>")
    assert outcome(world, joe, account, receivers) == expected


@pytest.mark.parametrize("to", ["jack@localhost", "jack@localhost/none", "jack@localhost/a"])
def test_the_address_of_a_message_is_not_rewritten(to: str) -> None:
    # RFC 6121 §8.5.2.1.1
    world = World(settings(idle=-1))
    joe = world.bind("joe@localhost/x")
    resources = [world.bind(f"jack@localhost/{resource}") for resource in "ab"]
    for peer in resources:
        peer.take()
    joe.send(f"<message to='{to}' type='chat'><body>hi</body></message>")
    came = [tree for peer in resources for tree in peer.take()]
    assert came
    assert {tree.attributes["to"] for tree in came} == {to}


@pytest.mark.parametrize("type", ["normal", "chat"])
def test_what_was_stored_comes_when_a_resource_takes_messages_and_only_once(type: str) -> None:
    # RFC 6121 §8.5.2.2.1, XEP-0160 §2
    world = World(settings(idle=-1))
    joe = world.bind("joe@localhost/x")
    joe.send(f"<message to='jack@localhost' type='{type}'><body>hi</body></message>")
    jack = world.bind("jack@localhost/a", presence=None)
    assert [tree.name for tree in jack.come(NEGATIVE)] == []
    (stored,) = jack.come(AVAILABLE)
    assert stored.text_of(ns.CLIENT, "body") == "hi"
    other = world.bind("jack@localhost/b", presence=None)
    assert [tree for tree in other.come() if tree.name == "message"] == []
