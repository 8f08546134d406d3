"""Entries that administrators move, and dead messages that they send again, while the power goes."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from broker.client import ConnectOptions, PublishOptions
from tests.system.http_client import HttpAnswer, ask_socket
from tests.system.launcher import BrokerProcess
from tests.system.native_client import connected
from tests.system.sizes import size

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(size(300, 3600))]

COUNT = size(1500, 10_000)
KILLS = size(2, 12)
"""At points of the move, and of the replay, beside those at any time."""
STEP = size(249, 79)
"""Dead messages more that are sent again before each kill; all kills together leave some."""
KILL_AT = "BROKER_KILL_AT"
SETTINGS = {
    "queue/callback/maxEntries": "20000",
    "queue/callback/maxEntriesCache": "300",
    "queue/subject/maxEntries": "20000",
    "queue/deadMessage/maxEntries": "20000",
}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path / "data", settings=SETTINGS)
    broker.add_accounts("ann", "joe", "jack")
    with broker:
        yield broker


def post(broker: BrokerProcess, path: str, body: object) -> Any:
    """Make a change; ``None`` where the broker dies meanwhile."""
    try:
        return patiently(broker, path, "POST", {"Content-Type": "application/json"}, json.dumps(body).encode()).json
    except (OSError, HTTPException):
        return None


def patiently(broker: BrokerProcess, path: str, *request: Any) -> HttpAnswer:
    """Ask again where the broker says that it is too soon."""
    while True:
        answer = ask_socket(broker.admin_socket, f"/api/v1/{path}", *request)
        if answer.status != 429:
            return answer
        time.sleep(int(answer.headers["retry-after"]))


def contents(broker: BrokerProcess, path: str) -> list[int]:
    """Contents of everything that is in a queue, or dead, page by page."""
    found: list[int] = []
    cursor = ""
    while True:
        answer = patiently(broker, f"{path}?limit=1000&contentBytes=10{cursor}")
        if answer.status == 404:
            return found
        page = answer.json
        found += [int(item["content"]["text"]) for item in page["items"]]
        if "next" not in page["page"]:
            return found
        cursor = f"&cursor={page['page']['next']}"


def restart(broker: BrokerProcess, kill_at: str = "") -> None:
    """Kill the broker, if it lives still, and start it again."""
    broker.environment.pop(KILL_AT, None)
    if kill_at:
        broker.environment[KILL_AT] = kill_at
    broker.restart()


def test_entries_are_in_exactly_one_queue_whenever_the_broker_is_killed(broker: BrokerProcess) -> None:
    # given a queue of which most is on disk, and one that its entries are moved to
    for name in ("joe", "jack"):
        connected(broker, ConnectOptions(name, "secret", session=1, persistent=True)).leave()
    ann = connected(broker, ConnectOptions("ann", "secret", callbacks=False))
    options = PublishOptions(persistent=True, to=("joe/1",), subscribable=False)
    for number in range(COUNT):
        ann.publish("numbers", str(number), options)
    ann.disconnect()
    move = {"select": {"all": True}, "to": {"relating": "callback", "owner": "jack~1"}}
    joe, jack = "queues/callback/joe~1/entries", "queues/callback/jack~1/entries"
    chance = random.Random(7)

    # when the broker is killed amid the move, at its points and at any time
    for kill_at in (*(f"entries put:{number}" for number in range(1, KILLS + 1)), "", "", ""):
        restart(broker, kill_at)
        if kill_at:
            assert post(broker, f"{joe}/move", move) is None
        else:
            moving = threading.Thread(target=post, args=(broker, f"{joe}/move", move))
            moving.start()
            moving.join(chance.random() * 0.2)
            broker.kill()
            moving.join()
        restart(broker)
        # then each entry is in one of the two
        assert sorted(contents(broker, joe) + contents(broker, jack)) == list(range(COUNT))

    # and what is left is moved, in order
    post(broker, f"{joe}/move", move)
    assert contents(broker, jack) == list(range(COUNT))
    assert contents(broker, joe) == []

    # given that they are dead messages then
    assert post(broker, "sessions/jack/1/end", {"queue": "dead"})["entries"] == COUNT
    assert sorted(contents(broker, "dead-messages")) == list(range(COUNT))
    replay = {"select": {"all": True}, "to": {"subject": "jack"}}
    # when the broker is killed while they are sent again
    for kill_at in (*(f"dead message replayed:{1 + STEP * number}" for number in range(KILLS)), "", ""):
        restart(broker, kill_at)
        if kill_at:
            assert post(broker, "dead-messages/replay", replay) is None
        else:
            replaying = threading.Thread(target=post, args=(broker, "dead-messages/replay", replay))
            replaying.start()
            replaying.join(0.1 + chance.random() * 0.3)
            broker.kill()
            replaying.join()
        restart(broker)
        # then each is dead still, or was sent once
        sent = contents(broker, "queues/subject/jack/entries")
        assert sorted(contents(broker, "dead-messages") + sent) == list(range(COUNT))
