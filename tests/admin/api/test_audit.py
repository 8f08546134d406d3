"""The audit over HTTP."""

from __future__ import annotations

import pytest

from broker.core.asker import Asker
from broker.core.audit_trail import Change
from broker.errors import BrokerError, Code
from tests.admin.api.office import ChangeOffice


def with_rows() -> ChangeOffice:
    office = ChangeOffice()
    for number, (principal, action) in enumerate(
        [("boss", "session.end"), ("ann", "session.disconnect"), ("boss", "topic.erase")]
    ):
        change = Change(Asker(principal, "operator", "session", "192.0.2.7", "r-1"), action, f"sessions/joe/{number}")
        office.world.node.trail.note(change)
        office.world.advance(60)
    return office


def targets(office: ChangeOffice, query: str) -> str:
    answer = office.ask(f"audit?{query}")
    assert answer.status == 200, answer.body
    return "".join(row["target"][-1] for row in answer.json["items"])


def test_row_tells_who_has_done_what() -> None:
    row = with_rows().ask("audit").json["items"][0]
    assert row.pop("id")
    assert row == {
        "at": "1970-01-12T13:48:40.000Z",
        "principal": "boss",
        "role": "operator",
        "via": "session",
        "peer": "192.0.2.7",
        "action": "topic.erase",
        "target": "sessions/joe/2",
        "outcome": "done",
        "request": "r-1",
    }


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", "210"),
        ("principal=boss", "20"),
        ("action=session.*", "10"),
        ("target=sessions/joe/1", "1"),
        ("since=1970-01-12T13:47:40Z", "21"),
        ("until=1970-01-12T13:47:40.000%2B00:00", "0"),
        ("principal=boss&limit=1", "2"),
    ],
)
def test_rows_are_filtered(query: str, wanted: str) -> None:
    assert targets(with_rows(), query) == wanted


def test_cursor_leads_to_the_next_page_and_the_last_has_none() -> None:
    office = with_rows()
    page = office.ask("audit?principal=boss&limit=1").json["page"]
    office.world.node.trail.note(Change(Asker("boss"), "new"))
    answer = office.ask(f"audit?principal=boss&limit=1&cursor={page['next']}").json
    assert ([row["action"] for row in answer["items"]], "next" in answer["page"]) == (["session.end"], False)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "since=yesterday", "since=2026-11-30T00:00:00", "cursor=x", "cursor=" + "MS4", "who=boss"],
)
def test_parameter_that_cannot_be_used_is_named(query: str) -> None:
    answer = with_rows().ask(f"audit?{query}")
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, f"query:{query.partition('=')[0]}")


def test_nobody_waits_for_a_store_that_fails() -> None:
    office = with_rows()
    office.world.store.fail(BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full"))
    assert office.ask("audit").status == 503
