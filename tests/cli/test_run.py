"""``broker run`` as a command line of twistd."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli import run
from broker.cli.main import main, make_parser
from broker.cli.run import twistd_arguments


def arguments_of(*arguments: str) -> list[str]:
    return twistd_arguments(make_parser().parse_args(["run", *arguments]))


def test_plain_run_stays_in_the_foreground_and_writes_no_pidfile() -> None:
    assert arguments_of() == ["--nodaemon", "--pidfile=", "broker", "--data=data", "--"]


def test_daemon_keeps_log_and_process_id_in_the_data_directory_for_its_owner_alone() -> None:
    assert arguments_of("--data=x", "--daemon") == [
        "--nodaemon",
        "--umask=077",
        "--pidfile=x/broker.pid",
        "--logfile=x/broker.log",
        "broker",
        "--data=x",
        "--",
    ]


def test_named_log_and_pidfile_are_used() -> None:
    arguments = arguments_of("--daemon", "--pidfile=a.pid", "--logfile=a.log")
    assert arguments[2:4] == ["--pidfile=a.pid", "--logfile=a.log"]


@pytest.mark.parametrize(
    ("content", "command", "stays"),
    [
        ("17", b"/usr/bin/python3\0/opt/venv/bin/broker\0run\0", True),
        ("17\n", b"python3\0/usr/bin/twistd\0-n\0broker\0", True),
        ("17", b"/home/joe/broker/sleep\0300\0", False),
        ("17", b"", False),
        ("18", b"broker\0", False),
        ("rubbish", b"broker\0", False),
    ],
)
def test_process_id_file_that_no_broker_owns_is_removed(
    content: str, command: bytes, stays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PROCESSES", tmp_path / "proc")
    (tmp_path / "proc" / "17").mkdir(parents=True)
    (tmp_path / "proc" / "17" / "cmdline").write_bytes(command)
    pidfile = tmp_path / "broker.pid"
    pidfile.write_text(content)

    run.remove_stale(pidfile)

    assert pidfile.exists() == stays


def test_process_id_file_stays_where_nothing_is_known_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PROCESSES", tmp_path / "proc")
    pidfile = tmp_path / "broker.pid"
    pidfile.write_text("17")
    run.remove_stale(pidfile)
    assert pidfile.exists()


def test_data_directory_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.touch()
    assert main(["run", "--data", str(file)]) == 1
    assert capsys.readouterr().err == f"broker run: {file} is no directory\n"


def test_options_of_the_broker_are_handed_on() -> None:
    arguments = arguments_of("--config=a.properties", "--plugins=a.xml", "--set", "a=1", "--set", "b=2")
    assert arguments[2:] == [
        "broker",
        "--data=data",
        "--config=a.properties",
        "--plugins=a.xml",
        "--set=a=1",
        "--set=b=2",
        "--",
    ]


def test_set_before_and_after_the_subcommand_are_both_taken() -> None:
    options = make_parser().parse_args(["--set", "a=1", "run", "--set", "b=2"])
    assert [argument for argument in twistd_arguments(options) if argument.startswith("--set")] == [
        "--set=a=1",
        "--set=b=2",
    ]


def test_pairs_after_two_dashes_are_handed_on() -> None:
    pairs = ["-persistence/session/maxEntries", "200", "-session.timeout", "-1"]
    arguments = arguments_of("--", *pairs)
    assert arguments[arguments.index("--") + 1 :] == pairs


def test_unusable_property_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--set", "session.timeout"]) == 2
    assert "'session.timeout' is not KEY=VALUE" in capsys.readouterr().err
