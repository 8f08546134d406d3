"""The ``broker`` command as a whole."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import pytest

import broker
from broker.cli import main as command
from broker.cli.client_commands import _explain
from broker.cli.main import COMMANDS, main, make_parser, parse
from broker.cli.subcommands import CommandParser, LaterSubcommands, add_subcommands
from broker.errors import BrokerError, Code


def subcommand_that_raises(error: BaseException) -> object:
    def run(_options: argparse.Namespace) -> int:
        raise error

    def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        subcommands.add_parser("fail").set_defaults(run=run)

    return register


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"broker {broker.__version__}\n"


def test_help_names_every_subcommand_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "start the broker" in text
    assert "broker user add joe" in text


@pytest.mark.parametrize("arguments", [[], ["unheard-of"], ["user"], ["user", "add"], ["run", "--unheard-of"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["subscribe", "--oid", "x", "--timeout", "-1"],
        ["subscribe", "--oid", "x", "--timeout", "nan"],
        ["subscribe", "--oid", "x", "--count", "0"],
        ["subscribe", "--oid", "x", "--session", "joe"],
        ["subscribe", "--oid", "x", "--session", "jack/1"],
        ["subscribe", "--oid", "x", "--persistent"],
        ["get", "--oid", "x", "--history", "-2"],
        ["publish", "--oid", "x", "--file", "a", "content"],
        ["publish", "--oid", "x", "content", "more"],
        ["ping", "--ca", "a.pem"],
        ["ping", "--server", "http://127.0.0.1:7607"],
    ],
    ids=" ".join,
)
def test_wrong_options_of_clients_exit_with_2_before_anything_is_done(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROKER_USER", "joe")
    monkeypatch.setenv("BROKER_PASSWORD", "secret")
    try:
        status: object = main(arguments)
    except SystemExit as end:
        status = end.code
    assert status == 2


def test_without_a_password_nobody_logs_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BROKER_PASSWORD", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["ping", "--user", "joe"]) == 2
    assert "set BROKER_PASSWORD" in capsys.readouterr().err


def test_options_may_stand_between_receiver_and_content() -> None:
    options = parse(["send", "jack/1", "--force", "hello"])
    assert (options.receiver, options.force, options.content) == ("jack/1", True, "hello")


def test_unknown_option_is_told_with_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["publish", "--oid", "x", "--bogus", "1", "2"])
    assert capsys.readouterr().err.startswith("usage: broker publish")


def test_data_directory_may_stand_before_or_after_the_subcommand() -> None:
    for arguments in (["--data", "x", "run"], ["run", "--data", "x"]):
        assert make_parser().parse_args(arguments).data == Path("x")


def test_failure_is_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "The database does not answer")
    monkeypatch.setattr(command, "COMMANDS", [({"fail": None}, subcommand_that_raises(error))])
    assert main(["fail"]) == 1
    assert capsys.readouterr().err == "broker: resource.db.unavailable: The database does not answer\n"


def test_interrupted_command_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "COMMANDS", [({"fail": None}, subcommand_that_raises(KeyboardInterrupt()))])
    assert main(["fail"]) == 130


def test_usage_errors_have_no_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = BrokerError(Code.USER_WRONG_API_USAGE, "who are you?")
    monkeypatch.setattr(command, "COMMANDS", [({"fail": None}, subcommand_that_raises(error))])
    assert main(["fail"]) == 2
    assert capsys.readouterr().err == "broker: who are you?\n"


def test_a_reader_that_has_gone_ends_the_command_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        command, "COMMANDS", [({"fail": None}, subcommand_that_raises(BrokenPipeError(32, "Broken pipe")))]
    )
    assert main(["fail"]) == 141
    assert capsys.readouterr().err == ""


def test_a_command_whose_output_is_closed_does_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "COMMANDS", [({"fail": None}, subcommand_that_raises(AssertionError()))])
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["fail"]) == 1
    sys.stdout.close()
    assert "standard output is closed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", "--oid", "\udcff"],
        ["ping", "--user", "\udcff"],
        ["publish", "--oid", "x", "--property", "a=\udcff", "content"],
        ["send", "\udcff", "content"],
        ["get", "--oid", "x", "\udcff", "\udcfe"],
        ["get", "--oid", "a\x1bb"],
        ["--set", "a=\udcff", "run"],
    ],
)
def test_arguments_that_cannot_be_sent_are_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_content_need_not_be_utf8() -> None:
    assert parse(["publish", "--oid", "x", "\udcff"]).content == "\udcff"


def test_login_that_an_administrator_blocks_is_refused_and_no_question_of_the_port(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = BrokerError(Code.COMMUNICATION_SERVER_DENY, "logins of joe are blocked by an administrator")
    assert _explain(error) == 4
    assert capsys.readouterr().err == "broker: logins of joe are blocked by an administrator\n"


def test_what_the_help_lists_is_what_the_commands_say_of_themselves() -> None:
    """Given that the list is made without the parsers of what it lists."""
    parser = make_parser()
    (subcommands,) = (action for action in parser._actions if isinstance(action, LaterSubcommands))
    said = {}
    for name, _ in list(subcommands.choices.items()):
        own = add_subcommands(CommandParser(prog="broker"), "COMMAND")
        next(register for helps, register in COMMANDS if name in helps)(own)
        said.update({each.dest: each.help for each in own._choices_actions})
    assert {each.dest: each.help for each in subcommands._choices_actions} == said
