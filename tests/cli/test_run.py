"""``broker run`` as a command line of twistd."""

from __future__ import annotations

import pytest

from broker.cli.main import main, make_parser
from broker.cli.run import twistd_arguments


def arguments_of(*arguments: str) -> list[str]:
    return twistd_arguments(make_parser().parse_args(["run", *arguments]))


def test_plain_run_stays_in_the_foreground_and_writes_no_pidfile() -> None:
    assert arguments_of() == ["--nodaemon", "--pidfile=", "broker", "--data=data", "--"]


def test_daemon_keeps_log_and_process_id_in_the_data_directory() -> None:
    assert arguments_of("--data=x", "--daemon") == [
        "--pidfile=x/broker.pid",
        "--logfile=x/broker.log",
        "broker",
        "--data=x",
        "--",
    ]


def test_named_log_and_pidfile_are_used() -> None:
    arguments = arguments_of("--daemon", "--pidfile=a.pid", "--logfile=a.log")
    assert arguments[:2] == ["--pidfile=a.pid", "--logfile=a.log"]


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
