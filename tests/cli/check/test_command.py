"""``broker check`` as a command."""

from __future__ import annotations

import fcntl
import io
import json
import os
import sys
from pathlib import Path

import pytest

from broker.cli.check.command import LOCK_FILE, SECTIONS, running_process
from broker.cli.main import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_is_made_before_the_first_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "configuration", "data", "database", "certificates", "dns"]) == 0
    assert list(tmp_path.iterdir()) == []
    output = capsys.readouterr()
    assert "OK       configuration: " in output.out
    assert "What to do: broker user add NAME" in output.out
    assert output.err == "no problems, 1 warning\n"


def test_problem_is_status_6(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "sesion.timeout=1", "check", "configuration", "--quiet"]) == 6
    output = capsys.readouterr()
    assert (output.out.startswith("PROBLEM  configuration: "), output.err) == (True, "")


def test_warnings_count_where_strictness_is_wanted() -> None:
    assert main(["check", "database"]) == 0
    assert main(["check", "database", "--strict"]) == 6


def test_json_is_a_finding_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "dns", "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "section": "dns",
        "severity": "ok",
        "detail": "xmpp.domain is localhost",
    }


def test_unknown_section_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["check", "weather"])
    assert end.value.code == 2
    assert ", ".join(SECTIONS) in capsys.readouterr().err


def test_broker_that_runs_is_known_by_its_lock(tmp_path: Path) -> None:
    assert running_process(tmp_path) is None
    file = tmp_path / LOCK_FILE
    file.write_text("4711\n")
    assert running_process(tmp_path) is None
    descriptor = os.open(file, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert running_process(tmp_path) == 4711
    os.close(descriptor)


def test_database_with_accounts_is_looked_at(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("open sesame\n"))
    assert main(["user", "add", "joe", "--password-stdin"]) == 0
    assert main(["check", "database"]) == 0
    output = capsys.readouterr().out
    assert "that of this version" in output
    assert "accounts: there is one account" in output
