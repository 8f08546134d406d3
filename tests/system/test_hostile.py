"""A short form of the campaign of hostile clients: all are refused, and nobody else notices much of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.hostile import ATTACKS, Campaign

pytestmark = pytest.mark.system

SCALE = 0.04
GENEROUS = 10_000.0
"""Milliseconds; how long innocents wait on a machine that does other things is measured by the campaign itself."""


def test_hostile_clients_are_refused_and_cost_nobody_anything(tmp_path: Path) -> None:
    attacks = [attack for attack in ATTACKS if not attack.slow]
    rows = Campaign(tmp_path, SCALE, print, GENEROUS).run(attacks)
    assert [f"{row.name}: {row.wrong}" for row in rows if row.wrong] == []
    assert len(rows) == 1 + len(attacks)
