"""Commands that list and count."""

from __future__ import annotations

import json

import pytest

from broker.cli.ops import lists
from broker.cli.transport import Reply
from tests.cli.ops.desk import CommandDesk

ROWS = 5


@pytest.fixture
def filled(desk: CommandDesk) -> CommandDesk:
    for number in range(ROWS):
        desk.world.client(f"joe{number}")
    return desk


def test_list_is_lines_with_tabs_where_no_terminal_reads_it(filled: CommandDesk) -> None:
    status, output = filled.run("sessions", "list", "--columns", "subject,kind,queue.entries")
    assert (status, output.splitlines()[0]) == (0, "joe0\tnative\t0")
    assert len(output.splitlines()) == ROWS


def test_list_goes_over_all_pages(filled: CommandDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE", 2)
    _, output = filled.run("sessions", "list", "--columns", "subject")
    assert output.split() == [f"joe{number}" for number in range(ROWS)]
    assert len(filled.asked) == 3


def test_json_is_a_row_a_line_exactly_as_the_api_has_it(filled: CommandDesk) -> None:
    _, output = filled.run("sessions", "list", "--json")
    page = filled.ask("GET", "/api/v1/sessions").read_object()
    assert [json.loads(line) for line in output.splitlines()] == page["items"]


def test_quiet_prints_names_only(filled: CommandDesk) -> None:
    _, output = filled.run("sessions", "list", "--quiet", "--limit", "1")
    assert output == "joe0/-1\n"


def test_limit_asks_for_no_more_than_it_prints(filled: CommandDesk) -> None:
    _, output = filled.run("sessions", "list", "--limit", "2")
    assert len(output.splitlines()) == 2
    assert [target for _, target, _ in filled.asked] == ["/api/v1/sessions?limit=2"]


def test_filters_of_the_api_are_options(filled: CommandDesk) -> None:
    filled.run("queues", "list", "--relating", "subject", "--min-entries", "1", "--search", "a b", "--sort", "-bytes")
    assert filled.asked[0][1] == "/api/v1/queues?sort=-bytes&q=a+b&relating=subject&minEntries=1&limit=1000"


def test_value_that_a_filter_cannot_have_is_wrong_usage(
    filled: CommandDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert filled.run("sessions", "list", "--kind", "smoke")[0] == 2
    assert filled.run("queues", "list", "--min-entries", "x")[0] == 2
    assert filled.asked == []


def test_filter_that_the_broker_refuses_is_wrong_usage_with_its_reason(
    filled: CommandDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert filled.run("sessions", "list", "--subject", "a*b")[0] == 2
    assert capsys.readouterr().err == "broker: subject: * may stand at the beginning and at the end only\n"


def test_field_that_there_is_not_is_told_the_nearest(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("queues", "list", "--columns", "entires")[0] == 2
    assert "is entries meant?" in capsys.readouterr().err


def test_terminal_gets_a_table_with_a_heading(filled: CommandDesk) -> None:
    _, output = filled.show("sessions", "list", "--columns", "name,queue.bytes,persistent")
    assert [word in output for word in ("queue.bytes", "joe4/", "0 B", "no")] == [True] * 4


def test_terminal_is_told_how_many_more_there_are(filled: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    filled.show("sessions", "list", "--limit", "2")
    assert capsys.readouterr().err.startswith("and 3 more:")


def test_name_of_somebody_else_does_nothing_to_a_terminal_or_to_columns(desk: CommandDesk) -> None:
    row = {"oid": "a\x1b[2J\tb\n", "state": "ALIVE", "subscribers": 1}
    page = json.dumps({"items": [row], "page": {"matched": 1, "complete": True}}).encode()
    for run in (desk.run, desk.show):
        desk.canned.append(Reply(200, "application/json", {}, page))
        _, output = run("topics", "list", "--columns", "oid,state")
        assert r"a\x1b[2J\x09b\x0a" in output


def test_row_that_cannot_be_told_is_named_and_the_others_are_listed(
    desk: CommandDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [{"id": "odd", "error": "it cannot be told"}, {"oid": "news"}]
    page = json.dumps({"items": items, "page": {"matched": 2, "complete": True}}).encode()
    desk.canned.append(Reply(200, "application/json", {}, page))
    assert desk.run("topics", "list", "--columns", "oid") == (7, "news\n")
    assert capsys.readouterr().err == "broker: odd: it cannot be told\n"


def test_list_that_is_not_complete_is_done_in_part(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.canned.append(Reply(200, "application/json", {}, b'{"items":[],"page":{"matched":0,"complete":false}}'))
    assert desk.run("topics", "list")[0] == 7
    assert "there are more" in capsys.readouterr().err


def test_narrow_terminal_gets_the_columns_that_fit_and_is_told_of_the_others(
    filled: CommandDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    _, output = filled.show("sessions", "list", "--columns", "name,kind,state,createdAt")
    assert [word in output for word in ("joe4/", "native", "attached")] == [True, True, False]
    assert capsys.readouterr().err == "no room for state, createdAt: --columns A,B chooses\n"


def test_terminal_is_told_that_there_is_none(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.show("topics", "list")[0] == 0
    assert capsys.readouterr().err == "there is none\n"


def test_count_counts_what_matches(filled: CommandDesk) -> None:
    assert filled.run("sessions", "count", "--subject", "joe1") == (0, "1\n")
    assert filled.run("sessions", "count") == (0, f"{ROWS}\n")
