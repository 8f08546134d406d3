"""A broker that stands by on the same PostgreSQL: it takes over what another one can do no more."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from broker.client import ConnectOptions, PublishOptions, SubscribeOptions
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


def made(directory: Path, url: str) -> BrokerProcess:
    directory.mkdir()
    return BrokerProcess(directory / "data", settings={"db.url": url, "db.standby": "wait"})


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
