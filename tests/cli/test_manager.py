"""``broker manager`` and ``twistd broker-manager``."""

from __future__ import annotations

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
