"""Commands about accounts where no broker runs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from broker.cli.main import main


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("BROKER_SOCKET", raising=False)
    return str(tmp_path / "data")


def run(data: str, *arguments: str, monkeypatch: pytest.MonkeyPatch | None = None, stdin: str = "") -> int:
    if monkeypatch is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    return main([*arguments, "--data", data])


def rows(data: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert run(data, "accounts", "list", "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_accounts_are_made_changed_and_removed_in_the_database(
    data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(*arguments: str) -> int:
        return run(data, "accounts", *arguments, monkeypatch=monkeypatch, stdin="sesame sesame\n")

    assert given("add", "ann", "--role", "monitoring", "--password-stdin") == 0
    assert "no broker runs" in capsys.readouterr().err
    assert given("add", "bob", "--password-stdin") == 0
    assert rows(data, capsys) == [{"name": "ann", "role": "monitoring"}, {"name": "bob", "role": "none"}]

    assert given("role", "ann", "operator") == 0
    assert given("passwd", "ann", "--password-stdin") == 0
    assert given("remove", "bob") == 2  # nobody can be asked
    assert given("remove", "bob", "--yes") == 0
    assert rows(data, capsys) == [{"name": "ann", "role": "operator"}]


def test_account_that_there_is_not_is_told(
    data: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        run(data, "accounts", "add", "ann", "--password-stdin", monkeypatch=monkeypatch, stdin="sesame sesame\n") == 0
    )
    assert run(data, "accounts", "role", "bob", "operator") == 1
    assert "There is no account bob" in capsys.readouterr().err


def test_what_needs_a_broker_says_that_none_is_there(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "accounts", "show", "ann") == 3
    assert "Is the broker running?" in capsys.readouterr().err


def test_broker_that_is_named_by_its_socket_is_asked_and_nothing_else(data: str, tmp_path: Path) -> None:
    assert main(["accounts", "list", "--socket", str(tmp_path / "none.sock")]) == 3
