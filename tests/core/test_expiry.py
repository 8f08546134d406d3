"""Messages whose life time is over are not there any more, whoever has noticed yet (spec xmlblaster §8.3)."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from broker.core import expiry
from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from broker.model.qos import QueueQos
from broker.model.records import FIRST_EXPIRED, EntryRecord, ExpiredPlace, ExpiredRecord, MessageRecord
from broker.store.memory import MemoryStore
from tests.core.world import Client, World

PERSISTENT = "<qos><persistent/></qos>"
ALL = "<qos><history numEntries='-1'/></qos>"


def life(seconds: float, *, force: bool = False) -> str:
    forced = " forceDestroy='true'" if force else ""
    return f"<qos><persistent/><expiration lifeTime='{int(seconds * 1000)}'{forced}/></qos>"


def away(world: World, name: str, oid: str, queue: QueueQos) -> Client:
    client = world.client(name, persistent=True, queue=queue)
    client.subscribe(oid, PERSISTENT)
    client.lose_connection()
    return client


class TestMessagesThatLeaveTheirHistoryBeforeTheirTime:
    def test_they_are_not_kept_in_mind_until_then(self) -> None:
        world = World()
        joe = world.client("joe")
        for number in range(5 * expiry.LEAST_HEAP):
            joe.publish("a", b"%d" % number, life(3600 + number))
        assert len(world.broker.expiry._heap) <= 2 * expiry.LEAST_HEAP

    def test_those_that_are_left_expire_in_their_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(expiry, "LEAST_HEAP", 2)
        world = World(Settings(history=QueueLimits(entries=3, cache_entries=1)))
        joe = world.client("joe")
        for number in range(20):
            joe.publish("a", b"%d" % number, life(100 - number))
            joe.publish("b", b"%d" % number, life(100 - number))
        world.advance(81.5)
        assert [joe.get(oid, ALL) for oid in "ab"] == [[b"18", b"17"]] * 2
        assert [len(world.node.topics[oid].history) for oid in "ab"] == [2, 2]
        world.advance(2)
        assert [len(world.node.topics[oid].history) for oid in "ab"] == [0, 0]


class TestHistory:
    def recovered(self) -> World:
        """Given an old message and a newer one that expires after a crash, none of which is in memory."""
        world = World()
        joe = world.client("joe")
        joe.publish("a", b"old", PERSISTENT)
        joe.publish("a", b"short", life(6))
        world = world.crash()
        world.clock.rightNow += 7  # before anybody looks
        return world

    def test_an_expired_message_hides_no_older_one_from_get_after_a_crash(self) -> None:
        world = self.recovered()
        assert world.client("joe").get("a", "<qos><history numEntries='1'/></qos>") == [b"old"]

    def test_nor_from_the_initial_update(self) -> None:
        world = self.recovered()
        ann = world.client("ann")
        ann.subscribe("a", "<qos><history numEntries='1'/></qos>")
        assert ann.contents == [b"old"]

    def test_nor_while_it_is_on_disk_only(self) -> None:
        settings = Settings(history=QueueLimits(entries=10, cache_entries=1))
        world = World(settings)
        joe = world.client("joe")
        joe.publish("a", b"1", PERSISTENT)
        for content in (b"2", b"3", b"4"):
            joe.publish("a", content, life(5))
        joe.publish("a", b"5", PERSISTENT)
        world.clock.rightNow += 6
        assert joe.get("a", "<qos><history numEntries='2'/></qos>") == [b"5", b"1"]

    def test_a_message_equal_to_an_expired_one_is_delivered_though_the_publisher_wants_no_repetitions(self) -> None:
        world = World()
        world.client("joe").publish("a", b"same", life(5))
        world = world.crash()
        joe, ann = world.client("joe"), world.client("ann")
        ann.subscribe("a", "<qos><history numEntries='0'/></qos>")
        joe.get("a")
        world.clock.rightNow += 6

        joe.publish("a", b"same", "<qos><persistent/><forceUpdate>false</forceUpdate></qos>")

        assert ann.contents == [b"same"]

    def test_an_expired_message_pushes_no_older_one_out_of_a_full_history(self) -> None:
        world = World(Settings(history=QueueLimits(entries=3)))
        joe = world.client("joe")
        joe.publish("a", b"old", PERSISTENT)
        joe.publish("a", b"short", life(1))
        joe.publish("a", b"shorter", life(1))
        world.clock.rightNow += 2
        joe.publish("a", b"new", PERSISTENT)
        joe.publish("a", b"newer", PERSISTENT)
        assert joe.get("a", ALL) == [b"newer", b"new", b"old"]

    def test_a_topic_whose_messages_had_expired_before_they_were_read_goes_after_its_delay(self) -> None:
        world = World()
        world.client("joe").publish("a", b"1", life(5))
        world = world.crash()
        world.clock.rightNow += 6
        assert world.client("joe").get("a") == []
        world.advance(world.settings.destroy_delay / 1000 + 1)
        assert "a" not in world.node.topics


class CountingStore(MemoryStore):
    """Remembers what was asked for."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self.tables = world.crashed().tables
        self.slices: list[int] = []
        self.contents = 0

    def read_expired(
        self, now: int, limit: int, max_bytes: int, after: ExpiredPlace = FIRST_EXPIRED
    ) -> Deferred[list[ExpiredRecord]]:
        """Read entries of expired messages."""
        reading = super().read_expired(now, limit, max_bytes, after)

        def seen(rows: list[ExpiredRecord]) -> list[ExpiredRecord]:
            self.slices.append(len(rows))
            return rows

        return reading.addCallback(seen)

    def read_entries(
        self, queue_id: int, rank: int, after: int, limit: int, max_bytes: int = -1
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries with contents."""
        self.contents += 1
        return super().read_entries(queue_id, rank, after, limit, max_bytes)


class TestSweep:
    def world(self, monkeypatch: pytest.MonkeyPatch) -> tuple[World, CountingStore]:
        """Given many that expire and stay in a queue, and behind them some that must go; after a crash."""
        monkeypatch.setattr(expiry, "SWEEP_BATCH", 4)
        world = World()
        away(world, "ann/1", "keep", QueueQos("callback", max_entries_cache=1))
        away(world, "bob/1", "force", QueueQos("callback", max_entries_cache=1))
        joe = world.client("joe")
        for number in range(10):
            joe.publish("keep", b"%d" % number, life(1))
        joe.publish("history", b"eternal", PERSISTENT)
        joe.publish("history", b"short", life(5))
        for number in range(3):
            joe.publish("force", b"%d" % number, life(5, force=True))
        store = CountingStore(world)
        world = World(world.settings, world.clock, store)
        world.turn()  # nothing has expired yet
        return world, store

    def test_what_stays_in_queues_holds_up_nobody_behind_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world, store = self.world(monkeypatch)

        for _ in range(3):
            world.advance(61)

        store.commit()
        assert len(world.node.topics["history"].history) == 1
        assert [len(session.queue) for session in world.node.sessions.values()] == [10, 0]
        assert len(list(store.tables.entries())) == 11
        assert store.contents == 0

    def test_nothing_is_looked_at_twice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world, store = self.world(monkeypatch)
        world.advance(61)
        seen = sum(store.slices)

        world.advance(61)

        assert seen == 2 * 10 + 1 + 2 * 3  # queues and histories
        assert sum(store.slices) == seen
        assert max(store.slices) == 4

    def test_after_the_clock_was_set_back_what_expires_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world, store = self.world(monkeypatch)
        world.advance(61)
        hour = 3600.0
        seconds = world.node.seconds
        world.node.seconds = lambda: seconds() - hour
        away(world, "kim/1", "late", QueueQos("callback", max_entries_cache=0))
        world.client("joe").publish("late", b"x", life(5, force=True))

        world.advance(61)

        store.commit()
        (kim,) = [each for each in world.node.sessions.values() if each.name.subject == "kim"]
        assert len(kim.queue) == 0

    def test_a_message_that_cannot_be_read_holds_up_nobody_behind_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world, store = self.world(monkeypatch)
        broken = min(message.id for message in store.tables.messages.values() if message.oid == "keep")
        store.tables.messages[broken] = store.tables.messages[broken]._replace(qos=b"<qos")

        world.advance(61)

        store.commit()
        assert [len(session.queue) for session in world.node.sessions.values()] == [10, 0]


class TestTransientOnDisk:
    """Messages that are not persistent and were on disk for want of memory."""

    TINY = QueueQos("callback", max_entries_cache=1)

    def test_another_receiver_gets_all_of_them_after_the_first_has(self) -> None:
        world = World()
        bob = world.client("bob/1", retries=-1, queue=self.TINY)
        bob.subscribe("a")
        bob.session.dispatch.active = False
        joe = world.client("joe")
        contents = [b"%d" % number for number in range(6)]
        for content in contents:
            joe.publish("a", content)
        bob.session.dispatch.active = True
        world.turn()
        assert bob.contents == contents

        ann = world.client("ann/1", retries=-1, queue=self.TINY)
        ann.session.dispatch.active = False
        ann.subscribe("a", "<qos><history numEntries='-1' newestFirst='false'/></qos>")
        ann.session.dispatch.active = True
        world.turn()

        assert ann.contents == contents

    def test_the_history_has_all_of_them_after_a_receiver_has(self) -> None:
        world = World(Settings(history=QueueLimits(entries=10, cache_entries=3)))
        bob = world.client("bob/1", retries=-1, queue=self.TINY)
        bob.subscribe("a")
        bob.session.dispatch.active = False
        joe = world.client("joe")
        for number in range(3):
            joe.publish("a", b"%d" % number)
        bob.session.dispatch.active = True
        world.turn()
        for number in range(3, 8):
            joe.publish("a", b"%d" % number)

        assert joe.get("a", ALL) == [b"%d" % number for number in reversed(range(8))]
        assert len(bob.contents) == 8
