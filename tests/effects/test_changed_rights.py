"""Rights that change hold at once, also for clients that have prepared what they send again and again."""

from __future__ import annotations

import pytest

from broker.auth.authority import parse_method_rules
from tests.effects.test_rights import Scene
from tests.effects.tongues import TONGUES
from tests.xmpp.world import World, settings


@pytest.mark.parametrize("make", TONGUES)
@pytest.mark.parametrize("effect", ["publish", "send"])
def test_a_right_that_is_taken_away_is_gone_at_the_next_message(make: type, effect: str) -> None:
    scene = Scene(make, effect)
    assert scene.ask(effect)
    scene.world.permissions.rules["joe"] = parse_method_rules("!publish")
    scene.world.broker.rights_changed()
    assert not scene.ask(effect)


def test_messages_along_a_known_route_stop_too() -> None:
    world = World(settings(idle=-1))
    joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
    chat = "<message to='jack@localhost/y' type='chat'><body>hi</body></message>"
    for _ in range(2):
        joe.send(chat)
    assert jack.bodies() == ["hi", "hi"]
    world.permissions.rules["joe"] = parse_method_rules("!publish")
    world.broker.rights_changed()
    joe.send(chat)
    assert jack.bodies() == []
    assert joe.one().attributes["type"] == "error"
