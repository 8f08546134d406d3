"""A broker that stands by on the same PostgreSQL: it takes over what another one can do no more."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from broker.client import BlockingClient, ConnectOptions, PublishOptions, SubscribeOptions
from tests.contract.databases import postgresql
from tests.system.http_client import ask_socket
from tests.system.launcher import BrokerProcess, wait_until
from tests.system.native_client import connected

pytestmark = pytest.mark.system

PERSISTENT = PublishOptions(persistent=True)
JACK = ConnectOptions("jack", "secret", session=1, persistent=True)
JOE = ConnectOptions("joe", "secret", callbacks=False)
TRY_AGAIN = 75


@pytest.fixture
def url() -> Iterator[str]:
    with postgresql() as made:
        yield made


@pytest.fixture
def first(tmp_path: Path, url: str) -> Iterator[BrokerProcess]:
    with made(tmp_path / "first", url) as broker:
        broker.add_accounts("joe", "jack", arguments=("--set", f"db.url={url}"))
        yield broker


@pytest.fixture
def second(tmp_path: Path, url: str, first: BrokerProcess) -> Iterator[BrokerProcess]:
    broker = made(tmp_path / "second", url)
    broker.spawn()
    broker.wait_for_log("standing by")
    yield broker
    broker.close()


def made(directory: Path, url: str, settings: Mapping[str, str] | None = None) -> BrokerProcess:
    directory.mkdir()
    return BrokerProcess(directory / "data", settings={"db.url": url, "db.standby": "wait", **(settings or {})})


def end_sessions(url: str) -> None:
    """End what the broker's connection is to the server, as a network does that fails."""
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity JOIN pg_locks USING (pid)"
                " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
            )
        )


def test_one_that_stands_by_says_so_and_lets_nobody_in(second: BrokerProcess) -> None:
    assert ask_socket(second.admin_socket, "/health/live").json == {"status": "live", "phase": "standby"}
    ready = ask_socket(second.admin_socket, "/health/ready")
    assert (ready.status, [each["code"] for each in ready.json["reasons"]]) == (503, ["standby"])
    assert second.terminate() == -15


def test_nothing_acknowledged_is_lost_where_it_takes_over_from_one_that_was_killed(
    first: BrokerProcess, second: BrokerProcess
) -> None:
    # given messages that wait for somebody who is away
    jack = connected(first, JACK)
    jack.subscribe("news", options=SubscribeOptions(persistent=True))
    jack.leave()
    joe = connected(first, JOE)
    for number in range(50):
        joe.publish("news", str(number), PERSISTENT)
    # when the broker dies
    first.kill()
    # then the other one has them
    second.wait_ready()
    back = connected(second, JACK)
    assert [update.text for update in back.updates(timeout=2)] == [str(number) for number in range(50)]
    joe.leave()
    back.disconnect()


def test_one_whose_database_was_taken_over_ends_and_acknowledges_nothing_more(
    first: BrokerProcess, second: BrokerProcess, url: str
) -> None:
    # given a broker that lives, and has lost its database to another one
    joe = connected(first, JOE)
    joe.publish("news", "before", PERSISTENT)
    os.kill(first.pid, signal.SIGSTOP)
    end_sessions(url)
    second.wait_ready()
    os.kill(first.pid, signal.SIGCONT)
    # when something is published to it
    after = joe.publish_soon("news", "after", PERSISTENT)
    # then it ends
    wait_until(lambda: not first.running)
    assert first.exit_status == TRY_AGAIN
    assert "taken the database of this one over" in first.log()
    assert not after.done()
    anew = connected(second, JOE)
    assert [update.text for update in anew.get("news", options=SubscribeOptions(history=-1))] == ["before"]
    joe.leave()
    anew.disconnect()


def test_a_client_that_knows_both_goes_on_where_the_broker_is(first: BrokerProcess, second: BrokerProcess) -> None:
    # given a subscriber and a publisher that know where the broker may be
    places = [second.named_address()]
    jack = BlockingClient(*first.address(), JACK, others=places, delay=0.05)
    joe = BlockingClient(*first.address(), JOE, others=places, delay=0.05)
    jack.connect()
    jack.subscribe("news", options=SubscribeOptions(persistent=True))
    joe.connect()
    # when the broker dies amid messages
    soon = [joe.publish_soon("news", str(number), PERSISTENT) for number in range(100)]
    wait_until(soon[10].done)
    first.kill()
    # then each is acknowledged by one of the two, and comes
    for each in soon:
        each.result(timeout=30)
    arrived = [int(update.text) for update in jack.updates(timeout=3)]
    assert sorted(set(arrived)) == list(range(100))
    joe.disconnect()
    jack.disconnect()


def test_clients_of_one_that_stands_by_reach_the_broker_and_stay_when_it_takes_over(tmp_path: Path, url: str) -> None:
    with made(tmp_path / "first", url, {"plugin/socket/proxyProtocol": "127.0.0.1"}) as first:
        first.add_accounts("jack", arguments=("--set", f"db.url={url}"))
        second = made(tmp_path / "second", url)
        with closing(second):
            # given a client that knows the address of the second broker only, which passes it on to the first
            place = second.named_address()
            ports = f"{place[1]}:{first.address()[1]}"
            second.settings |= {"standby.relayTo": "localhost", "standby.relayPorts": ports}
            second.spawn()
            second.wait_for_log("are passed on to localhost")
            jack = BlockingClient(*place, JACK, delay=0.05)
            jack.connect()
            jack.subscribe("news", options=SubscribeOptions(persistent=True))
            jack.publish("news", "before", PERSISTENT)
            # when the first one dies
            first.kill()
            # then the client goes on at the same address
            second.wait_ready()
            jack.publish("news", "after", PERSISTENT)
            texts = [update.text for update in jack.updates(timeout=2)]
            assert list(dict.fromkeys(texts)) == ["before", "after"]  # the first may be repeated, as after any kill
            jack.disconnect()
