"""Names of objects for the completion of a shell."""

from __future__ import annotations

import pytest

from broker.cli.ops import complete
from broker.errors import BrokerError, Code
from tests.cli.ops.desk import CommandDesk


@pytest.fixture
def asking(desk: CommandDesk, monkeypatch: pytest.MonkeyPatch) -> CommandDesk:
    monkeypatch.setattr(complete, "Administration", lambda addresses, patience: desk)
    desk.world.client("joe")
    desk.world.client("ann")
    return desk


def test_names_that_begin_so_are_printed(asking: CommandDesk) -> None:
    assert asking.run("complete", "sessions", "jo") == (0, "joe/-1\n")
    assert asking.run("complete", "queues", "callback/a") == (0, "callback/ann~-2\n")


def test_without_a_beginning_all_are(asking: CommandDesk) -> None:
    assert asking.run("complete", "sessions")[1].split() == ["ann/-2", "joe/-1"]


def test_where_no_broker_answers_nothing_is_printed(asking: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    asking.canned.append(BrokerError(Code.COMMUNICATION_NO_CONNECTION, "nobody"))
    assert asking.run("complete", "sessions") == (0, "")
    assert capsys.readouterr().err == ""


def test_help_does_not_tell_of_it(desk: CommandDesk) -> None:
    assert "    complete " not in desk.run("--help")[1]
