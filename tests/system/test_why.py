"""Why queues wait, and what is in them, told by a real broker over real sockets."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from broker.client import BlockingClient, ConnectOptions, PublishOptions
from tests.system.http_client import ask_socket
from tests.system.launcher import BrokerProcess, wait_until
from tests.system.native_client import connected
from tests.system.sizes import size
from tests.system.stream_client import StreamClient

pytestmark = pytest.mark.system

WINDOW = 3
ENTRIES, LOOKS = size(500, 50_000), size(3, 1000)
"""In a queue that is looked at, and how often that is done."""
PAGE = 1000
TABLES = ("entry", "message")
SETTINGS = {
    "queue/callback/maxEntries": str(2 * ENTRIES),
    "queue/callback/maxBytes": str(1 << 30),
    "queue/callback/maxEntriesCache": "50",
    "modules.mod_stream_management.buffer_max": str(WINDOW),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path_factory.mktemp("why") / "data", settings=SETTINGS) as started:
        started.add_accounts("ann", "joe", "jack", "mary", "bob", "carl", "dave")
        yield started


def session(broker: BrokerProcess, subject: str) -> Any:
    """The row of the only session of a login name."""
    (row,) = ask_socket(broker.admin_socket, f"/api/v1/sessions?subject={subject}").json["items"]
    return row


def waiting(broker: BrokerProcess, subject: str, code: str) -> Any:
    """The decisive reason why the queue of the only session of a login name waits, once it is the one expected."""

    def is_told() -> bool:
        return [each["code"] for each in session(broker, subject).get("waiting", [])][:1] == [code]

    wait_until(is_told)
    return session(broker, subject)["waiting"][0]


def since(reason: Any) -> float:
    """When a reason began, in seconds since 1970."""
    return datetime.fromisoformat(reason["since"]).timestamp()


def send(broker: BrokerProcess, to: str, count: int) -> None:
    """Publish persistent messages that are numbered from 0."""
    ann = connected(broker, ConnectOptions("ann", "secret", callbacks=False))
    for number in range(count):
        ann.publish("numbers", str(number), PublishOptions(persistent=True, to=(to,), force=True, subscribable=False))
    ann.disconnect()


def native(broker: BrokerProcess, name: str) -> BlockingClient:
    return connected(broker, ConnectOptions(name, "secret", session=1, persistent=True))


def test_update_that_is_not_answered_is_told_with_the_time_it_was_sent(broker: BrokerProcess) -> None:
    client = native(broker, "joe")
    began = time.time()
    send(broker, "joe/1", 2)
    ended = time.time()

    reason = waiting(broker, "joe", "unanswered")

    assert began - 0.1 <= since(reason) <= ended + 0.1
    assert reason["params"] == {"entries": 1, "maxEntries": 1}
    client.leave()


def test_client_that_is_away_is_told_with_the_time_it_left(broker: BrokerProcess) -> None:
    client = native(broker, "jack")
    send(broker, "jack/1", 1)
    began = time.time()
    client.leave()

    reason = waiting(broker, "jack", "receiverAway")

    assert began - 0.1 <= since(reason) <= time.time()
    assert "lost" in reason["detail"] or "communication" in reason["detail"]
    (queue,) = ask_socket(broker.admin_socket, "/api/v1/queues?waitingCode=receiverAway&owner=jack*").json["items"]
    assert queue["waiting"][0] == reason


def test_window_that_is_full_is_told_and_what_waits_for_a_stream_that_may_be_resumed(broker: BrokerProcess) -> None:
    client = StreamClient(broker, "mary", listener="XMPP-TLS")
    assert client.go_on()
    client.ask()
    wait_until(lambda: session(broker, "mary")["state"] == "attached")
    send(broker, "mary", 2 * WINDOW)

    reason = waiting(broker, "mary", "windowFull")

    assert (reason["params"]["unacked"], reason["params"]["window"]) == (WINDOW, WINDOW)
    began = time.time()
    client.cut()
    reason = waiting(broker, "mary", "detachedStream")
    assert began - 0.1 <= since(reason) <= time.time()
    assert 0 < reason["params"]["resumableSeconds"] <= 600
    assert reason["whatToDo"]


def test_message_for_a_login_name_that_no_session_takes_is_told(broker: BrokerProcess) -> None:
    began = time.time()
    send(broker, "bob", 1)
    (reason,) = ask_socket(broker.admin_socket, "/api/v1/queues/subject/bob").json["waiting"]
    assert (reason["code"], reason["params"]["sessionCount"]) == ("noSessionTakes", 0)
    assert began - 0.1 <= since(reason) <= time.time()


def test_session_that_nobody_has_logged_in_to_has_no_receiver(broker: BrokerProcess) -> None:
    send(broker, "carl/1", 1)
    assert waiting(broker, "carl", "noReceiver")["code"] == "noReceiver"


@pytest.mark.timeout(size(60, 3600))
def test_looking_at_a_queue_on_disk_changes_no_row(broker: BrokerProcess) -> None:
    native(broker, "dave").leave()
    send(broker, "dave/1", ENTRIES)
    path = "/api/v1/queues/callback/dave~1"
    before = ask_socket(broker.admin_socket, path).json
    first = look(broker, path, "head")  # folds the journal
    rows = rows_of(broker)
    last = look(broker, path, "tail")
    assert (numbers(first), numbers(last)) == (
        list(range(ENTRIES))[:PAGE],
        list(range(ENTRIES))[::-1][:PAGE],
    )
    for number in range(LOOKS):
        assert look(broker, path, ("head", "tail")[number % 2]) == (first, last)[number % 2]
    assert rows_of(broker) == rows
    after = ask_socket(broker.admin_socket, path).json
    assert (after["entries"], after["inMemory"], after["revision"]) == (ENTRIES, before["inMemory"], before["revision"])
    assert after["inMemory"] <= 50
    client = native(broker, "dave")
    got = [next(client.updates(timeout=20)) for _ in range(ENTRIES)]
    assert [int(update.text) for update in got] == list(range(ENTRIES))
    client.leave()


def look(broker: BrokerProcess, path: str, end: str) -> list[Any]:
    """A page of entries, once the broker reads from disk again."""
    while True:
        answer = ask_socket(broker.admin_socket, f"{path}/entries?limit={PAGE}&contentBytes=10&from={end}")
        if answer.status != 429:
            items: list[Any] = answer.json["items"]
            return items
        time.sleep(int(answer.headers["retry-after"]))


def numbers(items: list[Any]) -> list[int]:
    return [int(item["content"]["text"]) for item in items]


def rows_of(broker: BrokerProcess) -> list[list[Any]]:
    """All entries and messages in the database."""
    connection = sqlite3.connect(f"file:{broker.data / 'broker.db'}?mode=ro", uri=True)
    try:
        return [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in TABLES]
    finally:
        connection.close()
