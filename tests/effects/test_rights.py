"""Every effect, with every right, in every tongue: the outcome is the same, and a refusal changes nothing."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from broker.auth.authority import parse_method_rules
from broker.errors import BrokerError, Code
from broker.model.item import item_properties
from broker.model.key import Key
from broker.model.qos import PublishQos, TopicQos
from tests.core.world import DEFAULTS, Client
from tests.effects.tongues import NEW, OID, TONGUES
from tests.xmpp.world import World

METHOD = {
    "publish": "publish",
    "create": "publish",
    "configure": "publish",
    "send": "publish",
    "replace": "publish",
    "retract": "erase",
    "subscribe": "subscribe",
    "unsubscribe": "unSubscribe",
    "read": "get",
    "erase": "erase",
    "empty": "erase",
}
"""The method whose right an effect needs."""
OWNED = ("configure", "erase", "empty")
"""Effects that are for a topic's owner."""
ITEMS = ("replace", "retract")
"""Effects on an item of somebody else."""
RULES = {
    "no rules": (None, True),
    "method listed": ("connect,{}", True),
    "method missing": ("connect,ping", False),
    "method negated": ("!{}", False),
    "other method negated": ("!update", True),
    "topic listed": ("connect,{}({oid})", True),
    "other topic listed": ("connect,{}(elsewhere)", False),
    "topic negated": ("!{}({oid})", False),
}
OWNERS = ("", "joe", "mary")


class Scene:
    """A topic with an item of mary's, and joe in one tongue.

    Args:
        make: the tongue.
        effect: what joe will ask for.
        owner: of the topic.
        rules: of joe's account, from when he asks.
        administrator: joe is one.
    """

    def __init__(self, make: Any, effect: str, owner: str = "", rules: str | None = None, administrator: bool = False):
        self.world = world = World(core=replace(DEFAULTS, administrators=frozenset({"joe"} if administrator else ())))
        self.mary = world.client("mary/1")
        self.tongue = make(world)
        maker = self._maker(owner)
        never = PublishQos(administrative=True, persistent=True, topic=TopicQos(destroy_delay=-1))
        plan = world.broker.prepare(maker.session, Key(OID, "application/xml"), never, raw=True, owned=bool(owner))
        world.broker.publish(maker.session, plan, b"")
        item = PublishQos(persistent=True, properties=item_properties("i1", "mary@localhost"))
        key = Key(OID, "application/xml")
        world.run(world.broker.publish_item(self.mary.session, key, item, b"<a xmlns='u'/>"))
        if effect == "unsubscribe":
            self.tongue.subscribe()
        if maker is not self.mary:
            maker.disconnect()
        world.advance(2)
        if rules is not None:
            world.permissions.rules["joe"] = parse_method_rules(rules)

    def _maker(self, owner: str) -> Client:
        return self.mary if owner in ("", "mary") else self.world.client(f"{owner}/9")

    def tables(self) -> dict[str, Any]:
        """What the store has."""
        self.world.turn()
        self.world.store.commit()
        return copy.deepcopy(_plain(vars(self.world.store.tables)))

    def state(self) -> dict[str, Any]:
        """What the core has of topics, and what mary got."""
        topics = {
            oid: (topic.state, topic.owner, len(topic.history), topic.history.limits.entries, len(topic.subscriptions))
            for oid, topic in self.world.node.topics.items()
            if oid != NEW
        }
        return {"topics": topics, "new": NEW in self.world.node.topics, "mary": len(self.mary.contents)}

    def ask(self, effect: str) -> bool:
        """Ask for an effect; tells whether it was permitted."""
        try:
            getattr(self.tongue, effect)()
        except BrokerError as error:
            assert error.code == Code.USER_NOT_AUTHORIZED, error
            return False
        finally:
            self.world.turn()
        return True


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return _plain(vars(value)) if type(value).__name__ == "Tables" else _slots(value)


def _slots(value: Any) -> Any:
    slots = getattr(type(value), "__slots__", ())
    return {name: getattr(value, name) for name in slots} if slots and not isinstance(value, tuple) else value


def outcomes(effect: str, permitted: bool, **scene: Any) -> None:
    """Ask in every tongue that has the effect, and compare."""
    states = {}
    for make in TONGUES:
        if not hasattr(make, effect):
            continue
        here = Scene(make, effect, **scene)
        tables, state = here.tables(), here.state()
        assert here.ask(effect) is permitted, make
        if permitted:
            states[make] = here.state()
        else:
            assert here.tables() == tables, make
            assert here.state() == state, make
    assert all(state == next(iter(states.values())) for state in states.values()), states


@pytest.mark.parametrize("case", RULES)
@pytest.mark.parametrize("effect", METHOD)
def test_method_rules_hold_in_every_tongue(effect: str, case: str) -> None:
    rules, permitted = RULES[case]
    if "topic" in case and effect == "send":
        rules, permitted = "!publish(elsewhere)", True  # each tongue has its own topic for what is on none
    oid = NEW if effect == "create" else OID
    text = None if rules is None else rules.replace("{}", METHOD[effect]).replace("{oid}", oid)
    outcomes(effect, permitted, rules=text, owner="joe" if effect in ITEMS else "")


@pytest.mark.parametrize("administrator", [False, True], ids=["user", "administrator"])
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("effect", METHOD)
def test_what_belongs_to_somebody_else_is_safe_in_every_tongue(effect: str, owner: str, administrator: bool) -> None:
    if effect in OWNED:
        permitted = owner in ("", "joe")
    elif effect in ITEMS:
        permitted = owner == "joe"
    else:
        permitted = True
    outcomes(effect, permitted or administrator, owner=owner, administrator=administrator)
