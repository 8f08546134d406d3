"""Where client commands take the broker's address, the name and the password from."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.cli.main import parse
from broker.cli.server import server_of
from broker.cli.standard_input import read_password
from broker.errors import BrokerError, Code


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; the current directory is another one."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config/broker").mkdir(parents=True)
    return tmp_path


def write(path: Path, mode: int = 0o600) -> None:
    path.write_text('server = "socket://evil:1"\nuser = "joe"\npassword = "secret"\n')
    path.chmod(mode)


def test_the_file_of_the_user_is_read(home: Path) -> None:
    write(home / ".config/broker/client.toml")
    server = server_of(parse(["ping"]), {})
    assert (server.places[0][0], server.user, server.password) == ("evil", "joe", "secret")


def test_a_file_of_the_current_directory_is_not_read(home: Path) -> None:
    write(Path(".broker.toml"))
    server = server_of(parse(["ping"]), {"BROKER_USER": "joe", "BROKER_PASSWORD": "secret"})
    assert server.places == (("127.0.0.1", 7607),)


def test_a_file_with_a_password_that_others_may_read_is_refused(home: Path) -> None:
    write(home / ".config/broker/client.toml", 0o644)
    with pytest.raises(BrokerError) as raised:
        server_of(parse(["ping"]), {})
    assert "chmod 600" in raised.value.message


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_may_write_is_refused(mode: int, home: Path) -> None:
    path = home / ".config/broker/client.toml"
    path.write_text('server = "socket://evil:1"\n')
    path.chmod(mode)
    with pytest.raises(BrokerError) as raised:
        server_of(parse(["ping"]), {"BROKER_USER": "joe", "BROKER_PASSWORD": "secret"})
    assert "others may write it" in raised.value.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("usr = 'joe'", "there is no 'usr'"),
        ("user = 3", "user must be a text"),
        ("tls = 'no'", "tls must be a boolean"),
    ],
)
def test_a_file_that_says_something_else_is_refused(text: str, reason: str, home: Path) -> None:
    (home / ".config/broker/client.toml").write_text(text)
    with pytest.raises(BrokerError) as raised:
        server_of(parse(["ping"]), {"BROKER_USER": "joe", "BROKER_PASSWORD": "secret"})
    assert reason in raised.value.message


def test_several_places_may_be_named(home: Path) -> None:
    environment = {"BROKER_USER": "joe", "BROKER_PASSWORD": "secret", "BROKER_SERVER": "socket://a:1,[::1]:2"}
    assert server_of(parse(["ping"]), environment).places == (("a", 1), ("::1", 2))


def test_each_place_must_be_readable(home: Path) -> None:
    environment = {"BROKER_USER": "joe", "BROKER_PASSWORD": "secret", "BROKER_SERVER": "a:1,"}
    with pytest.raises(BrokerError, match="is not of the form"):
        server_of(parse(["ping"]), environment)


@pytest.mark.parametrize("name", ["BROKER_SERVER", "BROKER_USER", "BROKER_PASSWORD"])
def test_a_variable_that_is_not_utf8_is_wrong_usage(name: str, home: Path) -> None:
    environment = {"BROKER_USER": "joe", "BROKER_PASSWORD": "secret", name: "\udcff"}
    with pytest.raises(BrokerError) as raised:
        server_of(parse(["ping"]), environment)
    assert (raised.value.code, name in raised.value.message) == (Code.USER_WRONG_API_USAGE, True)


def test_a_file_of_somebody_else_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".config/broker/client.toml")
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(BrokerError) as raised:
        server_of(parse(["ping"]), {})
    assert "belongs to somebody else" in raised.value.message


class TestPassword:
    @pytest.fixture
    def standard_input(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], int]]:
        """Makes standard input a pipe with these bytes; returns its end."""
        with ExitStack() as opened:

            def make(data: bytes) -> int:
                reading, writing = os.pipe()
                os.write(writing, data)
                os.close(writing)
                stdin = opened.enter_context(io.TextIOWrapper(io.BufferedReader(io.FileIO(reading))))
                monkeypatch.setattr(sys, "stdin", stdin)
                return reading

            yield make

    @pytest.mark.parametrize("end", [b"\n", b"\r\n"])
    def test_exactly_one_line_is_read(self, end: bytes, standard_input: Callable[[bytes], int]) -> None:
        reading = standard_input(b"secret" + end + b"content\n\xff\0more")
        assert read_password() == "secret"
        assert os.read(reading, 100) == b"content\n\xff\0more"

    def test_the_content_follows_for_this_command(self, standard_input: Callable[[bytes], int]) -> None:
        standard_input(b"secret\n\xff\0content")
        assert read_password() == "secret"
        assert sys.stdin.buffer.read() == b"\xff\0content"

    def test_a_line_without_an_end_is_a_password(self, standard_input: Callable[[bytes], int]) -> None:
        standard_input(b"secret")
        assert read_password() == "secret"

    @pytest.mark.parametrize("data", [b"\xff\n", b"x" * 65_537])
    def test_what_is_no_password_is_wrong_usage(
        self, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "input").write_bytes(data)
        with (tmp_path / "input").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            with pytest.raises(BrokerError) as raised:
                read_password()
        assert raised.value.code == Code.USER_WRONG_API_USAGE
