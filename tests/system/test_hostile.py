"""A short form of the campaign of hostile clients: all are refused, and nobody else notices much of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.campaign.attack import Attack
from tests.campaign.hostile import ATTACKS, Campaign
from tests.campaign.networks import Network, NoNetwork

pytestmark = pytest.mark.system

SCALE = 0.04
GENEROUS = 10_000.0
"""Milliseconds; how long innocents wait on a machine that does other things is measured by the campaign itself."""


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        with Network() as made:
            yield made
    except NoNetwork as error:
        pytest.skip(str(error))


def refused(directory: Path, attacks: Sequence[Attack], network: Network | None = None) -> None:
    rows = Campaign(directory, SCALE, print, GENEROUS, network=network).run(attacks)
    assert [f"{row.name}: {row.wrong}" for row in rows if row.wrong] == []
    assert len(rows) == 1 + len(attacks)


def test_hostile_clients_are_refused_and_cost_nobody_anything(tmp_path: Path) -> None:
    refused(tmp_path, [attack for attack in ATTACKS if not attack.slow and not attack.needs_network])


def test_hostile_clients_with_a_network_of_addresses_are_refused_as_one(tmp_path: Path, network: Network) -> None:
    refused(tmp_path, [attack for attack in ATTACKS if attack.needs_network], network)
