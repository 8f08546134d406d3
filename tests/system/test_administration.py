"""Administration over HTTP, of a real broker."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme

from broker.client import ConnectOptions
from tests.system.http_client import HttpAnswer, ask_port, ask_socket
from tests.system.launcher import BrokerProcess, LaunchError, wait_until
from tests.system.native_client import connected
from tests.system.stream_client import StreamClient

MINUTE = 60

pytestmark = pytest.mark.system


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    settings = {"plugin/admin/port": "0", "plugin/admin/metricsPort": "0", "admin.users": "joe"}
    with BrokerProcess(tmp_path / "data", settings=settings) as started:
        started.add_accounts("joe")
        yield started


def test_socket_is_its_owner_s_alone_who_is_an_administrator(broker: BrokerProcess) -> None:
    assert stat.S_IMODE(broker.admin_socket.stat().st_mode) == 0o600
    told = ask_socket(broker.admin_socket, "/api/v1/me").json
    assert told == {"via": "socket", "role": "administrator", "user": f"uid {os.geteuid()}", "roleFrom": "socket"}


def test_health_is_told_over_the_socket_and_both_ports(broker: BrokerProcess) -> None:
    for path in ("/health/live", "/health/ready"):
        assert ask_socket(broker.admin_socket, path).status == 200
        assert ask_port(broker.address("ADMIN"), path).status == 200
        assert ask_port(broker.address("ADMIN-METRICS"), path).status == 200


def test_port_is_told_after_those_of_clients(broker: BrokerProcess) -> None:
    assert list(broker.ports) == ["SOCKET", "XMPP", "XMPP-TLS", "ADMIN", "ADMIN-METRICS"]
    (told,) = connected(broker, ConnectOptions("joe", "secret")).get("__cmd:?port")
    assert int(told.content) == broker.address("SOCKET")[1]


def test_other_host_is_misdirected(broker: BrokerProcess) -> None:
    for name in ("ADMIN", "ADMIN-METRICS"):
        assert ask_port(broker.address(name), "/health/live", headers={"Host": "evil.example"}).status == 421
    assert ask_socket(broker.admin_socket, "/health/live", headers={"Host": "evil.example"}).status == 421


@pytest.mark.parametrize(
    "path",
    ["/health/../api/v1/me", "/health/%2e%2e/api/v1/me", "/health/%252e%252e/api/v1/me", "//api/v1/me", "/api/v1/me;x"],
)
def test_path_means_what_it_says_or_nothing(broker: BrokerProcess, path: str) -> None:
    assert ask_port(broker.address("ADMIN"), path).status == 404


def test_what_somebody_changes_over_http_outlives_a_restart(broker: BrokerProcess) -> None:
    def ask(path: str, method: str = "GET", body: object = None, **headers: str) -> HttpAnswer:
        content = b"" if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **headers}
        return ask_port(broker.address("ADMIN"), f"/api/v1/{path}", method, given, content)

    assert ask("login", "POST", {"user": "joe", "password": "wrong"}).status == 401
    login = ask("login", "POST", {"user": "joe", "password": "secret"})
    host, port = broker.address("ADMIN")
    cookie = {"Cookie": login.headers["set-cookie"].partition(";")[0], "Origin": f"http://{host}:{port}"}
    assert ask("subjects/mary/block", "POST", **cookie).status == 403
    cookie["X-Broker-CSRF"] = login.json["csrfToken"]
    assert ask("subjects/mary/block", "POST", {"reason": "she floods"}, **cookie).status == 200
    token = ask("tokens", "POST", {"name": "cron"}, **cookie).json["token"]

    broker.kill()
    broker.start()

    assert ask("overview", **cookie).status == 401
    bearer = {"Authorization": f"Bearer {token}"}
    assert [row["name"] for row in ask("subjects?blocked=true", **bearer).json["items"]] == ["mary"]
    rows = ask("audit?target=subjects/*", **bearer).json["items"]
    assert [(row["principal"], row["reason"], row["outcome"]) for row in rows] == [("joe", "she floods", "done")]


def test_broker_ends_in_good_order_when_it_is_told_to(broker: BrokerProcess) -> None:
    headers = {"Content-Type": "application/json"}
    answer = ask_socket(broker.admin_socket, "/api/v1/shutdown", "POST", headers, b'{"graceSeconds": 0}')
    assert answer.status == 202
    wait_until(lambda: not broker.running)
    assert "Traceback" not in broker.log()


def test_socket_of_a_broker_that_was_killed_is_replaced(broker: BrokerProcess) -> None:
    broker.kill()
    assert broker.admin_socket.exists()

    broker.start()

    assert ask_socket(broker.admin_socket, "/health/ready").status == 200


def test_socket_is_gone_when_the_broker_has_ended(broker: BrokerProcess) -> None:
    broker.terminate()
    assert not broker.admin_socket.exists()


def test_administration_is_there_at_a_lower_run_level(broker: BrokerProcess) -> None:
    joe = connected(broker, ConnectOptions("joe", "secret"))
    joe.publish("__cmd:?runlevel=3", "")
    wait_until(lambda: ask_socket(broker.admin_socket, "/health/ready").status == 503)
    wait_until(lambda: re.search(r": stopped .*\bXMPP\b", broker.log()) is not None)

    (reason,) = ask_socket(broker.admin_socket, "/health/ready").json["reasons"]

    assert (reason["code"], "run level 3" in reason["detail"]) == ("runLevel", True)
    assert ask_port(broker.address("ADMIN"), "/health/live").status == 200


def test_second_broker_on_the_same_socket_does_not_start(broker: BrokerProcess, tmp_path: Path) -> None:
    settings = {"plugin/admin/socket": str(broker.admin_socket)}
    with pytest.raises(LaunchError, match="another program listens on it"):
        BrokerProcess(tmp_path / "second" / "data", settings=settings).start()


def test_path_of_the_socket_that_is_too_long_is_refused_with_what_to_do(tmp_path: Path) -> None:
    settings = {"plugin/admin/socket": str(tmp_path / ("x" * 100))}
    with pytest.raises(LaunchError, match="set plugin/admin/socket to a shorter one"):
        BrokerProcess(tmp_path / "data", settings=settings).start()


def test_port_that_others_can_reach_needs_tls(tmp_path: Path) -> None:
    settings = {"plugin/admin/port": "0", "plugin/admin/hostname": "0.0.0.0"}
    with pytest.raises(LaunchError, match="so TLS is required: set certificate"):
        BrokerProcess(tmp_path / "data", settings=settings).start()


def test_port_behind_what_speaks_tls_needs_none(tmp_path: Path) -> None:
    settings = {
        "plugin/admin/port": "0",
        "plugin/admin/hostname": "0.0.0.0",
        "plugin/admin/plainBehindProxy": "true",
        "plugin/admin/hosts": "admin.example.org",
    }
    with BrokerProcess(tmp_path / "data", settings=settings) as broker:
        answer = ask_port(broker.address("ADMIN"), "/health/live", headers={"Host": "admin.example.org"})
        assert answer.status == 200


def test_port_with_a_certificate_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    chain, trusted = tmp_path / "chain.pem", ssl.create_default_context()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(chain))
    authority.configure_trust(trusted)
    settings = {"plugin/admin/port": "0", "plugin/admin/hostname": "127.0.0.1", "plugin/admin/certificate": str(chain)}
    with BrokerProcess(tmp_path / "data", settings=settings) as broker:
        connection = HTTPSConnection("localhost", broker.address("ADMIN")[1], timeout=10, context=trusted)
        connection.request("GET", "/health/live")
        assert connection.getresponse().status == 200
        connection.close()


def test_connection_of_a_client_is_told_with_its_session(broker: BrokerProcess) -> None:
    client = connected(broker, ConnectOptions("joe", "secret", session=1))

    (row,) = ask_socket(broker.admin_socket, "/api/v1/connections?subject=joe").json["items"]

    assert (row["listener"], row["state"], row["session"]) == ("SOCKET", "loggedIn", "joe/1")
    assert row["peer"].startswith("127.0.0.1:")
    assert ask_socket(broker.admin_socket, f"/api/v1/connections/{row['id']}").json == row
    # It has its connection as soon as its login is answered.
    wait_until(lambda: ask_socket(broker.admin_socket, "/api/v1/sessions/joe/1").json["state"] == "attached")
    client.leave()


def test_stream_of_an_xmpp_client_is_told_with_its_window(broker: BrokerProcess) -> None:
    client = StreamClient(broker, "joe", listener="XMPP-TLS")
    assert client.go_on()
    try:
        (row,) = ask_socket(broker.admin_socket, "/api/v1/connections?listener=XMPP*").json["items"]
        (session,) = ask_socket(broker.admin_socket, "/api/v1/sessions?kind=xmpp").json["items"]
        assert row["tls"]["version"].startswith("TLSv1.")
        assert (row["tls"]["clientCertificate"], row["session"]) == (False, session["name"])
        assert (session["state"], session["stream"]["managed"]) == ("attached", True)
        assert (session["resource"], session["stream"]["window"]) == ("x", 100)
    finally:
        client.cut()


def test_points_in_time_are_those_of_the_calendar(broker: BrokerProcess) -> None:
    def told(path: str) -> Any:
        return ask_socket(broker.admin_socket, f"/api/v1/{path}").json

    before = datetime.now(UTC)
    changed = ask_socket(
        broker.admin_socket,
        "/api/v1/log-levels/broker.core",
        "PUT",
        {"Content-Type": "application/json"},
        b'{"level":"debug","forSeconds":600}',
    )
    assert changed.status == 200
    (level,) = [each for each in told("log-levels")["items"] if each["namespace"] == "broker.core"]
    tls = next(each["tls"] for each in told("listeners")["items"] if each["name"] == "XMPP")
    left = (datetime.fromisoformat(tls["notAfter"]) - before).total_seconds()
    for at, expected in (
        (told("diagnose")["asOf"], 0.0),
        (told("overview")["asOf"], 0.0),
        (level["until"], 600.0),
        (tls["loadedAt"], 0.0),
    ):
        assert abs((datetime.fromisoformat(at) - before).total_seconds() - expected) < 60 * MINUTE
    assert abs(tls["daysLeft"] * 24 * 60 * MINUTE - left) < 60 * MINUTE


def test_metrics_are_on_a_port_of_their_own_and_count_what_clients_do(broker: BrokerProcess) -> None:
    joe = connected(broker, ConnectOptions("joe", "secret"))
    for _ in range(20):
        joe.publish("news", "x")
    joe.disconnect()

    text = ask_port(broker.address("ADMIN-METRICS"), "/metrics").body.decode()

    assert 'broker_messages_published_total{persistence="transient",protocol="native"} 20.0' in text
    assert 'broker_logins_total{outcome="ok"} 1.0' in text
    assert ask_port(broker.address("ADMIN"), "/metrics").status == 401
    assert ask_port(broker.address("ADMIN-METRICS"), "/api/v1/me").status == 404


def resident(broker: BrokerProcess) -> int:
    return int(Path(f"/proc/{broker.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_crowd_with_long_requests_has_a_bounded_number_of_connections_and_bytes(broker: BrokerProcess) -> None:
    before = resident(broker)
    header = b"POST /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    crowd = [socket.create_connection(broker.address("ADMIN"), 10) for _ in range(300)]
    try:
        for each in crowd:
            with suppress(OSError):  # of those that are not let in
                each.sendall(header + b"x" * 200_000)
        wait_until(lambda: sum(map(is_open, crowd)) <= 200)
        assert ask_socket(broker.admin_socket, "/health/live").status == 200
        assert resident(broker) - before < 20_000_000
    finally:
        for each in crowd:
            each.close()


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False
