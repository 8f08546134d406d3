"""The campaign's faults."""

from __future__ import annotations

import re
from pathlib import Path

import broker
from tests.campaign.faults import POINTS


def test_the_broker_is_killed_at_each_point_that_it_has() -> None:
    sources = Path(broker.__file__).parent.rglob("*.py")
    named = {name for source in sources for name in re.findall(r'reach\("([^"]+)"\)', source.read_text())}
    assert set(POINTS) == named
