"""Commands that ask the administration of a real broker, as processes and over real sockets."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.cli.ops.top import BACK
from broker.cli.transport import Administration, PortAddress, UnixAddress
from broker.errors import BrokerError, Code
from tests.system.launcher import BrokerProcess, command

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    settings = {"plugin/admin/port": "0"}
    with BrokerProcess(tmp_path_factory.mktemp("ops") / "data", settings=settings) as started:
        yield started


def run(*arguments: str, home: Path, typed: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    return subprocess.run(
        [command("broker"), *arguments],
        capture_output=True,
        input=typed,
        text=True,
        timeout=30,
        cwd=home,
        env={**kept, "HOME": str(home), **environment},
    )


def test_command_asks_over_the_socket_as_an_administrator(broker: BrokerProcess, tmp_path: Path) -> None:
    done = run("whoami", "--json", home=tmp_path, BROKER_SOCKET=str(broker.admin_socket))
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["via"], told["role"], told["user"]) == ("socket", "administrator", f"uid {os.geteuid()}")


def test_command_asks_over_a_port(broker: BrokerProcess, tmp_path: Path) -> None:
    host, port = broker.address("ADMIN")
    url = f"http://{host}:{port}"
    assert run("health", "--url", url, home=tmp_path).stdout == "ready\n"
    refused = run("status", "--url", url, home=tmp_path)
    assert (refused.returncode, "--token-file" in refused.stderr) == (4, True)


def test_password_of_an_administrator_is_set_anew_with_the_socket_alone(broker: BrokerProcess, tmp_path: Path) -> None:
    broker.add_accounts("adm")
    socket_of = {"BROKER_SOCKET": str(broker.admin_socket)}
    done = run("accounts", "passwd", "adm", "--password-stdin", home=tmp_path, typed="open sesame\n", **socket_of)
    assert (done.returncode, done.stderr) == (0, "")
    host, port = broker.address("SOCKET")
    login = {"BROKER_SERVER": f"socket://{host}:{port}", "BROKER_USER": "adm", "BROKER_PASSWORD": "open sesame"}
    assert run("ping", home=tmp_path, **login).returncode == 0
    (row,) = run(
        "audit", "--action", "account.*", "--limit", "1", "--json", home=tmp_path, **socket_of
    ).stdout.splitlines()
    told = json.loads(row)
    assert (told["principal"], told["target"], "sesame" in row) == (f"uid {os.geteuid()}", "accounts/adm", False)


def test_where_no_broker_runs_the_command_says_what_to_do(tmp_path: Path) -> None:
    done = run("status", "--data", "nowhere", home=tmp_path)
    assert done.returncode == 3
    assert done.stderr == (
        "broker: there is no socket nowhere/admin.sock\n"
        "Is the broker running? Name its data directory with --data DIR, or its socket with --socket PATH.\n"
    )


def test_one_question_imports_no_twisted(broker: BrokerProcess, tmp_path: Path) -> None:
    done = run("sessions", "list", home=tmp_path, BROKER_SOCKET=str(broker.admin_socket), PYTHONPROFILEIMPORTTIME="1")
    imported = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    assert "broker.cli.transport" in imported
    assert [name for name in imported if name.partition(".")[0] in ("twisted", "treq", "rich", "msgspec")] == []


def answered_by(directory: Path, answer: bytes | None) -> Iterator[UnixAddress]:
    """A socket whose server answers each request with some bytes, or with silence where there are none."""
    path = directory / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    over = threading.Event()

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.recv(65536)
            if answer is None:
                over.wait()
            else:
                accepted.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield UnixAddress(path)
    finally:
        over.set()
        thread.join()
        listener.close()


server = contextmanager(answered_by)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"SSH-2.0-OpenSSH\r\n", Code.COMMUNICATION),
        (b"", Code.COMMUNICATION_NO_CONNECTION),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", Code.COMMUNICATION),
        (None, Code.COMMUNICATION_RESPONSE_TIMEOUT),
    ],
    ids=["another protocol", "nothing", "half an answer", "silence"],
)
def test_what_is_no_answer_is_an_error_of_the_catalogue(tmp_path: Path, answer: bytes | None, code: Code) -> None:
    with server(tmp_path, answer) as address, pytest.raises(BrokerError) as failed:
        Administration([address], timeout=0.5 if answer is None else 10).ask("GET", "/health/live")
    assert failed.value.code == code


def test_socket_that_nobody_listens_on_any_more_is_no_connection(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with pytest.raises(BrokerError, match="nothing listens on") as failed:
        Administration([UnixAddress(path)]).ask("GET", "/")
    assert failed.value.code == Code.COMMUNICATION_NO_CONNECTION


def test_first_socket_that_is_there_is_asked(broker: BrokerProcess, tmp_path: Path) -> None:
    addresses = [UnixAddress(tmp_path / "none"), UnixAddress(broker.admin_socket)]
    assert Administration(addresses).ask("GET", "/health/live").read_object()["status"] == "live"


def test_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="no\\.pem") as failed:
        Administration([PortAddress("localhost", 1, True, tmp_path / "no.pem")]).ask("GET", "/")
    assert failed.value.code == Code.RESOURCE_CONFIGURATION_SSL_SOCKET


class Terminal:
    """A terminal with a command in it.

    Args:
        arguments: of the command.
        home: of the user.
        socket: of the broker.
    """

    def __init__(self, *arguments: str, home: Path, socket: Path) -> None:
        self._ours, self._theirs = pty.openpty()
        self.before = termios.tcgetattr(self._theirs)
        environment = {**os.environ, "HOME": str(home), "BROKER_SOCKET": str(socket), "COLUMNS": "120", "LINES": "40"}
        self.process = subprocess.Popen(
            [command("broker"), *arguments], stdin=self._theirs, stdout=self._theirs, cwd=home, env=environment
        )
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Read until a text was shown."""
        deadline = time.monotonic() + 20
        while text not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], 20)
            assert ready and time.monotonic() < deadline, self.seen
            self.seen += os.read(self._ours, 65536).decode(errors="replace")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        """Wait for the end; returns the exit status."""
        self.wait_for(BACK)
        status = self.process.wait(20)
        assert termios.tcgetattr(self._theirs) == self.before
        return status

    def close(self) -> None:
        """End everything."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(broker: BrokerProcess, tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal("top", "--interval", "0.2", home=tmp_path, socket=broker.admin_socket)
    opened.wait_for("messages/s")
    yield opened
    opened.close()


def test_top_follows_the_broker_and_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.wait_for("published 0.0/s")
    terminal.type("fjoe\r")
    terminal.type("q")
    assert terminal.end() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_top_that_is_ended_by_a_signal_leaves_the_terminal_as_it_was(
    terminal: Terminal, number: signal.Signals, status: int
) -> None:
    terminal.process.send_signal(number)
    assert terminal.end() == status
