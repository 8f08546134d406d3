"""Which broker a command asks, and as whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.main import parse
from broker.cli.ops.address import addresses_of
from broker.cli.transport import Address, PortAddress, UnixAddress
from broker.errors import BrokerError, Code


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def client_file(home: Path, text: str) -> None:
    file = home / ".config" / "broker" / "client.toml"
    file.parent.mkdir(parents=True)
    file.touch(0o600)
    file.write_text(text)


def found(*arguments: str, **environment: str) -> list[Address]:
    return list(addresses_of(parse([*arguments, "status"]), environment))


def asked(*arguments: str, **environment: str) -> list[Address]:
    return list(addresses_of(parse(["status", *arguments]), environment))


def test_socket_of_the_data_directory_is_asked_whether_it_is_named_before_or_after_the_command() -> None:
    assert found("--data", "/d") == asked("--data", "/d") == [UnixAddress(Path("/d/admin.sock"))]


def test_where_nothing_is_said_the_usual_places_are_asked() -> None:
    assert asked() == [UnixAddress(Path("data/admin.sock")), UnixAddress(Path("/run/broker/admin.sock"))]


def test_socket_on_the_command_line_beats_the_environment_which_beats_the_data_directory() -> None:
    assert asked("--socket", "/a", BROKER_SOCKET="/b") == [UnixAddress(Path("/a"))]
    assert asked("--data", "/d", BROKER_SOCKET="/b") == [UnixAddress(Path("/b"))]


def test_port_may_be_in_the_file_of_the_user(home: Path) -> None:
    client_file(home, "admin_url = 'https://broker.example.org'\ntoken = 'brk_1'\nca = '/ca.pem'")
    assert asked() == [PortAddress("broker.example.org", 7609, True, Path("/ca.pem"), "brk_1")]
    assert asked("--data", "/d") == [UnixAddress(Path("/d/admin.sock"))]


def test_token_is_taken_from_a_file_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("brk_2\n")
    url = "https://[::1]:7000"
    assert asked("--url", url, "--token-file", str(file), BROKER_TOKEN="brk_3") == [
        PortAddress("::1", 7000, True, None, "brk_2")
    ]
    assert asked("--url", url, BROKER_TOKEN="brk_3") == [PortAddress("::1", 7000, True, None, "brk_3")]


def test_token_file_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("brk_2")
    file.chmod(0o644)
    with pytest.raises(BrokerError, match="chmod 600"):
        asked("--url", "https://x", "--token-file", str(file))


def test_token_is_not_part_of_what_is_logged() -> None:
    assert "brk_3" not in repr(asked("--url", "https://x", BROKER_TOKEN="brk_3"))


def test_token_crosses_no_network_in_the_clear() -> None:
    with pytest.raises(BrokerError, match="in the clear"):
        asked("--url", "http://broker.example.org:7609", BROKER_TOKEN="brk_3")
    assert asked("--url", "http://localhost:1", BROKER_TOKEN="t") == [PortAddress("localhost", 1, False, None, "t")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "broker.example.org"],
        ["--url", "https://x/path"],
        ["--url", "ftp://x"],
        ["--url", "https://x:99999"],
        ["--url", "http://x", "--ca", "a.pem"],
        ["--url", "https://x", "--socket", "/a"],
        ["--ca", "a.pem"],
    ],
    ids=" ".join,
)
def test_address_that_means_nothing_is_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(BrokerError) as refused:
        asked(*arguments)
    assert refused.value.code == Code.USER_WRONG_API_USAGE


@pytest.mark.parametrize("token", ["two words", "a\nb", "caf\u00e9"])
def test_token_that_no_header_can_carry_is_wrong_usage(token: str) -> None:
    with pytest.raises(BrokerError, match="is no token"):
        asked("--url", "https://x", BROKER_TOKEN=token)
