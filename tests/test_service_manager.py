"""What systemd is told (sd_notify(3))."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from broker.service_manager import EXTEND_EVERY, MAX_UNSENT, RETRY_AFTER, ServiceManager, service_manager_of


class Systemd:
    """The other end of the socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def told(self) -> list[str]:
        """Messages since the last look."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def address(tmp_path: Path) -> str:
    return os.path.relpath(tmp_path / "notify")  # the directories of tests have long names


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    made = Systemd(address)
    yield made
    made.close()


def test_a_start_asks_for_more_time_until_it_is_over(systemd: Systemd, address: str, clock: Clock) -> None:
    manager = ServiceManager(clock, address)
    manager.starting()
    clock.advance(EXTEND_EVERY)
    assert systemd.told() == ["EXTEND_TIMEOUT_USEC=120000000"] * 2

    manager.ready()
    clock.advance(EXTEND_EVERY)
    assert systemd.told() == ["READY=1"]


def test_a_program_that_runs_feeds_the_watchdog_twice_in_its_time(systemd: Systemd, address: str, clock: Clock) -> None:
    manager = ServiceManager(clock, address, watchdog=60)
    manager.ready()
    clock.pump([30, 30])

    assert systemd.told() == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]


def test_without_a_watchdog_nobody_feeds_one(systemd: Systemd, address: str, clock: Clock) -> None:
    ServiceManager(clock, address).ready()

    assert not clock.getDelayedCalls()


def test_a_reload_begins_with_its_time_and_ends_with_ready(systemd: Systemd, address: str, clock: Clock) -> None:
    manager = ServiceManager(clock, address)
    manager.ready()
    manager.reloading()
    manager.reloaded()

    told = systemd.told()
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", told[1])
    assert told[2:] == ["READY=1"]


def test_a_reload_during_the_start_does_not_end_it(systemd: Systemd, address: str, clock: Clock) -> None:
    manager = ServiceManager(clock, address)
    manager.reloading()
    manager.reloaded()

    assert systemd.told() == []


def test_who_stops_says_so_and_feeds_no_watchdog(systemd: Systemd, address: str, clock: Clock) -> None:
    manager = ServiceManager(clock, address, watchdog=60)
    manager.ready()
    systemd.told()
    manager.stopping()
    clock.advance(60)

    assert systemd.told() == ["STOPPING=1"]


def test_a_status_is_one_line(systemd: Systemd, address: str, clock: Clock) -> None:
    ServiceManager(clock, address).status("cannot start:\nno room")

    assert systemd.told() == ["STATUS=cannot start: no room"]


def test_a_socket_may_be_an_abstract_one(clock: Clock) -> None:
    address = f"@broker-test-{os.getpid()}"
    systemd = Systemd(address)
    ServiceManager(clock, address).ready()

    assert systemd.told() == ["READY=1"]
    systemd.close()


def test_what_the_socket_does_not_take_at_once_follows_in_order(systemd: Systemd, address: str, clock: Clock) -> None:
    manager = ServiceManager(clock, address)
    for number in range(50):
        manager.status(str(number))
    manager.ready()

    told = systemd.told()
    assert len(told) < 50
    for _ in range(20):
        clock.advance(RETRY_AFTER)
        told += systemd.told()
    assert told == [*(f"STATUS={number}" for number in range(50)), "READY=1"]
    assert not clock.getDelayedCalls()


def test_for_a_service_manager_that_never_reads_the_newest_messages_are_kept(
    systemd: Systemd, address: str, clock: Clock
) -> None:
    manager = ServiceManager(clock, address)
    for number in range(1000):
        manager.status(str(number))
    told = systemd.told()
    for _ in range(50):
        clock.advance(RETRY_AFTER)
        told += systemd.told()

    assert told[-1] == "STATUS=999"
    assert len(told) < 2 * MAX_UNSENT


def test_a_socket_that_is_gone_changes_nothing(address: str, clock: Clock) -> None:
    manager = ServiceManager(clock, address, watchdog=60)
    manager.ready()

    assert clock.getDelayedCalls()


def test_without_a_service_manager_nothing_is_scheduled(clock: Clock) -> None:
    manager = service_manager_of(clock, {"WATCHDOG_USEC": "60000000"})
    manager.starting()
    manager.ready()

    assert not clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("variables", "calls"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 1),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 1),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_the_watchdog_is_the_one_that_is_meant_for_this_process(
    variables: dict[str, str], calls: int, systemd: Systemd, address: str, clock: Clock
) -> None:
    service_manager_of(clock, {"NOTIFY_SOCKET": address, **variables}).ready()

    assert len(clock.getDelayedCalls()) == calls


def test_child_processes_do_not_inherit_the_socket(address: str, clock: Clock) -> None:
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    service_manager_of(clock, environment)

    assert environment == {"HOME": "/"}
