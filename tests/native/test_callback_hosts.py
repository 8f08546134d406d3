"""Which callback servers are dialled, and how often."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.native.callback_hosts import BURST, INTERVAL, CallbackHosts, DialPace

PEER = "192.0.2.1"


def permits(names: list[str], host: str, port: int = 80, peer: str = PEER) -> bool:
    try:
        CallbackHosts(names, lambda: [7607, 5222]).check(host, port, peer)
    except BrokerError as error:
        assert error.code == Code.RESOURCE_CONFIGURATION_ADDRESS
        return False
    return True


@pytest.mark.parametrize("host", [PEER, "127.0.0.1", "example.org", "::1"])
def test_nothing_is_dialled_where_nothing_is_named(host: str) -> None:
    assert not permits([], host, peer=host)


@pytest.mark.parametrize(
    ("names", "host", "permitted"),
    [
        (["example.org"], "example.org", True),
        (["example.org"], "example.com", False),
        (["client"], PEER, True),
        (["client"], "192.0.2.2", False),
        (["*"], "192.0.2.2", True),
        (["*"], "2001:db8::1", True),
        (["*"], "example.org", False),
        (["example.org:80"], "example.org", True),
        (["example.org:81"], "example.org", False),
    ],
)
def test_what_is_named_is_dialled(names: list[str], host: str, permitted: bool) -> None:
    assert permits(names, host) is permitted


LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "169.254.169.254", "localhost"]


@pytest.mark.parametrize("host", [*LOOPBACK, "2130706433", "127.1", "0x7f.1"])
def test_the_own_machine_is_dialled_only_where_it_is_named(host: str) -> None:
    assert not permits(["client", "*"], host, peer=host)
    assert permits([host], host)


@pytest.mark.parametrize("host", ["127.0.0.1", PEER, "example.org"])
def test_ports_of_the_broker_are_dialled_only_where_they_are_named_with_their_host(host: str) -> None:
    assert not permits(["client", "*", host], host, 5222)
    assert permits([f"{host}:5222"], host, 5222)


def test_the_first_dials_of_a_login_name_are_made_at_once_and_then_ten_in_a_minute() -> None:
    pace = DialPace()
    delays = [pace.delay("joe", session, 0.0) for session in range(BURST + 3)]
    assert delays == [0.0] * BURST + [INTERVAL, 2 * INTERVAL, 3 * INTERVAL]
    assert pace.delay("jack", 100, 0.0) == 0
    assert pace.delay("joe", 101, 1000.0) == 0


def test_one_session_is_dialled_for_once_a_second_at_most() -> None:
    pace = DialPace()
    assert [pace.delay("joe", 1, 0.0) for _ in range(3)] == [0.0, 1.0, 2.0]
    assert pace.delay("joe", 1, 60.0) == 0
