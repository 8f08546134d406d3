"""Connections that a manager must keep open, and links that are cut."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.campaign import resuming
from tests.campaign.checks import Failed
from tests.campaign.managers import check_log
from tests.campaign.proxy import Relay
from tests.campaign.resuming import Patient
from tests.campaign.ways import DIRECT, WEB, Ways

MANAGED = "cm1-TLS"


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    monkeypatch.setattr(resuming, "DYING", 0.0)
    broker: Any = SimpleNamespace(on_close=[], running=True)
    ways = Ways(broker, random.Random(1), share=0.5)
    manager: Any = SimpleNamespace(name="cm1", life=1, frames=True)
    ways.managers = [manager]
    return ways


def client(ways: Ways, way: str) -> Patient:
    """One whose stream can be resumed, with a connection that took a way."""
    client = Patient(ways, "joe")
    client.listener = way
    client.hold(ways.life(way))
    return client


def test_a_connection_that_a_living_manager_closes_is_a_broken_promise(ways: Ways) -> None:
    client(ways, MANAGED).dropped()
    with pytest.raises(Failed, match=r"joe/x over cm1-TLS"):
        ways.check()


def test_a_connection_that_its_client_closes_is_none(ways: Ways) -> None:
    one = client(ways, MANAGED)
    one.cut()
    one.dropped()
    ways.check()


@pytest.mark.parametrize("life", [0, 2], ids=["stopped", "started again"])
def test_a_connection_that_ends_with_its_manager_is_none(ways: Ways, life: int) -> None:
    one = client(ways, MANAGED)
    ways.managers[0].life = life  # type: ignore[misc]
    one.dropped()
    ways.check()


def test_a_connection_to_the_broker_itself_ends_with_it(ways: Ways) -> None:
    client(ways, DIRECT).dropped()
    ways.check()


def test_ways_over_managers_are_taken_as_often_as_they_are_to_be(ways: Ways) -> None:
    taken = [ways.choose() for _ in range(1000)]
    assert set(taken) == {DIRECT, MANAGED}
    assert 400 < taken.count(MANAGED) < 600


def test_a_connection_over_routes_ends_with_its_link(ways: Ways) -> None:
    routes: Any = SimpleNamespace(name="cm3", life=1, frames=False)
    ways.managers = [*ways.managers, routes]
    assert ways.choose_routes() == "cm3-TLS"
    client(ways, "cm3-TLS").dropped()
    ways.check()


def test_without_managers_everybody_comes_directly(ways: Ways) -> None:
    ways.managers = []
    assert (ways.choose(), ways.choose_routes()) == (DIRECT, DIRECT)


def test_logs_are_searched_for_what_must_not_be_there(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("all is well\n")
    check_log("it", log, re.compile("Traceback"))
    log.write_text("all is well\nTraceback (most recent call last):\n  more\n")
    with pytest.raises(Failed, match=r"(?s)it has 1 errors.*  more"):
        check_log("it", log, re.compile("Traceback"))


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_link_is_cut_behind_any_byte(server: socket.socket) -> None:
    relay = Relay(*server.getsockname())
    with socket.create_connection(("127.0.0.1", relay.port)) as near:
        far, _ = server.accept()
        with far:
            near.sendall(b"before")
            assert far.recv(100) == b"before"
            relay.cut_after(3)
            near.sendall(b"passed and lost")
            assert far.recv(100) == b"pas"
            assert far.recv(100) == b""


def test_direct_connections_go_over_websocket_too_where_there_is_a_port() -> None:
    broker: Any = SimpleNamespace(on_close=[], running=True)
    ways = Ways(broker, random.Random(1), share=0.0, web=True)
    assert {ways.choose() for _ in range(100)} == {DIRECT, WEB}
