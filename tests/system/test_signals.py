"""Signals, and a broker in the background."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from broker.client import BlockingClient, ConnectOptions
from broker.errors import BrokerError
from tests.system.http_client import ask_socket
from tests.system.launcher import ANY_PORTS, BrokerProcess, command, wait_until

pytestmark = pytest.mark.system
CONNECTIONS = 40
"""Connections of each kind that must go on."""


@pytest.fixture(scope="module")
def silent_database() -> Iterator[str]:
    """The URL of a database that never answers: the system takes the connections of a socket that nobody accepts."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as nobody:
        yield f"postgresql://broker:x@127.0.0.1:{nobody.getsockname()[1]}/broker"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path / "data") as made:
        yield made


def send(broker: BrokerProcess, number: signal.Signals) -> None:
    os.kill(broker.pid, number)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT])
def test_signal_does_not_end_a_broker_in_the_foreground(broker: BrokerProcess, number: signal.Signals) -> None:
    expected = {signal.SIGHUP: "reload via=signal outcome=done", signal.SIGUSR1: "no file to rotate"}
    send(broker, number)
    broker.wait_for_log(expected.get(number, "most recent call first"))
    socket.create_connection(broker.address(), timeout=10).close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_signal_does_not_end_a_broker_that_is_starting(tmp_path: Path, number: signal.Signals) -> None:
    with contextlib.closing(BrokerProcess(tmp_path / "data")) as broker:
        broker.spawn()
        broker.wait_for_log("starting up")
        send(broker, number)
        broker.wait_ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_broker_that_waits_for_its_database_ends_at_once_and_without_a_traceback(
    tmp_path: Path, silent_database: str, number: signal.Signals
) -> None:
    with contextlib.closing(BrokerProcess(tmp_path / "data", settings={"db.url": silent_database})) as broker:
        broker.spawn()
        broker.wait_for_log("run level 0")
        send(broker, number)
        wait_until(lambda: not broker.running, 20)
        assert "Traceback" not in broker.log()
        assert "cannot start" not in broker.log()


def test_signals_that_ask_again_for_the_end_change_nothing(broker: BrokerProcess) -> None:
    with socket.create_connection(broker.address(), timeout=10):  # it is waited for until it has closed
        send(broker, signal.SIGTERM)
        broker.wait_for_log("Received SIGTERM")
        send(broker, signal.SIGINT)
        broker.wait_for_log("SIGINT: the broker ends already")
    wait_until(lambda: not broker.running)
    assert "Traceback" not in broker.log()
    assert "run level 0" in broker.log().rpartition("ready:")[2]


def test_log_file_is_rotated_and_opened_anew(tmp_path: Path) -> None:
    log, old, moved = (tmp_path / name for name in ("b.log", "b.log.1", "moved.log"))
    with BrokerProcess(tmp_path / "data", arguments=["--logfile", str(log)]) as broker:
        assert log.stat().st_mode & 0o777 == 0o600
        send(broker, signal.SIGUSR1)
        wait_until(old.exists)
        log.rename(moved)
        send(broker, signal.SIGHUP)
        wait_until(lambda: log.exists() and "reload" in log.read_text())
        assert "run level 9" in old.read_text()
        assert {each.stat().st_mode & 0o777 for each in (log, old, moved)} == {0o600}


def test_log_files_are_kept_to_a_number(tmp_path: Path) -> None:
    settings = {"log.keep": "2", "log.maxSize": "1"}
    with BrokerProcess(tmp_path / "data", settings=settings, arguments=["--logfile", str(tmp_path / "b.log")]):
        assert sorted(each.name for each in tmp_path.glob("b.log*")) == ["b.log", "b.log.1", "b.log.2"]


@pytest.mark.parametrize("launch", [["broker", "run"], ["twistd", "--nodaemon", "--pidfile=", "broker"]])
def test_log_may_be_json_and_begin_with_warnings(tmp_path: Path, launch: list[str]) -> None:
    settings = {"log.format": "json", "log.level": "warn"}
    broker = BrokerProcess(tmp_path / "data", settings=settings, launch=[command(launch[0]), *launch[1:]])
    with broker:
        lines = [line for line in broker.log().splitlines() if not line.startswith("ready")]
    assert lines
    assert all(line.startswith('{"time": ') and '"level": "warn"' in line for line in lines)


class TestCertificates:
    @pytest.fixture
    def pem(self, tmp_path: Path) -> Path:
        return tmp_path / "broker.pem"

    @pytest.fixture
    def served(self, tmp_path: Path, pem: Path) -> Iterator[BrokerProcess]:
        self.renew(pem)
        settings = {
            "plugin/socket/SSL": "true",
            "plugin/socket/certificate": str(pem),
            "xmpp.certificate": str(pem),
        }
        with BrokerProcess(tmp_path / "data", settings=settings) as broker:
            yield broker

    def renew(self, pem: Path) -> str:
        """Put another certificate into the file; returns its fingerprint."""
        made = trustme.CA().issue_cert("localhost")
        made.private_key_and_cert_chain_pem.write_to_path(str(pem))
        return fingerprint(ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode()))

    def reload(self, broker: BrokerProcess, outcome: str) -> None:
        send(broker, signal.SIGHUP)
        broker.wait_for_log(f"reload via=signal outcome={outcome}")

    @pytest.mark.parametrize("listener", ["SOCKET", "XMPP-TLS"])
    def test_new_connections_get_the_new_certificate_and_old_ones_go_on(
        self, served: BrokerProcess, pem: Path, listener: str
    ) -> None:
        with connect(served, "SOCKET") as before:
            new = self.renew(pem)
            self.reload(served, "done")
            with connect(served, listener) as after:
                assert fingerprint(after.getpeercert(binary_form=True) or b"") == new
            before.sendall(b"        10")
            assert b"ping" in before.recv(1000)

    def test_certificate_is_read_again_over_http_while_connections_of_all_kinds_go_on(
        self, served: BrokerProcess, pem: Path
    ) -> None:
        with contextlib.ExitStack() as open_connections:
            there = [
                open_connections.enter_context(connect(served, name)) for name in ("SOCKET", "XMPP-TLS") * CONNECTIONS
            ]
            new = self.renew(pem)
            for name in ("SOCKET", "XMPP"):
                answer = ask_socket(served.data / "admin.sock", f"/api/v1/listeners/{name}/reload-tls", "POST")
                assert answer.status == 200, answer.body
                assert answer.json["tls"]["fingerprintSha256"] == new
            for name in ("SOCKET", "XMPP-TLS"):
                with connect(served, name) as after:
                    assert fingerprint(after.getpeercert(binary_form=True) or b"") == new
            listeners = ask_socket(served.data / "admin.sock", "/api/v1/listeners").json["items"]
            assert sum(each["connections"] for each in listeners) >= len(there)
            for each in there[::2]:
                each.sendall(b"        10")
                assert b"ping" in each.recv(1000)

    def test_certificate_that_cannot_be_used_changes_nothing(self, served: BrokerProcess, pem: Path) -> None:
        with connect(served, "SOCKET") as before:
            old = before.getpeercert(binary_form=True)
        pem.write_text("-----BEGIN CERTIFICATE-----\nrubbish\n")
        self.reload(served, "failed")
        assert re.search(r"broker\.pem: .*; what was read before stays in use", served.log())
        with connect(served, "SOCKET") as after:
            assert after.getpeercert(binary_form=True) == old


def fingerprint(certificate: bytes) -> str:
    return hashlib.sha256(certificate).hexdigest()


def connect(broker: BrokerProcess, listener: str) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(broker.address(listener), timeout=10))


def test_htpasswd_file_is_read_again(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("joe::connect,publish\n")
    stamp = users.stat().st_mtime_ns
    settings = {"Security.Server.Plugin.htpasswd.secretfile": str(users)}
    with BrokerProcess(tmp_path / "data", settings=settings) as broker:
        client = BlockingClient(*broker.address(), ConnectOptions("joe", "x"), retries=0)
        client.connect()
        client.publish("a", "1")
        users.write_text("joe::connect,get    \n"[: users.stat().st_size])
        os.utime(users, ns=(stamp, stamp))  # so that no login would notice
        send(broker, signal.SIGHUP)
        broker.wait_for_log("reload via=signal outcome=done")
        with pytest.raises(BrokerError, match="notAuthorized"):
            client.publish("a", "2")
        client.disconnect()


class TestInTheBackground:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Iterator[Path]:
        """The data directory of a broker that is ended at last."""
        data = tmp_path / "data"
        yield data
        pidfile = data / "broker.pid"
        if pidfile.exists():
            os.kill(int(pidfile.read_text()), signal.SIGKILL)

    def start(self, data: Path, *settings: str) -> subprocess.CompletedProcess[str]:
        free = {**ANY_PORTS, "plugin/admin/port": "-1"}
        ports = [text for name, port in free.items() for text in ("--set", f"{name}={port}")]
        with contextlib.closing(BrokerProcess(data)) as broker:
            return broker.run_command("run", "--daemon", *ports, *settings)

    def begin(self, data: Path, database: str) -> tuple[subprocess.Popen[str], int]:
        """A start that waits for its database: the command, and the process id of the broker."""
        process = subprocess.Popen(
            [command("broker"), "run", "--daemon", "--data", str(data), "--set", f"db.url={database}"],
            stderr=subprocess.PIPE,
            text=True,
        )
        pidfile = data / "broker.pid"
        wait_until(lambda: pidfile.exists() and pidfile.read_text() != "")
        return process, int(pidfile.read_text())

    def test_command_returns_when_the_broker_is_ready(self, data: Path) -> None:
        started = self.start(data)
        assert started.returncode == 0
        port = re.search(r"^ready: .*SOCKET 127\.0\.0\.1:(\d+)", started.stdout)
        assert port is not None
        socket.create_connection(("127.0.0.1", int(port[1])), timeout=10).close()

    def test_log_and_process_id_are_the_owners_alone(self, data: Path) -> None:
        self.start(data)
        assert {each.name: oct(each.stat().st_mode & 0o077) for each in data.iterdir()} == {
            each.name: "0o0" for each in data.iterdir()
        }
        assert "run level 9" in (data / "broker.log").read_text()

    def test_command_fails_with_the_reason_when_the_broker_cannot_start(self, data: Path) -> None:
        started = self.start(data, "--set", "db.url=nonsense://")
        assert started.returncode == 1
        assert started.stderr.startswith("the broker cannot start: There is no store for 'nonsense'")
        assert not (data / "broker.pid").exists()

    def test_second_broker_on_the_same_data_fails(self, data: Path) -> None:
        assert self.start(data).returncode == 0
        second = self.start(data)
        assert second.returncode == 1
        assert "running" in second.stderr

    def test_command_fails_when_the_broker_is_killed_before_it_is_ready(self, data: Path, silent_database: str) -> None:
        process, pid = self.begin(data, silent_database)
        os.kill(pid, signal.SIGKILL)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "ended by SIGKILL before it was ready" in said
        (data / "broker.pid").unlink()

    def test_interrupted_command_ends_the_start(self, data: Path, silent_database: str) -> None:
        process, pid = self.begin(data, silent_database)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (130, "")
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    def test_broker_ends_in_order_and_leaves_no_process_id(self, data: Path) -> None:
        self.start(data)
        pidfile = data / "broker.pid"
        os.kill(int(pidfile.read_text()), signal.SIGTERM)
        wait_until(lambda: not pidfile.exists())
        assert "Traceback" not in (data / "broker.log").read_text()

    def test_stacks_go_to_the_log_also_after_it_was_rotated(self, data: Path) -> None:
        self.start(data)
        pid, log = int((data / "broker.pid").read_text()), data / "broker.log"
        os.kill(pid, signal.SIGUSR1)
        wait_until((data / "broker.log.1").exists)
        time.sleep(0.1)
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: log.exists() and "most recent call first" in log.read_text())


def test_passwords_in_clear_from_other_machines_are_a_warning(tmp_path: Path) -> None:
    settings = {"plugin/socket/hostname": "0.0.0.0"}
    with BrokerProcess(tmp_path / "data", settings=settings) as broker:
        assert "SOCKET: passwords cross the network unencrypted from other machines to 0.0.0.0" in broker.log()


def test_passwords_that_stay_on_this_machine_are_none(broker: BrokerProcess) -> None:
    assert "unencrypted" not in broker.log()


def test_administrator_turns_debug_lines_on_and_off(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data", settings={"admin.users": "adm"}) as broker:
        broker.add_accounts("adm")
        client = BlockingClient(*broker.address(), ConnectOptions("adm", "secret"), retries=0)

        def closed(level: str) -> bool:
            """Whether the log has a debug line about the end of a connection, at a level."""
            client.connect()
            client.publish(f"__cmd:logging/?broker.native={level}", "")
            before = broker.log().count("[broker.native.connection#debug]")
            client.disconnect()
            broker.wait_for_log(f"parameters={level}")
            time.sleep(0.2)
            return broker.log().count("[broker.native.connection#debug]") > before

        assert (closed("FINE"), closed("INFO")) == (True, False)


def test_restored_database_is_closed_to_other_users(tmp_path: Path) -> None:
    broker = BrokerProcess(tmp_path / "data")
    broker.add_accounts("joe")
    for each in broker.data.iterdir():
        each.chmod(0o644)
    with broker:
        open_ones = [each.name for each in broker.data.iterdir() if each.stat().st_mode & 0o077]
        assert open_ones == []
        assert "broker.db was open to other users (mode 0644)" in broker.log()
