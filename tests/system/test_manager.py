"""The real connection manager in front of a real broker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from broker.net.channel_binding import EXPORTER_LABEL, EXPORTER_SIZE
from tests.campaign.proxy import Proxy
from tests.system.clients import install_javascript, javascript, slixmpp
from tests.system.http_client import ask_port
from tests.system.launcher import BrokerProcess, command, wait_until
from tests.system.manager_process import ManagerProcess
from tests.system.routed_client import SETTINGS
from tests.system.stream_client import StreamClient
from tests.system.test_xmpp_tls import TlsClient, scram_plus

pytestmark = pytest.mark.system

STOP_TIMEOUT = 10.0
"""Seconds that a manager waits at most for the server, by default."""
SPEAKS_FRAMES = "connection manager cm1 speaks frames"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path / "broker" / "data", settings={"xmpp.plainWithoutTls": "true", **SETTINGS})
    broker.add_accounts("joe", "jack")
    broker.start()
    yield broker
    broker.close()


@pytest.fixture
def manager(tmp_path: Path, broker: BrokerProcess) -> Iterator[ManagerProcess]:
    with ManagerProcess(tmp_path / "manager", broker) as manager:
        broker.wait_for_log(SPEAKS_FRAMES)
        yield manager


def clients(broker: BrokerProcess, manager: ManagerProcess) -> tuple[StreamClient, StreamClient]:
    """One client behind the manager, and one of the broker's own."""
    managed, direct = StreamClient(manager, "joe", listener="XMPP-TLS"), StreamClient(broker, "jack")
    assert managed.go_on()
    assert direct.go_on()
    return managed, direct


def settled(counts: Mapping[StreamClient, int]) -> None:
    """Wait until each has got so many messages, and nothing of it is unacknowledged."""

    def done() -> bool:
        for client in counts:
            if not client.attached:
                client.go_on()
            client.ask()
            client.read(0.1)
        return all(len(client.got) >= count and not client.unacked for client, count in counts.items())

    wait_until(done)


def test_slixmpp_talks_through_the_manager_and_resumes(broker: BrokerProcess, manager: ManagerProcess) -> None:
    joe, jack = slixmpp(manager, "joe@localhost/x"), slixmpp(broker, "jack@localhost/x")
    try:
        assert joe.expect("started")["tls"]
        jack.expect("started")
        assert broker.wait_for_log("login principal=joe .*mechanism=SCRAM-SHA-256.* tls=TLSv1.3 cipher=TLS_")
        joe.send("jack@localhost", "1")
        jack.send("joe@localhost", "2")
        assert jack.wait_for(1) == ["1"]
        assert joe.wait_for(1) == ["2"]
        joe.do("subscribe presence", to="jack@localhost")
        joe.expect("roster")
        joe.do("cut")
        joe.expect("lost")
        jack.send("joe@localhost", "3")
        joe.do("come back")
        joe.expect("resumed")
        assert joe.wait_for(2) == ["2", "3"]
    finally:
        joe.close()
        jack.close()


def test_a_javascript_client_of_the_manager_stays_connected_over_a_kill_and_resumes(
    broker: BrokerProcess, manager: ManagerProcess, tmp_path: Path
) -> None:
    joe, jack = (
        javascript(manager, "joe@localhost/x", install_javascript(tmp_path / "js")),
        StreamClient(broker, "jack"),
    )
    try:
        assert joe.expect("started")["tls"]
        assert jack.go_on()
        joe.send("jack@localhost/x", "1")
        settled({jack: 1})
        broker.restart()
        assert jack.go_on()
        jack.send("joe@localhost/x", "2")
        assert joe.wait_for(1) == ["2"]
        assert not [each for each in joe.log if each["event"] == "lost"]
        joe.do("cut")
        joe.expect("lost")
        jack.send("joe@localhost/x", "3")
        joe.do("come back")
        joe.expect("resumed")
        assert joe.wait_for(2) == ["2", "3"]
        joe.send("jack@localhost/x", "4")
        settled({jack: 2})
        assert jack.got == ["1", "4"]
    finally:
        joe.close()


def test_a_login_is_bound_to_the_channel_to_the_manager(broker: BrokerProcess, manager: ManagerProcess) -> None:
    with TlsClient(manager) as client:
        assert client.mechanisms()[0] == b"SCRAM-SHA-256-PLUS"
        assert scram_plus(client, b"secret", b"another channel") == b"failure"
        binding = client.tls.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, b"")
        assert scram_plus(client, b"secret", binding) == b"success"


def test_clients_of_the_manager_notice_nothing_when_the_broker_is_killed(
    broker: BrokerProcess, manager: ManagerProcess
) -> None:
    managed, direct = clients(broker, manager)
    for round in range(2):
        for number in range(5):
            managed.send("jack@localhost/x", f"{round}-{number}")
            direct.send("joe@localhost/x", f"{round}-{number}")
        broker.kill()
        managed.send("jack@localhost/x", f"{round}-killed")
        broker.start()
        assert direct.go_on()
        direct.send("joe@localhost/x", f"{round}-killed")
        settled({managed: 6 * (round + 1), direct: 6 * (round + 1)})
        assert managed.attached
    expected = [f"{round}-{each}" for round in range(2) for each in [*range(5), "killed"]]
    assert managed.got == direct.got == expected
    assert broker.wait_for_log("login principal=joe .*mechanism=resume")


def test_clients_of_the_manager_notice_nothing_when_the_broker_is_restarted(
    broker: BrokerProcess, manager: ManagerProcess
) -> None:
    managed, direct = clients(broker, manager)
    managed.send("jack@localhost/x", "1")
    settled({managed: 0, direct: 1})
    broker.terminate()
    managed.send("jack@localhost/x", "2")
    broker.start()
    settled({managed: 0, direct: 2})
    direct.send("joe@localhost/x", "3")
    settled({managed: 1})
    assert managed.attached
    assert direct.got == ["1", "2"]


def test_a_server_that_speaks_routes_only_is_served_all_the_same(tmp_path: Path, broker: BrokerProcess) -> None:
    with ManagerProcess(tmp_path / "manager", broker, {"xmpp.manager.frames": "false"}) as manager:
        broker.wait_for_log("login principal=cm1 via=connection-manager")
        assert SPEAKS_FRAMES not in broker.log()
        managed, direct = clients(broker, manager)
        managed.send("jack@localhost/x", "1")
        direct.send("joe@localhost/x", "2")
        settled({managed: 1, direct: 1})
        broker.kill()
        broker.start()
        managed.send("jack@localhost/x", "3")
        settled({managed: 1, direct: 2})
        assert direct.got == ["1", "3"]


def test_a_manager_of_another_domain_is_told_once_what_to_set(tmp_path: Path, broker: BrokerProcess) -> None:
    with ManagerProcess(tmp_path / "manager", broker, {"xmpp.domain": "other.example"}) as manager:
        manager.wait_for_log("there is no link to .*set its xmpp.domain to localhost")
        broker.wait_for_log("connection manager cm1 is refused: its xmpp.domain is other.example")
        refused = broker.log().count("login principal=cm1")
        wait_until(lambda: broker.log().count("login principal=cm1") > refused)
        assert manager.log().count("there is no link to") == 1


def test_two_managers_of_one_name_are_warned_of_and_served(
    tmp_path: Path, broker: BrokerProcess, manager: ManagerProcess
) -> None:
    with ManagerProcess(tmp_path / "other", broker) as other:
        other.wait_for_log("another manager with the same name: give each a xmpp.manager.name of its own")
        broker.wait_for_log("another process is linked as the connection manager cm1")
        for each in (manager, other):
            with TlsClient(each) as client:
                assert client.mechanisms()


def test_a_stream_is_resumed_through_another_manager_when_one_is_killed(
    tmp_path: Path, broker: BrokerProcess, manager: ManagerProcess
) -> None:
    managed, direct = clients(broker, manager)
    with ManagerProcess(tmp_path / "other", broker, name="cm2") as other:
        broker.wait_for_log("connection manager cm2 speaks frames")
        direct.send("joe@localhost/x", "1")
        settled({managed: 1})
        manager.kill()
        direct.send("joe@localhost/x", "2")
        managed.broker = other
        settled({managed: 2})
        assert managed.got == ["1", "2"]


def test_nothing_is_lost_when_the_manager_stops(tmp_path: Path, broker: BrokerProcess, manager: ManagerProcess) -> None:
    managed, direct = clients(broker, manager)
    for number in range(50):
        managed.send("jack@localhost/x", str(number))
    manager.terminate()
    broker.wait_for_log("connection manager cm1 leaves: drain")
    managed.cut()
    manager.start()
    settled({managed: 0, direct: 50})
    assert direct.got == list(map(str, range(50)))


def test_links_that_are_lost_amid_messages_lose_and_double_nothing(tmp_path: Path, broker: BrokerProcess) -> None:
    proxy = Proxy(*broker.address("XMPP-MANAGERS"))
    try:
        with ManagerProcess(tmp_path / "manager", broker, server=("127.0.0.1", proxy.port)) as manager:
            broker.wait_for_log(SPEAKS_FRAMES)
            managed, direct = clients(broker, manager)
            for number in range(300):
                managed.send("jack@localhost/x", str(number))
                direct.send("joe@localhost/x", str(number))
                if number % 50 == 20:
                    proxy.cut()
                elif number % 50 == 40:
                    proxy.lose_answers(0.2)
                time.sleep(0.005)
            settled({managed: 300, direct: 300})
            assert managed.attached
            assert managed.got == direct.got == list(map(str, range(300)))
            assert "mechanism=resume" not in broker.log()  # the sessions have gone on over the next link
    finally:
        proxy.close()


def test_a_second_sigterm_ends_the_manager_at_once(broker: BrokerProcess, manager: ManagerProcess) -> None:
    managed, _ = clients(broker, manager)
    managed.send("jack@localhost/x", "1")
    os.kill(broker.pid, signal.SIGSTOP)  # it takes nothing any more
    os.kill(manager.pid, signal.SIGTERM)
    manager.wait_for_log("Received SIGTERM")
    begun = time.monotonic()
    manager.terminate()
    assert time.monotonic() - begun < STOP_TIMEOUT / 2


class TestStart:
    """What a manager does that cannot start, or that dials what is no server for managers."""

    def test_wrong_options_have_the_exit_status_2(self, tmp_path: Path) -> None:
        done = run("--data", str(tmp_path), "--set=xmpp.password=x", "--server=one")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "broker manager: xmpp.manager.servers: 'one' is not host:port\n"

    def test_a_manager_that_cannot_start_says_why_and_has_the_exit_status_1(
        self, tmp_path: Path, manager: ManagerProcess
    ) -> None:
        number = manager.address("XMPP")[1]
        done = run("--data", str(tmp_path), "--set=xmpp.password=x", f"--set=xmpp.socket.plain.port={number}")
        assert done.returncode == 1
        assert "Address already in use; another program may use it" in done.stderr
        assert "set xmpp.socket.plain.port" in done.stderr
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize("files", [{"certificate": "nowhere.pem"}, {"clientCertificates": "nowhere.pem"}])
    def test_a_certificate_that_cannot_be_used_is_named_with_its_property(
        self, tmp_path: Path, files: dict[str, str]
    ) -> None:
        ((name, file),) = files.items()
        done = run("--data", str(tmp_path), "--set=xmpp.password=x", f"--set=xmpp.{name}={file}")
        assert done.returncode == 1
        assert done.stderr == f"the manager cannot start: xmpp.{name}: {file}: No such file or directory\n"

    def test_a_data_directory_that_cannot_be_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        done = run("--data", str(tmp_path / "file"), "--set=xmpp.password=x")
        assert done.returncode == 1
        assert done.stderr.startswith(f"the manager cannot start: --data: {tmp_path / 'file'}: File exists; ")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_manager_ends_by_the_signal_that_has_stopped_it(
        self, manager: ManagerProcess, number: signal.Signals
    ) -> None:
        assert manager.terminate(number) == -number

    def test_nothing_is_said_of_an_attempt_that_the_end_cuts_short(self, tmp_path: Path) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            with ManagerProcess(tmp_path / "manager", server=silent.getsockname()) as manager:
                silent.accept()[0].close()
                manager.wait_for_log("there is no link to")
                with silent.accept()[0]:
                    manager.terminate()
                assert manager.log().count("there is no link to") == 1

    @pytest.mark.parametrize(
        ("port", "met"),
        [
            ("XMPP", "what listens there is for jabber:client; is that the server's port for connection managers"),
            ("XMPP-TLS", "without a word; is that the server.s port for connection managers"),
            ("XMPP-MANAGERS-TLS", "or with tls://HOST:PORT the one that begins with TLS, mostly 5263"),
            ("SOCKET", "is that the server's port for connection managers, mostly 5262"),
        ],
    )
    def test_a_wrong_port_is_told(self, tmp_path: Path, broker: BrokerProcess, port: str, met: str) -> None:
        with ManagerProcess(tmp_path / "manager", server=broker.address(port)) as manager:
            manager.wait_for_log(f"there is no link to .*{met}")

    def test_a_port_that_begins_with_tls_is_dialled(self, tmp_path: Path, broker: BrokerProcess) -> None:
        settings = {"xmpp.server.certificate.authorities": str(broker.data / "selfsigned.pem")}
        host, number = broker.address("XMPP-MANAGERS-TLS")
        with ManagerProcess(tmp_path / "manager", settings=settings, server=(f"tls://{host}", number)) as manager:
            manager.wait_for_log("a link to tls://.* is open, in frames")

    def test_a_secret_that_others_can_read_is_warned_of(self, tmp_path: Path, broker: BrokerProcess) -> None:
        manager = ManagerProcess(tmp_path / "manager", broker)
        (tmp_path / "manager" / "secret").chmod(0o644)
        with manager:
            assert manager.log().count("xmpp.manager.secretFile: other users can read") == 1


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a manager that does not start."""
    return subprocess.run(
        [command("broker"), "manager", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_manager_tells_whether_it_is_ready_and_what_it_carries(tmp_path: Path, broker: BrokerProcess) -> None:
    with ManagerProcess(tmp_path / "watched", broker, {"xmpp.manager.metricsPort": "0"}) as manager:
        wait_until(lambda: ask_port(manager.address("METRICS"), "/health/ready").status == 200)
        client = StreamClient(manager, "joe", listener="XMPP-TLS")
        assert client.go_on()

        text = ask_port(manager.address("METRICS"), "/metrics").body.decode()

        assert "broker_manager_sessions 1.0" in text
        assert 'broker_connections{listener="XMPP-TLS",state="loggedIn"} 1.0' in text
        assert ask_port(manager.address("METRICS"), "/healthz").status == 200
        client.cut()
        broker.kill()
        wait_until(lambda: ask_port(manager.address("METRICS"), "/health/ready").status == 503)
        assert ask_port(manager.address("METRICS"), "/healthz").status == 200
