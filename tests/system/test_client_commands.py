"""What people type: accounts, publish, subscribe, and nothing lost when the power goes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.launcher import BrokerProcess, command, environment_python, wait_until

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


def test_lines_that_nobody_acknowledged_are_counted_and_named(broker: BrokerProcess, people: People) -> None:
    # given a command that publishes lines as they come
    arguments = people.arguments("publish", "--oid", "numbers", "--timeout", "1", "--lines", "-")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=os.environ | {"BROKER_PASSWORD": "secret"}
    ) as publishing:
        assert publishing.stdin is not None
        publishing.stdin.write(b"1\n")
        publishing.stdin.flush()
        wait_until(lambda: people.run("get", "--oid", "numbers").stdout.endswith(": 1\n"))
        # when the broker goes away for good
        broker.kill()
        out, err = publishing.communicate(b"2\n3\n", timeout=60)
    # then it says what was not acknowledged
    assert publishing.returncode == 1
    assert out == b"1 published\n"
    assert b"2 of 3 lines were not acknowledged by the broker, the first of them is line 2" in err


def test_password_and_content_share_standard_input(people: People) -> None:
    published = people.run("publish", "--oid", "a", "--password-stdin", password="", stdin="secret\nfirst\nsecond")
    assert published.returncode == 0
    assert people.run("get", "--oid", "a", "--raw").stdout == "first\nsecond"
    lines = people.run(
        "publish", "--oid", "b", "--password-stdin", "--lines", password="", stdin="secret\nfirst\nsecond\n"
    )
    assert lines.stdout == "2 published\n"


def test_what_was_printed_is_not_delivered_again(people: People) -> None:
    subscribe = ("subscribe", "--persistent", "--session", "joe/1", "--oid", "numbers", "--json", "--timeout", "2")
    assert people.run(*subscribe).returncode == TIMED_OUT
    people.run("publish", "--oid", "numbers", "--persistent", "--lines", "-", stdin="1\n2\n3\n4\n5\n", user="jack")
    got = [
        [json.loads(line)["content"] for line in people.run(*subscribe, "--count", "2").stdout.splitlines()]
        for _ in range(3)
    ]
    assert got == [["1", "2"], ["3", "4"], ["5"]]


def test_a_subscriber_says_when_the_broker_goes_and_comes_back(broker: BrokerProcess, people: People) -> None:
    words = people.arguments("subscribe", "--oid", "weather", "--count", "2", "--json")
    people.run("publish", "--oid", "weather", "before")
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, env=os.environ | {"BROKER_PASSWORD": "secret"}) as reading:
        assert reading.stdout is not None
        assert b'"before"' in reading.stdout.readline()
        broker.restart()
        assert reading.stderr is not None
        assert reading.stderr.readline() == b"broker: the connection is lost; waiting for the broker to come back\n"
        back = reading.stderr.readline()
        people.run("publish", "--oid", "weather", "after")
        assert b'"after"' in reading.stdout.readline()
    assert back == b"broker: the broker is back; what was published meanwhile is missing here\n"
    assert reading.returncode == 0


def test_a_subscriber_whose_reader_has_gone_ends_without_a_word(people: People) -> None:
    people.run("publish", "--oid", "numbers", "--lines", "-", stdin="".join(f"{n}\n" for n in range(50)))
    words = people.arguments("get", "--oid", "numbers", "--history", "-1")
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"BROKER_PASSWORD": "secret"},
    ) as getting:
        assert getting.stdout is not None
        assert getting.stderr is not None
        getting.stdout.close()
        assert getting.stderr.read() == b""
    assert getting.returncode == 141


def test_a_message_that_the_broker_finds_too_long_fails_at_once(broker: BrokerProcess, people: People) -> None:
    broker.settings["plugin/socket/maxFrame"] = "100000"
    broker.restart()
    published = people.run("publish", "--oid", "a", "-", stdin="x" * 200_000)
    assert published.returncode == 1
    assert "the request is too long" in published.stderr
    assert people.run("publish", "--oid", "a", "short").returncode == 0


def test_nothing_to_get_and_nothing_to_erase_is_said(people: People) -> None:
    assert "there is no message on nowhere" in people.run("get", "--oid", "nowhere").stderr
    assert "nothing was erased" in people.run("erase", "--oid", "nowhere").stderr


def test_the_package_is_the_command() -> None:
    shown = subprocess.run(
        [environment_python(), "-m", "broker", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.startswith("broker ")


@pytest.mark.parametrize(
    ("closed", "status", "said"),
    [
        ("<&-", 0, "OK"),
        (">&-", 1, "broker: standard output is closed"),
        ("2>&-", 0, "OK"),
        ("<&- 2>&-", 0, "OK"),
        (">/dev/full", 1, "broker: No space left on device"),
    ],
)
def test_a_command_without_a_standard_stream_ends_with_a_word_and_not_a_traceback(
    people: People, closed: str, status: int, said: str
) -> None:
    line = f"exec {shlex.join(people.arguments('ping'))} {closed}"
    asked = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"BROKER_PASSWORD": "secret"},
    )
    assert asked.returncode == status
    assert (asked.stdout + asked.stderr).startswith(said)
    assert len((asked.stdout + asked.stderr).splitlines()) == 1
