"""What people type: accounts, publish, subscribe, and nothing lost when the power goes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.launcher import BrokerProcess, command

pytestmark = pytest.mark.system

NOT_CONNECTED, REFUSED, TIMED_OUT = 3, 4, 5


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path / "data")
    broker.add_accounts("joe", "jack")
    with broker:
        yield broker


class People:
    """Runs client commands against a broker."""

    def __init__(self, broker: BrokerProcess, directory: Path) -> None:
        self._directory = directory
        host, port = broker.address()
        self._server = f"socket://{host}:{port}"

    def arguments(self, *words: str, user: str = "joe") -> list[str]:
        """The command line."""
        return [command("broker"), words[0], "--server", self._server, "--user", user, *words[1:]]

    def run(
        self, *words: str, user: str = "joe", password: str = "secret", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.arguments(*words, user=user),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self._directory,
            env=os.environ | {"BROKER_PASSWORD": password, "HOME": str(self._directory)},
        )


@pytest.fixture
def people(broker: BrokerProcess, tmp_path: Path) -> People:
    return People(broker, tmp_path)


def test_published_message_is_got(people: People) -> None:
    assert people.run("publish", "--oid", "weather", "sunny").returncode == 0
    got = people.run("get", "--oid", "weather", "--json")
    assert json.loads(got.stdout)["content"] == "sunny"


def test_every_line_of_the_input_is_a_message(people: People) -> None:
    published = people.run("publish", "--oid", "numbers", "--lines", "-", stdin="".join(f"{n}\n" for n in range(250)))
    assert published.stdout == "250 published\n"
    got = people.run("get", "--oid", "numbers", "--history", "3", "--json")
    assert [json.loads(line)["content"] for line in got.stdout.splitlines()] == ["249", "248", "247"]


def test_subscription_that_survives_gets_what_was_published_before_and_after_the_crash(
    broker: BrokerProcess, people: People
) -> None:
    # given a persistent subscriber that has gone away
    first = people.run("subscribe", "--persistent", "--session", "joe/1", "--oid", "weather", "--timeout", "1")
    assert first.returncode == TIMED_OUT
    # when messages are published before and after kill -9
    assert people.run("publish", "--oid", "weather", "--persistent", "before", user="jack").returncode == 0
    broker.kill()
    broker.start()
    assert people.run("publish", "--oid", "weather", "--persistent", "after", user="jack").returncode == 0
    # then it gets both, in order, once
    again = people.run(
        "subscribe", "--persistent", "--session", "joe/1", "--oid", "weather", "--json", "--timeout", "2"
    )
    assert [json.loads(line)["content"] for line in again.stdout.splitlines()] == ["before", "after"]


def test_message_to_nobody_is_an_error_that_says_what_to_do(people: People) -> None:
    sent = people.run("send", "nobody", "hello")
    assert sent.returncode == 1
    assert "--force" in sent.stderr


def test_wrong_password_and_missing_broker_have_their_own_exit_status(people: People) -> None:
    assert people.run("ping", password="wrong").returncode == REFUSED
    assert people.run("ping", "--server", "socket://127.0.0.1:1").returncode == NOT_CONNECTED


def test_port_of_another_protocol_is_guessed(broker: BrokerProcess, people: People) -> None:
    host, port = broker.address("XMPP")
    asked = people.run("ping", "--server", f"socket://{host}:{port}")
    assert asked.returncode == NOT_CONNECTED
    assert "Is this a port of the native protocol?" in asked.stderr


def test_nobody_without_a_name(people: People) -> None:
    assert "Give --user" in people.run("ping", user="").stderr
