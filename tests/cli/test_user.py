"""``broker user``, on the database of a data directory."""

from __future__ import annotations

import getpass
import io
import sqlite3
import sys
import warnings
from pathlib import Path

import pytest

from broker.auth.scram import Mechanism, Verifier
from broker.cli.main import main
from broker.config.runtime import RuntimeFile
from broker.config.syntax import Setting
from broker.store.sql.accounts import AccountTable


def user(data: Path, *arguments: str) -> int:
    return main(["--data", str(data), "user", *arguments])


def add(data: Path, name: str, password: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{password}\n"))
    return user(data, "add", name, "--password-stdin")


def is_password(data: Path, name: str, password: str) -> bool:
    with AccountTable(f"sqlite:///{data}/broker.db") as accounts:
        record = accounts.get(name)
    assert record is not None
    return Verifier.parse(Mechanism.SHA_1, record.scram_sha_1).check(password) and Verifier.parse(
        Mechanism.SHA_256, record.scram_sha_256
    ).check(password)


def type_passwords(monkeypatch: pytest.MonkeyPatch, *passwords: str) -> None:
    typed = iter(passwords)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(typed))


def test_added_account_has_the_password_of_standard_input(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert add(data_dir, "joe", "a secret", monkeypatch) == 0
    assert is_password(data_dir, "joe", "a secret")
    assert not is_password(data_dir, "joe", "a secret\n")


def test_name_that_xmpp_does_not_have_is_made_with_a_note(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(data_dir, "Ann", "a secret", monkeypatch) == 0
    assert "native clients only" in capsys.readouterr().err


@pytest.mark.parametrize("action", [("list",), ("passwd", "joe"), ("remove", "joe")], ids=" ".join)
def test_only_add_makes_a_database(tmp_path: Path, action: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert user(tmp_path / "nowhere", *action) == 1
    assert "There is no database" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_password_is_asked_for_twice(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    type_passwords(monkeypatch, "a secret", "a secret")
    assert user(data_dir, "add", "joe") == 0
    assert is_password(data_dir, "joe", "a secret")


def test_two_different_passwords_make_no_account(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_passwords(monkeypatch, "a secret", "another")
    assert user(data_dir, "add", "joe") == 1
    assert "differ" in capsys.readouterr().err
    assert user(data_dir, "list") == 0
    assert capsys.readouterr().out == ""


def test_password_is_never_read_with_echo(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_terminal(_prompt: str) -> str:
        warnings.warn("Cannot control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        return "an echoed secret"

    monkeypatch.setattr(getpass, "getpass", without_terminal)
    assert user(data_dir, "add", "joe") == 2
    assert "--password-stdin" in capsys.readouterr().err


def test_empty_password_is_refused(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert add(data_dir, "joe", "", monkeypatch) == 1


@pytest.mark.parametrize("name", ["j", "joe/1", "joe@heron", "__sys", "jo e"])
def test_name_that_cannot_be_one_is_refused(data_dir: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert add(data_dir, name, "a secret", monkeypatch) == 1


def test_account_is_not_added_twice(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(data_dir, "joe", "a secret", monkeypatch)
    assert add(data_dir, "joe", "another", monkeypatch) == 1
    assert "already" in capsys.readouterr().err
    assert is_password(data_dir, "joe", "a secret")


def test_passwd_replaces_the_password(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(data_dir, "joe", "a secret", monkeypatch)
    type_passwords(monkeypatch, "another", "another")
    assert user(data_dir, "passwd", "joe") == 0
    assert is_password(data_dir, "joe", "another")
    assert not is_password(data_dir, "joe", "a secret")


def test_list_prints_names_and_nothing_else(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(data_dir, "joe", "a secret", monkeypatch)
    add(data_dir, "ann", "a secret", monkeypatch)
    assert user(data_dir, "list") == 0
    assert capsys.readouterr().out == "ann\njoe\n"


def test_removed_account_is_gone(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(data_dir, "joe", "a secret", monkeypatch)
    assert user(data_dir, "remove", "joe") == 0
    assert user(data_dir, "list") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("action", ["remove", "passwd"])
def test_unknown_account_is_a_failure(
    data_dir: Path, action: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add(data_dir, "ann", "a secret", monkeypatch)
    assert user(data_dir, action, "joe") == 1
    assert "no account joe" in capsys.readouterr().err


def test_account_is_found_in_the_database_that_a_property_names(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = ["--set", f"db.url=sqlite:///{tmp_path}/elsewhere.db"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("a secret\n"))
    assert user(data_dir, *elsewhere, "add", "joe", "--password-stdin") == 0
    assert user(data_dir, *elsewhere, "list") == 0
    assert capsys.readouterr().out == "joe\n"
    assert not (data_dir / "broker.db").exists()


def test_list_names_accounts_that_cannot_be_read_and_they_can_be_made_anew(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ann", "joe"):
        add(data_dir, name, "a secret", monkeypatch)
    with sqlite3.connect(data_dir / "broker.db") as connection:
        connection.execute("UPDATE account SET scram_sha_1 = 'spoilt' WHERE name = 'joe'")
    connection.close()
    capsys.readouterr()

    assert user(data_dir, "list") == 1
    out, error = capsys.readouterr()
    assert out == "ann\n"
    assert error == "broker user: the account joe: a verifier of the account is none\n"
    assert user(data_dir, "passwd", "joe") == 1
    assert "cannot be read" in capsys.readouterr().err
    assert user(data_dir, "remove", "joe") == 0
    assert add(data_dir, "joe", "another", monkeypatch) == 0
    assert is_password(data_dir, "joe", "another")


def test_password_that_is_too_short_is_refused_as_the_broker_would(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(data_dir, "joe", "12345", monkeypatch) == 1
    assert "at least 6 characters" in capsys.readouterr().err
    RuntimeFile(data_dir).write([Setting("account.minPasswordLength", "10", "run time, by ann")])
    assert add(data_dir, "joe", "123456789", monkeypatch) == 1
    assert add(data_dir, "joe", "1234567890", monkeypatch) == 0
    type_passwords(monkeypatch, "short", "short")
    assert user(data_dir, "passwd", "joe") == 1
