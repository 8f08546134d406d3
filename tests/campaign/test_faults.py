"""The campaign's faults."""

from __future__ import annotations

import re
from pathlib import Path

import broker.manager
from tests.campaign import managers
from tests.campaign.faults import ELSEWHERE, POINTS

MANAGER = Path(broker.manager.__file__).parent


def test_the_broker_and_its_managers_are_killed_at_each_point_that_they_have() -> None:
    named: dict[bool, set[str]] = {False: set(), True: set()}
    for source in MANAGER.parent.rglob("*.py"):
        named[source.is_relative_to(MANAGER)] |= set(re.findall(r'reach\("([^"]+)"\)', source.read_text()))
    assert named == {False: {*POINTS, *ELSEWHERE}, True: {*managers.IN_FRAMES, *managers.IN_ROUTES}}
