"""What there is, as JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from broker.admin.api.entries import entry_operations
from broker.admin.api.resources import resource_operations
from broker.admin.census import Census
from broker.admin.disk_reads import DiskReads
from broker.admin.health import Health
from broker.admin.store_files import StoreFiles
from broker.model.qos import QueueQos
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.sources import alarms_of
from tests.net.http.conversation import Received

MEMORY = {"db.url": "memory:"}
LISTS = ("connections", "sessions", "topics", "queues")


class Api:
    """The operations of a desk's broker."""

    def __init__(self, desk: Desk | None = None) -> None:
        self.desk = desk or Desk(settings=MEMORY)
        instance = self.desk.instance
        self.world = self.desk.world
        self.census = Census(instance)
        files = StoreFiles(instance.properties, instance.data)
        self.operations = [
            *resource_operations(instance, Health(instance), self.census, files, alarms_of(instance, self.census)),
            *entry_operations(instance, self.desk.gate, DiskReads(instance)),
        ]

    def ask(self, path: str) -> Received:
        return self.desk.ask(self.operations, f"/api/v1/{path}")

    def items(self, path: str) -> list[Any]:
        answer = self.ask(path)
        assert answer.status == 200, answer.body
        items = answer.json["items"]
        assert isinstance(items, list)
        return items


def test_session_is_told_with_its_queue_and_counters() -> None:
    api = Api()
    jack, joe = api.world.client("jack/1", answers=False, persistent=True), api.world.client("joe")
    jack.subscribe("news")
    for _ in range(2):  # the first of them is on its way
        joe.publish("news", b"x" * 100)
    api.world.advance(5)

    row = api.ask("sessions/jack/1").json

    assert row["name"] == "jack/1"
    assert (row["kind"], row["state"], row["connectionState"]) == ("native", "attached", "ALIVE")
    assert (row["persistent"], row["subscriptions"], row["idleSeconds"]) == (True, 1, 5.0)
    assert row["counters"] == {"publish": 0, "subscribe": 1, "unsubscribe": 0, "get": 0, "erase": 0, "update": 0}
    assert (row["queue"]["entries"], row["queue"]["bytes"]) == (2, 600)
    assert row["queue"]["oldestAt"] == "1970-01-12T13:46:40.000Z"
    assert "stream" not in row


def test_secret_session_id_is_never_told() -> None:
    api = Api()
    jack = api.world.client("jack/1")
    for path in ("sessions", "sessions/jack/1", "queues", "connections", "overview"):
        assert jack.session.secret_id.encode() not in api.ask(path).body


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["ann/1", "jack/1", "joe/1"]),
        ("sort=-name", ["joe/1", "jack/1", "ann/1"]),
        ("sort=-queueEntries", ["jack/1", "ann/1", "joe/1"]),
        ("subject=j*", ["jack/1", "joe/1"]),
        ("q=OE", ["joe/1"]),
        ("minQueueEntries=1", ["jack/1"]),
        ("persistent=true", ["ann/1"]),
        ("kind=xmpp", []),
        ("state=attached&subject=joe", ["joe/1"]),
        ("limit=1", ["ann/1"]),
    ],
)
def test_sessions_are_filtered_and_sorted(query: str, names: list[str]) -> None:
    api = Api()
    jack, joe = api.world.client("jack/1", answers=False), api.world.client("joe/1")
    api.world.client("ann/1", persistent=True)
    jack.subscribe("news")
    joe.publish("news", b"x")

    assert [row["name"] for row in api.items(f"sessions?{query}")] == names


def test_cursor_leads_to_the_next_page_and_the_last_has_none() -> None:
    api = Api()
    for number in range(5):
        api.world.client(f"user{number}/1")
    seen: list[str] = []
    path = "sessions?limit=2&q=user"
    while True:
        answer = api.ask(path).json
        seen += [row["name"] for row in answer["items"]]
        if "next" not in answer["page"]:
            break
        path = f"sessions?limit=2&q=user&cursor={answer['page']['next']}"
    assert seen == [f"user{number}/1" for number in range(5)]
    assert answer["page"]["matched"] == 5


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("sort=secretId", "sort"),
        ("sort=--name", "sort"),
        ("cursor=x", "cursor"),
        ("state=odd", "state"),
        ("subject=a*b", "subject"),
        ("colour=red", "colour"),
    ],
)
def test_parameter_of_a_list_that_cannot_be_used_is_named(query: str, pointer: str) -> None:
    answer = Api().ask(f"sessions?{query}")
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, f"query:{pointer}")


def test_topic_is_told_whatever_characters_its_name_has() -> None:
    api = Api()
    joe = api.world.client("joe")
    joe.subscribe("a/b ü%")
    joe.publish("a/b ü%", b"x")

    row = api.ask(f"topics/{quote('a/b ü%', safe='')}").json

    assert (row["oid"], row["state"], row["subscribers"], row["historyEntries"]) == ("a/b ü%", "ALIVE", 1, 1)
    assert (row["internal"], row["readonly"], row["mime"]) == (False, False, "text/plain")


def test_topics_are_filtered() -> None:
    api = Api()
    joe = api.world.client("joe")
    joe.subscribe("news")
    joe.publish("news", b"x")
    joe.publish("weather", b"x")
    assert [row["oid"] for row in api.items("topics?minSubscribers=1")] == ["news"]
    assert [row["oid"] for row in api.items("topics?oid=w*&state=ALIVE")] == ["weather"]


def test_queues_of_sessions_login_names_and_topics_are_told() -> None:
    api = Api()
    jack, joe = (
        api.world.client("jack/1", answers=False, queue=QueueQos("callback", max_entries=4)),
        api.world.client("joe/1"),
    )
    jack.subscribe("news")
    for _ in range(3):
        joe.publish("news", b"x")
    api.world.turn()

    row = api.ask("queues/callback/jack~1").json

    assert (row["entries"], row["maxEntries"], row["fillRatio"], row["durable"]) == (3, 4, 0.75, 0)
    assert row["onOverflow"] == "deadMessage"
    assert api.ask("queues/subject/joe").json["entries"] == 0
    history = api.ask("queues/history/news").json
    assert (history["entries"], "durable" in history) == (3, False)
    assert [each["owner"] for each in api.items("queues?relating=callback&minFillRatio=0.7")] == ["jack~1"]
    assert api.items("queues?limit=1")[0]["entries"] == 3


def test_queue_tells_how_much_comes_overflows_and_fails() -> None:
    api = Api(Desk(settings=MEMORY))
    world = api.world
    jack = world.client("jack/1", answers=False, persistent=True, queue=QueueQos("callback", max_entries=4))
    joe = world.client("joe/1")
    jack.subscribe("news")
    joe.publish("news", b"x")
    assert (api.ask("queues/callback/jack~1").json["redelivered"]) == 0
    jack.lose_connection()
    for _ in range(5):
        joe.publish("news", b"x")

    row = api.ask("queues/callback/jack~1").json

    assert (row["redelivered"], row["overflowed"]) == (1, 2)
    assert row["newestAt"] >= row["oldestAt"]
    assert "newestAt" in api.ask("queues/history/news").json
    assert "overflowed" not in api.ask("queues/history/news").json


@pytest.mark.parametrize(
    "path",
    [
        "sessions/nobody/1",
        "sessions/jack/9",
        "sessions/jack/x",
        "topics/nothing",
        "queues/callback/jack",
        "queues/callback/jack~x",
        "queues/subject/nobody",
        "queues/odd/jack",
        "connections/1",
    ],
)
def test_what_there_is_not_is_not_found(path: str) -> None:
    api = Api()
    api.world.client("jack/1")
    answer = api.ask(path)
    assert (answer.status, answer.json["code"]) == (404, "user.oid.unknown")


def test_overview_sums_up() -> None:
    api = Api()
    jack, joe = api.world.client("jack"), api.world.client("joe")
    jack.subscribe("news")
    joe.publish("news", b"x")
    api.census.start()
    api.world.turn()
    api.census.stop()

    told = api.ask("overview").json

    assert (told["node"], told["ready"], told["runLevel"]) == ("broker", True, {"level": 9, "name": "RUNNING"})
    assert told["messages"] == {"published": 1, "delivered": 1, "acknowledged": 1, "dead": 0}
    assert told["sessions"]["native"] == {"attached": 2}
    assert told["queues"]["history"] == {"count": 1, "entries": 1, "bytes": 201, "onDisk": 0}
    assert (told["topics"], told["subscriptions"]) == (1, 1)
    assert told["store"] == {"failing": False, "backlogBytes": 0}


def test_overview_tells_what_was_published_in_a_second() -> None:
    api = Api()
    joe = api.world.client("joe")
    for messages in (3, 50):  # those before the first count are of no rate
        for _ in range(messages):
            joe.publish("news", b"x")
        api.census.start()
        api.world.turn()
        api.census.stop()
        assert ("publishedPerSecond" in api.ask("overview").json["messages"]) == (messages == 50)
        api.world.advance(10)
    told = api.ask("overview").json["messages"]
    assert (told["publishedPerSecond"], told["deliveredPerSecond"], told["rateOverSeconds"]) == (5.0, 0.0, 10.0)


def test_queues_whose_first_message_is_old_are_found() -> None:
    api = Api()
    jack, joe = api.world.client("jack/1", answers=False), api.world.client("joe/1")
    jack.subscribe("news")
    for _ in range(2):
        joe.publish("news", b"x")
    api.world.advance(60)
    assert [row["owner"] for row in api.items("queues?relating=callback&olderThanSeconds=60")] == ["jack~1"]
    assert api.items("queues?relating=callback&olderThanSeconds=61") == []


def test_overview_is_told_before_there_is_a_core() -> None:
    api = Api()
    api.desk.fake.run_levels.level, api.desk.fake.store = 1, None
    told = api.ask("overview").json
    assert (told["ready"], told["runLevel"]["level"]) == (False, 1)
    assert not {"store", "messages", "topics", "startedAt"} & set(told)


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_served_at_run_level_9_only(name: str) -> None:
    api = Api()
    api.desk.fake.run_levels.level = 6
    assert (api.ask(name).status, "retry-after" in api.ask(name).headers) == (503, True)


def test_whole_api_that_reads_is_for_monitoring_and_nobody_else() -> None:
    monitoring, nobody = Api(Desk(uid=STRANGER, settings=MEMORY)), Api(Desk(uid=None, settings=MEMORY))
    for operation in monitoring.operations:
        path = operation.path.removeprefix("/api/v1/")
        for name in ("{id}", "{subject}", "{publicId}", "{oid}", "{relating}", "{owner}"):
            path = path.replace(name, "1")
        assert monitoring.ask(path).status in (200, 404), path
        assert nobody.ask(path).status == 401, path
