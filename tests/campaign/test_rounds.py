"""How many rounds a campaign has."""

from __future__ import annotations

from itertools import count

from tests.campaign.campaign import rounds


def test_campaign_in_time_has_all_its_rounds() -> None:
    assert list(rounds(4, {2}, 100, lambda: 0)) == [1, 2, 3, 4]


def test_late_campaign_still_does_all_that_is_rare() -> None:
    assert list(rounds(9, {2, 5, 9}, 3, count().__next__)) == [1, 2, 3, 4, 5, 9]
