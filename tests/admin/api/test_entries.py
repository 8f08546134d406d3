"""Entries of queues, looked at without a trace."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.logger import capturedLogs

from broker.admin.api.entries import MAX_SCANNED, entry_operations
from broker.admin.disk_reads import AT_ONCE, DiskReads
from broker.admin.roles import SocketRole
from broker.core.entries import QueueLimits
from broker.core.queue_control import Progress
from broker.errors import BrokerError, Code
from broker.logs.audit import NAMESPACE
from tests.admin.api.desk import STRANGER, Desk
from tests.core.world import DEFAULTS, Client, World
from tests.net.http.conversation import Received
from tests.xmpp.world import World as XmppWorld

SMALL = replace(DEFAULTS, callback=QueueLimits(entries=100_000, cache_entries=10, bytes=1 << 40))
PATH = "queues/callback/joe~1/entries"


class Counter:
    """The counter at which queues are looked into.

    Args:
        world: the broker.
        role: of whoever asks; ``None`` for administrators.
    """

    def __init__(self, world: World | None = None, role: SocketRole | None = None) -> None:
        self.world = world or World(SMALL)
        uid = os.geteuid() if role is None else STRANGER
        self.desk = Desk(self.world, uid=uid, role=role or SocketRole.MONITORING)
        self.reads = DiskReads(self.desk.instance)

    def ask(self, path: str) -> Received:
        """Ask for a path."""
        operations = entry_operations(self.desk.instance, self.desk.gate, self.reads)
        return self.desk.ask(operations, f"/api/v1/{path}")

    def page(self, path: str = PATH) -> Any:
        """A page of entries."""
        answer = self.ask(path)
        assert answer.status == 200, answer.body
        return answer.json

    def items(self, query: str = "") -> list[Any]:
        """The entries of joe."""
        items = self.page(f"{PATH}{query}")["items"]
        assert isinstance(items, list)
        return items


def filled(counter: Counter, count: int = 3, qos: str = "<qos/>") -> Client:
    """A client that answers nothing, with messages of another that are numbered from 0."""
    joe = counter.world.client("joe/1", answers=False)
    joe.subscribe("news")
    publish(counter, count, qos)
    return joe


def publish(counter: Counter, count: int, qos: str = "<qos/>") -> None:
    ann = counter.world.client("ann", callback=False)
    for number in range(count):
        ann.publish("news", b"%d" % number, qos)


def texts(items: list[Any]) -> list[str]:
    return [item["content"]["text"] for item in items]


def test_priority_is_the_one_that_an_entry_has_in_the_queue() -> None:
    counter = Counter()
    joe = filled(counter)
    control = counter.world.broker.queue_control
    ensureDeferred(control.requeue(joe.session, lambda entry: entry.message.content == b"2", 9, Progress()))
    counter.world.turn(50)
    assert [each["priority"] for each in counter.items()] == [9, 5, 5]


def test_entry_is_told_with_its_envelope_and_content() -> None:
    counter = Counter()
    city = "<clientProperty name='city'>Bern</clientProperty>"
    joe = filled(counter, 2, f"<qos><priority>7</priority><expiration lifeTime='60000'/>{city}</qos>")

    first, second = counter.items()

    assert first["inFlight"]
    assert "inFlight" not in second
    assert (second["oid"], second["priority"], second["persistent"]) == ("news", 7, False)
    assert second["sender"].startswith("/node/heron/client/ann/")
    assert (second["sizeBytes"], second["content"]) == (1, {"bytes": 1, "text": "1"})
    assert second["key"] == "<key oid='news'/>"
    assert second["properties"] == {"city": "Bern"}
    assert "lifeTime" in second["qos"]
    assert (second["receivedAt"], second["expiresAt"]) == ("1970-01-12T13:46:40.000Z", "1970-01-12T13:47:40.000Z")
    assert second["subscription"] == next(iter(joe.session.subscriptions))


def test_entries_come_in_order_of_delivery_from_memory_and_disk() -> None:
    counter = Counter()
    filled(counter, 5)
    publish(counter, 20)
    publish(counter, 2, "<qos><priority>9</priority></qos>")

    items = counter.items("?limit=100")

    assert [item["priority"] for item in items] == [9, 9] + [5] * 25
    assert texts(items) == ["0", "1", "0", "1", "2", "3", "4", *map(str, range(20))]
    assert sum(item.get("onDisk", False) for item in items) == 27 - 10


@pytest.mark.parametrize("end", ["head", "tail"])
@pytest.mark.parametrize("limit", [1, 4, 7, 30])
def test_pages_have_each_entry_once(end: str, limit: int) -> None:
    counter = Counter()
    filled(counter, 25)
    publish(counter, 3, "<qos><priority>9</priority></qos>")
    seen: list[str] = []
    cursor = ""
    while True:
        page = counter.page(f"{PATH}?from={end}&limit={limit}{cursor}")
        seen += texts(page["items"])
        if "next" not in page["page"]:
            break
        cursor = f"&cursor={page['page']['next']}"
        counter.world.advance(1)
    expected = ["0", "1", "2", *map(str, range(25))]
    assert seen == (expected if end == "head" else expected[::-1])


def on_disk(world: World) -> tuple[Any, ...]:
    """What the store holds."""
    tables = world.store.tables
    return list(tables.entries()), dict(tables.messages), dict(tables.sessions)


def test_looking_changes_nothing() -> None:
    counter = Counter()
    joe = filled(counter, 30, "<qos><persistent/></qos>")
    queue = joe.session.queue
    counter.world.store.commit()
    disk = on_disk(counter.world)
    levels = {rank: [entry.seq for entry in level.entries] for rank, level in queue._levels.items()}
    before = (queue.entries, queue.in_memory, queue.cached_bytes, queue.bytes, queue.entered)

    for end in ("head", "tail"):
        for _ in range(20):
            counter.items(f"?from={end}&limit=100")
            counter.world.advance(1)

    assert (queue.entries, queue.in_memory, queue.cached_bytes, queue.bytes, queue.entered) == before
    assert {rank: [entry.seq for entry in level.entries] for rank, level in queue._levels.items()} == levels
    assert on_disk(counter.world) == disk
    assert all(entry.redeliver == 0 for level in queue._levels.values() for entry in level.entries)
    joe.outbound.answers = True
    joe.outbound.acknowledge()
    counter.world.turn(200)
    assert joe.contents == [b"%d" % number for number in range(30)]


def test_history_is_told_with_its_oldest_message_first() -> None:
    counter = Counter(World(replace(DEFAULTS, history=QueueLimits(entries=20, cache_entries=3))))
    publish(counter, 8)
    assert texts(counter.page("queues/history/news/entries")["items"]) == [*map(str, range(8))]
    assert texts(counter.page("queues/history/news/entries?from=tail&limit=2")["items"]) == ["7", "6"]


def test_history_has_nothing_that_has_expired() -> None:
    counter = Counter(World(replace(DEFAULTS, history=QueueLimits(entries=20, cache_entries=1))))
    publish(counter, 3, "<qos><expiration lifeTime='1000'/></qos>")
    publish(counter, 2)
    counter.world.clock.rightNow += 2
    assert len(counter.page("queues/history/news/entries")["items"]) == 2


def test_history_after_a_restart_is_told_before_anybody_has_asked_for_it() -> None:
    world = World()
    publish(Counter(world), 1, "<qos><persistent/></qos>")
    counter = Counter(world.crash())
    assert texts(counter.page("queues/history/news/entries")["items"]) == ["0"]
    assert counter.world.node.topics["news"].history.unread == 1


def test_what_waits_for_a_login_name_is_told() -> None:
    counter = Counter()
    counter.world.client("ann").send("joe", b"hello", force=True)
    (item,) = counter.page("queues/subject/joe/entries")["items"]
    assert (item["content"]["text"], item["persistent"], "subscription" in item) == ("hello", True, False)


def test_stanzas_are_told_as_such_and_those_that_are_unacknowledged_as_in_flight() -> None:
    world = XmppWorld()
    counter = Counter(world)
    joe, jack = world.bind("joe@localhost/x", sm=True), world.bind("jack@localhost/x")
    jack.send("<message to='joe@localhost' type='chat' id='m1'><body>hello</body></message>")
    (session,) = world.node.subjects["joe"].sessions.values()

    items = counter.page(f"queues/callback/joe~{session.name.public_id}/entries")["items"]

    assert items[-1]["stanza"] == {"kind": "message", "type": "chat", "id": "m1"}
    assert items[-1]["inFlight"]
    assert not joe.closed


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?oid=news", ["0", "1", "2", "red"]),
        ("?oid=n*&limit=2", ["0", "1"]),
        ("?oid=weather", []),
        ("?sender=*client/bob/*", ["red"]),
        ("?property.colour=red", ["red"]),
        ("?property.colour=blue", []),
        ("?oid=news&property.colour=red", ["red"]),
    ],
)
def test_entries_are_filtered(query: str, expected: list[str]) -> None:
    counter = Counter()
    filled(counter, 3)
    property = "<qos><clientProperty name='colour'>red</clientProperty></qos>"
    counter.world.client("bob", callback=False).publish("news", b"red", property)
    assert texts(counter.items(query)) == expected


@pytest.mark.parametrize(
    ("content", "bytes", "told"),
    [
        (b"hello", 3, {"bytes": 5, "truncated": True, "text": "hel"}),
        ("grün".encode(), 3, {"bytes": 5, "truncated": True, "text": "gr"}),
        (b"\xff\x00", 9, {"bytes": 2, "base64": "/wA="}),
        (b"hello", 0, None),
    ],
)
def test_content_is_cut_between_characters_and_told_as_text_where_it_is_one(
    content: bytes, bytes: int, told: dict[str, Any] | None
) -> None:
    counter = Counter()
    filled(counter, 0)
    counter.world.client("ann").publish("news", content)
    assert counter.items(f"?contentBytes={bytes}")[0].get("content") == told


def test_monitoring_is_told_envelopes_only() -> None:
    counter = Counter(role=SocketRole.MONITORING)
    filled(counter, 15, "<qos><clientProperty name='city'>Bern</clientProperty></qos>")

    answer = counter.ask(f"{PATH}?contentBytes=1000&limit=100")

    assert len(answer.json["items"]) == 15
    assert not {"qos", "properties", "content"} & set(answer.json["items"][0])
    assert b"Bern" not in answer.body
    assert counter.ask(f"{PATH}?property.city=Bern").status == 403


def test_operator_is_told_contents_and_that_is_audited() -> None:
    counter = Counter(role=SocketRole.OPERATOR)
    filled(counter, 2)
    with capturedLogs() as lines:
        assert texts(counter.items()) == ["0", "1"]
    (line,) = [each for each in lines if each["log_namespace"] == NAMESPACE]
    assert (line["action"], line["target"], line["parameters"]) == ("queue.peek", "callback/joe~1", "2 entries")
    with capturedLogs() as lines:
        counter.items("?contentBytes=0")
    assert not [each for each in lines if each["log_namespace"] == NAMESPACE]


def test_disk_is_read_a_few_times_a_second_only() -> None:
    counter = Counter()
    filled(counter, 30)
    for _ in range(AT_ONCE):
        assert counter.ask(PATH).status == 200
    answer = counter.ask(PATH)
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    counter.world.advance(1)
    assert counter.ask(PATH).status == 200


def test_disk_is_not_read_while_the_store_fails() -> None:
    counter = Counter()
    filled(counter, 30)
    counter.world.store.fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "the disk is full"))
    answer = counter.ask(PATH)
    assert (answer.status, answer.json["code"]) == (503, "resource.db.unavailable")


def test_filter_that_finds_little_looks_at_a_part_of_the_queue_at_a_time() -> None:
    counter = Counter()
    joe = filled(counter, 0)
    counter.world.client("ann").publish("news", b"x")
    message = joe.outbound.entries[0].message
    for _ in range(MAX_SCANNED + 5):
        joe.session.queue.put(message, "s")
    page = counter.page(f"{PATH}?oid=other")
    assert (page["items"], page["page"]["scanned"]) == ([], MAX_SCANNED)
    page = counter.page(f"{PATH}?oid=other&cursor={page['page']['next']}")
    assert (page["page"]["scanned"], "next" in page["page"]) == (6, False)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=middle", "from"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=1.", "cursor"),
        ("contentBytes=-1", "contentBytes"),
        ("oid=a*b", "oid"),
        ("property=x", "property"),
        ("properties.x=1", "properties.x"),
    ],
)
def test_parameter_that_cannot_be_used_is_named(query: str, pointer: str) -> None:
    counter = Counter()
    filled(counter, 1)
    answer = counter.ask(f"{PATH}?{query}")
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, f"query:{pointer}")


def test_queue_that_there_is_not_is_not_found() -> None:
    assert Counter().ask(PATH).status == 404


def test_revision_is_another_one_when_an_entry_has_come_or_gone() -> None:
    counter = Counter()
    joe = filled(counter, 2)
    before = counter.page()["revision"]
    assert counter.page()["revision"] == before
    joe.outbound.acknowledge()
    after = counter.page()["revision"]
    assert after != before
    publish(counter, 1)
    assert counter.page()["revision"] not in (before, after)
