"""``broker manager`` and ``twistd broker-manager``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError

from broker.cli.main import main, parse
from broker.cli.manager import twistd_arguments
from broker.manager.settings import Address, settings_of
from broker.manager.tap import Options


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("sekrit\n")
    return file


def test_twistd_finds_the_plugin() -> None:
    makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
    assert makers["broker-manager"].options is Options


def test_options_become_properties(secret: Path) -> None:
    arguments = ["--server=one:1", "--server=two:2", "--name=CM7", f"--secret-file={secret}"]
    options = Options()
    options.parseOptions([*arguments, "--set", "xmpp.manager.connections=3"])
    settings = settings_of(options.properties)
    assert settings.servers == (Address("one", 1), Address("two", 2))
    assert (settings.name, settings.secret, settings.connections) == ("cm7", "sekrit", 3)


def test_the_command_says_the_same_to_twistd(secret: Path) -> None:
    command = f"--data d manager --server one:1 --name cm7 --secret-file {secret} --set a=b"
    assert twistd_arguments(parse(command.split())) == [
        "--nodaemon",
        "--pidfile=",
        "broker-manager",
        "--data=d",
        "--name=cm7",
        f"--secret-file={secret}",
        "--server=one:1",
        "--set=a=b",
    ]


OPTIONS = ("--data", "--config", "--name", "--secret-file", "--server")


@pytest.mark.parametrize("option", [*OPTIONS, "--pidfile", "--logfile"])
@pytest.mark.parametrize("value", ["", " "])
def test_the_command_refuses_an_empty_option(
    secret: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["manager", f"--secret-file={secret}", f"{option}={value}"])
    assert caught.value.code == 2
    assert re.search(rf"argument (-./)?{option}: it is empty", capsys.readouterr().err)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("value", ["", " "])
def test_twistd_refuses_an_empty_option(secret: Path, option: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is empty"):
        Options().parseOptions([f"--secret-file={secret}", f"{option}={value}"])


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ("", "is not KEY=VALUE"),
        ("=x", "is not KEY=VALUE"),
        ("xmpp.manager.name", "is not KEY=VALUE"),
        ("xmpp.manager.name=", "cannot be the name of a manager"),
        ("xmpp.manager.connections=0", "out of range"),
        ("xmpp.manager.connections=65", "out of range"),
        ("xmpp.socket.plain.port=65536", "out of range"),
        ("xmpp.manager.stopTimeout=0", "out of range"),
        ("xmpp.manager.grace=-1", "out of range"),
        ("xmpp.server.tls=perhaps", "required, optional, auto"),
        ("xmpp.manager.frames=perhaps", "true or false"),
    ],
)
def test_odd_properties_are_refused(secret: Path, assignment: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Options().parseOptions([f"--secret-file={secret}", f"--set={assignment}"])


def test_help_speaks_of_what_a_manager_has(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["manager", "--help"])
    text = capsys.readouterr().out
    assert "database" not in text
    assert "exit status:" in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "there is no secret"),
        (["--secret-file=/nowhere"], "No such file"),
        (["--set=xmpp.password=x", "--server=one"], "is not host:port"),
        (["--set=xmpp.password=x", "--set=xmpp.port=x"], "not a number"),
    ],
)
def test_mistake_is_one_of_usage(arguments: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Options().parseOptions(arguments)


def test_all_properties_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["defaults", "manager"]) == 0
    assert capsys.readouterr().out.startswith("# Properties of a connection manager")
