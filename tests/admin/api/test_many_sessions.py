"""Changes of all sessions that a filter finds."""

from __future__ import annotations

import pytest

from broker.admin.actions.change import ChangeDesk
from broker.admin.actions.many_sessions import many_sessions_changes
from broker.admin.why import Why
from tests.admin.api.office import ChangeOffice


def with_clients() -> ChangeOffice:
    """Eight sessions of jack, with a message each, and one of ann."""
    office = ChangeOffice()
    desk = ChangeDesk(office.desk.instance, office.desk.gate)
    office.operations += many_sessions_changes(desk, Why(office.desk.instance, lambda id: None))
    ann = office.world.client("ann/1")
    for number in range(8):
        office.world.client(f"jack/{number + 1}", answers=False).subscribe("news")
    ann.publish("news", b"x")
    return office


def alive(office: ChangeOffice, name: str = "jack") -> int:
    subject = office.world.node.subjects.get(name)
    return 0 if subject is None else len(subject.sessions)


JACK = {"subject": "ja*"}


def test_dry_run_counts_and_changes_nothing() -> None:
    office = with_clients()
    assert office.post("sessions/end", {"filter": JACK, "dryRun": True}).json == {"matched": 8, "entries": 8, "done": 0}
    assert alive(office) == 8


def test_sessions_end_when_as_many_are_found_as_were_expected() -> None:
    office = with_clients()
    answer = office.post("sessions/end", {"filter": JACK, "expected": 8, "queue": "discard", "reason": "gone mad"})
    assert answer.json == {"matched": 8, "entries": 8, "done": 8}
    assert (alive(office), alive(office, "ann"), office.world.broker.letters.count) == (0, 1, 0)
    assert [(row.action, row.reason, row.outcome) for row in office.rows()] == [("sessions.end", "gone mad", "done")]


def test_connections_are_closed_and_sessions_wait() -> None:
    office = with_clients()
    body = {"filter": {**JACK, "state": "attached"}, "expected": 8}
    assert office.post("sessions/disconnect", body).json["done"] == 8
    assert alive(office) == 8
    assert office.post("sessions/disconnect", body).status == 412


@pytest.mark.parametrize("expected", [{}, {"expected": 7}])
def test_nothing_is_done_where_others_are_found_than_were_expected(expected: dict[str, int]) -> None:
    office = with_clients()
    answer = office.post("sessions/end", {"filter": JACK, **expected})
    assert (answer.status, answer.json["code"], "8 sessions" in answer.json["detail"]) == (
        412,
        "user.precondition",
        True,
    )
    assert alive(office) == 8


@pytest.mark.parametrize(
    ("filter", "pointer"),
    [({}, "/filter"), ({"colour": "red"}, "/filter/colour"), ({"state": "odd"}, "/filter/state")],
)
def test_filter_that_cannot_be_used_is_named(filter: dict[str, str], pointer: str) -> None:
    answer = with_clients().post("sessions/end", {"filter": filter, "dryRun": True})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer)
