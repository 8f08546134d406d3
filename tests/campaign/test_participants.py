"""Which clients take part in a campaign, as its command is told."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

from tests.campaign.participants import Participants, add_options, participants_of


def parsed(*arguments: str) -> Participants:
    """What a command with these arguments is given."""
    parser = ArgumentParser()
    add_options(parser)
    return participants_of(parser.parse_args(arguments))


def test_clients_over_bosh_take_part_where_that_is_asked_for() -> None:
    assert parsed() == Participants(bosh=False)
    assert parsed("--bosh").bosh


@pytest.mark.parametrize("participants", [Participants(), Participants(0.0, bosh=True), Participants(0.25)])
def test_a_campaign_can_be_repeated_with_the_same_clients(participants: Participants) -> None:
    assert parsed(*participants.options) == participants
