"""Definitions written to files and read from them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.ops.desk import CommandDesk

TOPIC = {"oid": "news", "key": '<key oid="news"/>', "qos": "<qos/>"}


def written(path: Path, **sections: object) -> str:
    """A file with definitions."""
    path.write_text(json.dumps({"format": "broker-definitions/1", "sections": sections}))
    return str(path)


def test_export_has_an_object_a_line(desk: CommandDesk) -> None:
    desk.world.client("joe/1").publish("news", b"x", "<qos><persistent/></qos>")
    status, output = desk.run("definitions", "export", "--sections", "topics")
    assert status == 0
    (line,) = [each for each in output.splitlines() if each.startswith('{"')]
    assert json.loads(line)["oid"] == "news"


def test_export_to_a_file_is_for_its_owner_only_and_can_be_imported(desk: CommandDesk, tmp_path: Path) -> None:
    file = tmp_path / "broker.json"
    assert desk.run("definitions", "export", "--output", str(file)) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert desk.run("definitions", "import", str(file)) == (0, "")


def test_import_tells_what_it_has_changed(desk: CommandDesk, tmp_path: Path) -> None:
    file = written(tmp_path / "broker.json", topics=[TOPIC])
    assert desk.run("definitions", "import", file, "--reason", "test") == (0, "create\ttopics\tnews\t\n")
    assert "news" in desk.world.node.topics
    assert desk.run("definitions", "diff", file) == (0, "")


def test_conflicts_of_a_dry_run_are_a_problem_that_was_found(desk: CommandDesk, tmp_path: Path) -> None:
    file = written(tmp_path / "broker.json", accounts=[{"name": "joe"}])
    status, output = desk.run("definitions", "import", file, "--dry-run", "true")
    assert (status, output.split("\t")[:3]) == (6, ["conflict", "accounts", "joe"])


def test_conflicts_are_told_and_nothing_is_done(
    desk: CommandDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "broker.json", accounts=[{"name": "joe"}, {"name": "ann"}], topics=[TOPIC])
    assert desk.run("definitions", "import", file)[0] == 1
    told = capsys.readouterr().err
    assert "/sections/accounts/joe" in told
    assert "2 conflicts" in told
    assert "news" not in desk.world.node.topics


def test_what_is_deleted_is_asked_for_before(
    desk: CommandDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.world.client("joe/1").publish("news", b"x", "<qos><persistent/></qos>")
    file = written(tmp_path / "broker.json", topics=[])
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert desk.run("definitions", "import", file, "--mode", "replace")[0] == 2
    assert "1 objects are deleted: give --yes" in capsys.readouterr().err
    assert "news" in desk.world.node.topics
    assert desk.run("definitions", "import", file, "--mode", "replace", "--yes") == (0, "delete\ttopics\tnews\t\n")
    assert "news" not in desk.world.node.topics


def test_file_that_is_no_json_object_is_wrong_usage(desk: CommandDesk, tmp_path: Path) -> None:
    file = tmp_path / "broker.json"
    file.write_text("[]")
    assert desk.run("definitions", "import", str(file))[0] == 2
    assert desk.run("definitions", "import", str(tmp_path / "nothing"))[0] == 1
    assert desk.asked == []
