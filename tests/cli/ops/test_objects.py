"""Commands that tell of one object."""

from __future__ import annotations

import json

import pytest

from tests.cli.ops.desk import CommandDesk


def test_every_field_is_a_line(desk: CommandDesk) -> None:
    desk.world.client("joe")
    status, output = desk.run("sessions", "show", "joe/-1")
    fields = dict(line.split("\t") for line in output.splitlines())
    assert (status, fields["name"], fields["queue.entries"], fields["persistent"]) == (0, "joe/-1", "0", "false")


def test_json_is_that_of_the_api(desk: CommandDesk) -> None:
    desk.world.client("joe")
    _, output = desk.run("sessions", "show", "joe/-1", "--json")
    assert json.loads(output) == desk.ask("GET", "/api/v1/sessions/joe/-1").read_object()


def test_terminal_gets_values_for_people(desk: CommandDesk) -> None:
    desk.world.client("joe")
    _, output = desk.show("queues", "show", "callback/joe~-1")
    assert "fillRatio" in output
    assert "0 %" in output


def test_name_is_one_part_of_the_path_whatever_is_in_it(desk: CommandDesk) -> None:
    desk.run("topics", "show", "a/b ?#%")
    desk.run("queues", "show", "history/a/b")
    assert [target for _, target, _ in desk.asked] == [
        "/api/v1/topics/a%2Fb%20%3F%23%25",
        "/api/v1/queues/history/a%2Fb",
    ]


def test_what_there_is_not_fails_with_a_reason(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("topics", "show", "nothing") == (1, "")
    assert capsys.readouterr().err == "broker: there is no topic nothing\n"


@pytest.mark.parametrize("name", ["joe", "joe/", "/1"])
def test_name_without_both_of_its_parts_is_wrong_usage(
    desk: CommandDesk, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.run("sessions", "show", name)[0] == 2
    assert "joe/1" in capsys.readouterr().err


def test_who_asks_is_told(desk: CommandDesk) -> None:
    assert "role\tadministrator" in desk.run("whoami")[1]
