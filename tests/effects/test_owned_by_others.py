"""What an administrator does to topics of others leaves a line in the audit, over every protocol."""

from __future__ import annotations

import pytest
from twisted.logger import capturedLogs

from tests.effects.test_rights import OWNED, Scene
from tests.effects.tongues import TONGUES
from tests.logs.audit_lines import audit_lines


def audit_of(scene: Scene, effect: str) -> list[str]:
    """The audit's lines about topics while something is asked for."""
    with capturedLogs() as events:
        scene.ask(effect)
    return [line for line in audit_lines(events) if line.startswith("topic.administer ")]


@pytest.mark.parametrize("make", TONGUES)
@pytest.mark.parametrize("effect", OWNED)
def test_an_administrator_who_acts_for_the_owner_is_named_with_the_topic(make: type, effect: str) -> None:
    lines = audit_of(Scene(make, effect, "mary", administrator=True), effect)
    assert lines
    assert all("principal=joe" in line and line.endswith(" target=topic/t owner=mary") for line in lines)


@pytest.mark.parametrize("make", TONGUES)
@pytest.mark.parametrize("owner", ["", "joe"])
def test_topics_of_ones_own_or_of_nobody_leave_none(make: type, owner: str) -> None:
    assert audit_of(Scene(make, "erase", owner, administrator=True), "erase") == []
