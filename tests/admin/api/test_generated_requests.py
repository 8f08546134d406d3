"""Requests that are made of the description of the API: valid ones, and those that break one rule of it each.

A broker that is no process answers them, and each answer is checked against the description. ``make api`` sends more of
them, to a broker that is one.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from broker.admin.api.openapi import document
from tests.admin.api.adapter import SiteAdapter
from tests.admin.api.browser import desk_of
from tests.admin.api.generated import Outcome, run_generated
from tests.admin.api.test_every_route import Everything

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # thousands of requests, on a busy machine


def outcome_of(user: str, data: Path, *, examples: int, phases: Collection[str] = ("coverage", "fuzzing")) -> Outcome:
    """What comes of requests by the token of somebody; of nobody, where the name is empty."""
    route = Everything(desk_of({"db.url": "memory:"}, data=data))
    headers = {}
    if user:
        access = route.desk.fake.access
        assert access.tokens is not None
        text, _ = access.tokens.make(user, "tests", access.granted(user).role, 0)
        headers["Authorization"] = f"Bearer {text}"
    adapter = SiteAdapter(route.desk.site(route.operations), route.world)
    return run_generated(document(route.operations), adapter, headers, examples=examples, phases=phases)


def test_administrator_is_answered_as_the_description_says(tmp_path: Path) -> None:
    outcome = outcome_of("boss", tmp_path, examples=1)
    assert outcome.failures == {}
    assert outcome.requests > 2000


def test_monitoring_is_answered_as_the_description_says(tmp_path: Path) -> None:
    outcome = outcome_of("watch", tmp_path, examples=1)
    assert outcome.failures == {}
    assert outcome.requests > 1000


def test_who_is_not_logged_in_is_answered_as_the_description_says(tmp_path: Path) -> None:
    outcome = outcome_of("", tmp_path, examples=1)
    assert outcome.failures == {}
    assert outcome.requests > 500


def test_answer_that_is_not_as_described_is_found(tmp_path: Path) -> None:
    route = Everything(desk_of({"db.url": "memory:"}, data=tmp_path))
    operations = [each for each in route.operations if each.id == "getMe"]
    adapter = SiteAdapter(route.desk.site(route.operations), route.world)
    lie = document(operations)
    lie["components"]["schemas"]["Me"]["required"] = ["favouriteColour"]
    failures = run_generated(lie, adapter, {}, examples=1, phases=["coverage"]).failures
    assert list(failures) == ["GET /api/v1/me: response_schema_conformance: Response violates schema"]
