"""Queues that are full: what is discarded, what does not count, and what nothing happens to (spec xmlblaster §10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.core.entries import ENTRY_OVERHEAD, QueueLimits
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.model.qos import Overflow, QueueQos
from tests.core.world import DEFAULTS, Client, World

PERSISTENT = "<qos><persistent/></qos>"
BRIEF = "<qos><persistent/><expiration lifeTime='1000' forceDestroy='true'/></qos>"
OLDEST = QueueQos("callback", max_entries=3, on_overflow=Overflow.DISCARD_OLDEST)


def publish(client: Client, oid: str, *contents: bytes, qos: str = PERSISTENT) -> int:
    """Publish as a connection does, which waits where it has to; tells how often it had to."""
    waits = 0
    for content in contents:
        while True:
            pending = client.publish(oid, content, qos)
            if not isinstance(pending, Pending):
                break
            waits += 1
            ready: list[object] = []
            pending.wait().addBoth(ready.append)
            client.world.turn()
            assert ready == [None]
    return waits


def away(world: World, name: str, *oids: str, queue: QueueQos) -> Client:
    """A client that has subscribed and left."""
    client = world.client(name, persistent=True, queue=queue)
    for oid in oids:
        client.subscribe(oid, "<qos><persistent/><history numEntries='0'/></qos>")
    client.lose_connection()
    return client


def come_back(world: World, name: str, **settings: Any) -> list[bytes]:
    return world.client(name, persistent=True, **settings).contents


class TestDiscardOldest:
    @pytest.mark.parametrize("cache", [None, 0, 1, 2])
    def test_the_oldest_go_wherever_they_are(self, cache: int | None) -> None:
        world = World()
        queue = QueueQos("callback", max_entries=6, max_entries_cache=cache, on_overflow=Overflow.DISCARD_OLDEST)
        away(world, "ann/1", "a", queue=queue)

        publish(world.client("pub"), "a", *(b"%d" % number for number in range(1, 13)))

        assert come_back(world, "ann/1", queue=queue) == [b"7", b"8", b"9", b"10", b"11", b"12"]

    def test_the_oldest_go_after_a_crash(self) -> None:
        world = World()
        away(world, "ann/1", "a", queue=OLDEST)
        publish(world.client("pub"), "a", b"1", b"2", b"3")

        world = world.crash()
        publish(world.client("pub"), "a", b"4", b"5")

        assert come_back(world, "ann/1", queue=OLDEST) == [b"3", b"4", b"5"]

    def test_as_many_go_as_are_in_the_way(self) -> None:
        world = World()
        most = 20 * ENTRY_OVERHEAD
        queue = QueueQos("callback", max_bytes=most, on_overflow=Overflow.DISCARD_OLDEST)
        ann = away(world, "ann/1", "a", queue=queue)
        sender = world.client("pub")
        publish(sender, "a", *[b""] * 20)

        for _ in range(10):
            publish(sender, "a", b"x" * 9 * ENTRY_OVERHEAD)
            assert ann.session.queue.bytes <= most

        assert len(ann.session.queue) == 2

    def test_a_message_that_is_larger_than_the_queue_replaces_all_others(self) -> None:
        world = World()
        queue = QueueQos("callback", max_bytes=1000, max_entries_cache=2, on_overflow=Overflow.DISCARD_OLDEST)
        ann = away(world, "ann/1", "a", queue=queue)
        sender = world.client("pub")

        publish(sender, "a", *[b"s"] * 20, b"l" * 5000, b"L" * 5000)

        assert come_back(world, "ann/1", queue=queue) == [b"L" * 5000]
        assert len(ann.session.queue) == 0

    def test_the_lowest_priority_goes_though_it_is_on_disk_only(self) -> None:
        world = World()
        queue = QueueQos("callback", max_entries=3, max_entries_cache=1, on_overflow=Overflow.DISCARD_OLDEST)
        away(world, "ann/1", "a", queue=queue)
        sender = world.client("pub")
        publish(sender, "a", b"high", qos="<qos><persistent/><priority>9</priority></qos>")
        publish(sender, "a", b"low 1", b"low 2", qos="<qos><persistent/><priority>1</priority></qos>")

        publish(sender, "a", b"new", qos="<qos><persistent/><priority>1</priority></qos>")

        assert come_back(world, "ann/1", queue=queue) == [b"high", b"low 2", b"new"]

    def test_what_is_being_delivered_stays(self) -> None:
        world = World()
        queue = QueueQos("callback", max_entries=1, on_overflow=Overflow.DISCARD_OLDEST)
        ann = world.client("ann/1", queue=queue, answers=False)
        ann.subscribe("a")

        publish(world.client("pub"), "a", b"1", b"2")

        assert ann.contents == [b"1"]
        assert len(ann.session.queue) == 1

    def test_the_broker_itself_waits_for_no_disk_and_the_limit_holds(self) -> None:
        """Given a watcher of dead messages whose queue is on disk, when more of them come, then the oldest go."""
        world = World()
        queue = QueueQos("callback", max_entries=3, max_entries_cache=0, on_overflow=Overflow.DISCARD_OLDEST)
        watcher = away(world, "watcher/1", "__sys__deadMessage", queue=queue)
        away(world, "ann/1", "a", queue=QueueQos("callback", max_entries=1))

        publish(world.client("pub"), "a", *(b"%d" % number for number in range(10)))
        world.turn()

        assert len(watcher.session.queue) == 3
        assert come_back(world, "watcher/1", queue=queue) == [b"7", b"8", b"9"]


class TestRefusal:
    def test_a_publish_that_one_queue_refuses_discards_nothing_from_another(self) -> None:
        world = World()
        ann = away(world, "ann/1", "a", queue=OLDEST)
        away(world, "bob/1", "a", queue=QueueQos("callback", max_entries=3, on_overflow=Overflow.EXCEPTION))
        sender = world.client("pub")
        publish(sender, "a", b"1", b"2", b"3")

        for _ in range(3):
            with pytest.raises(BrokerError):
                sender.publish("a", b"refused", PERSISTENT)

        assert len(ann.session.queue) == 3
        assert come_back(world, "ann/1", queue=OLDEST) == [b"1", b"2", b"3"]

    def test_a_point_to_point_message_that_a_topic_refuses_discards_nothing_at_its_destination(self) -> None:
        world = World()
        ann = away(world, "ann/1", queue=OLDEST)
        away(world, "bob/1", "a", queue=QueueQos("callback", max_entries=1, on_overflow=Overflow.EXCEPTION))
        sender = world.client("pub")
        publish(sender, "a", b"full")
        for content in (b"1", b"2", b"3"):
            sender.send("ann/1", content)

        with pytest.raises(BrokerError):
            sender.publish("a", b"4", "<qos><persistent/><subscribable/><destination>ann/1</destination></qos>")

        assert len(ann.session.queue) == 3
        assert come_back(world, "ann/1", queue=OLDEST) == [b"1", b"2", b"3"]

    def test_a_publish_that_is_refused_or_waits_makes_no_dead_messages(self) -> None:
        world = World()
        watcher = world.client("watcher")
        watcher.subscribe("__sys__deadMessage")
        world.client("picky/1").subscribe("a", "<qos><filter type='XPathFilter'>//a</filter></qos>")
        queue = QueueQos("callback", max_entries=1, on_overflow=Overflow.EXCEPTION)
        bob = world.client("bob/1", queue=queue, answers=False)
        bob.subscribe("a")
        sender = world.client("pub")
        key = "<key oid='a' contentMime='text/xml'/>"
        sender.publish("a", b"<a/>", key=key)

        for _ in range(3):
            with pytest.raises(BrokerError):
                sender.publish("a", b"no xml", key=key)
        assert watcher.contents == []

        bob.outbound.acknowledge()
        sender.publish("a", b"no xml", key=key)
        assert watcher.contents == [b"no xml"]


class TestStale:
    def full(self, world: World, *, cache: int | None = None) -> Client:
        queue = QueueQos("callback", max_entries=3, max_entries_cache=cache)
        ann = away(world, "ann/1", "a", "b", queue=queue)
        publish(world.client("pub"), "a", b"1", b"2", b"3", qos=BRIEF)
        assert len(ann.session.queue) == 3
        return ann

    def test_expired_messages_do_not_count_for_full(self) -> None:
        world = World()
        self.full(world)
        world.advance(2)

        assert publish(world.client("pub2"), "b", b"new") == 0

        assert come_back(world, "ann/1") == [b"new"]

    @pytest.mark.parametrize("crash", [False, True])
    def test_nor_do_those_that_are_on_disk_only(self, *, crash: bool) -> None:
        world = World()
        self.full(world, cache=1)
        if crash:
            world = world.crash()
        world.advance(2)

        publish(world.client("pub2"), "b", b"new 1", b"new 2", b"new 3")

        assert come_back(world, "ann/1") == [b"new 1", b"new 2", b"new 3"]

    def test_nor_do_those_that_were_erased_by_force(self) -> None:
        world = World()
        self.full(world)
        world.client("pub2").erase("a", "<qos><erase forceDestroy='true'/></qos>")

        publish(world.client("pub3"), "b", b"new")

        assert come_back(world, "ann/1")[-1:] == [b"new"]

    def test_nor_do_those_that_a_newer_one_supersedes(self) -> None:
        world = World()
        ann = world.client("ann/1", persistent=True, queue=QueueQos("callback", max_entries=3))
        mark = "<clientProperty name='__newestOnly' type='boolean'>true</clientProperty>"
        ann.subscribe("a", f"<qos>{mark}</qos>")
        ann.session.dispatch.active = False

        publish(world.client("pub"), "a", b"1", b"2", b"3", b"4")
        ann.session.dispatch.active = True
        world.turn()

        assert ann.contents == [b"4"]

    def test_expired_ones_that_are_delivered_all_the_same_count(self) -> None:
        world = World()
        queue = QueueQos("callback", max_entries=1, on_overflow=Overflow.EXCEPTION)
        away(world, "ann/1", "a", queue=queue)
        publish(world.client("pub"), "a", b"1", qos="<qos><persistent/><expiration lifeTime='1000'/></qos>")
        world.advance(2)

        with pytest.raises(BrokerError):
            publish(world.client("pub2"), "a", b"2")

        assert come_back(world, "ann/1", queue=queue) == [b"1"]


class TestLoginName:
    """Messages to a login name go to its sessions, then wait for the subject, then are refused (spec §9, §10)."""

    def world(self) -> tuple[World, Client]:
        world = World(replace(DEFAULTS, subject=QueueLimits(entries=3)))
        return world, away(world, "joe/1", queue=QueueQos("callback", max_entries=3))

    def test_what_does_not_fit_waits_for_the_subject_and_then_is_refused(self) -> None:
        world, joe = self.world()
        watcher = world.client("watcher")
        watcher.subscribe("__sys__deadMessage")
        sender = world.client("pub")
        for number in range(6):
            sender.send("joe", b"%d" % number)

        for _ in range(3):
            with pytest.raises(BrokerError) as raised:
                sender.send("joe", b"too many")
            assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES

        assert (len(joe.session.queue), len(joe.session.subject.queue)) == (3, 3)
        assert watcher.contents == []
        assert come_back(world, "joe/1") == [b"0", b"1", b"2", b"3", b"4", b"5"]

    def test_what_waits_for_the_subject_is_not_overtaken(self) -> None:
        world, joe = self.world()
        sender = world.client("pub")
        for number in range(4):
            sender.send("joe", b"%d" % number)

        back = joe.come_back()
        sender.send("joe", b"4")
        world.turn()

        assert back.contents == [b"0", b"1", b"2", b"3", b"4"]

    def test_it_is_there_after_a_crash(self) -> None:
        world, _ = self.world()
        sender = world.client("pub")
        for number in range(6):
            sender.send("joe", b"%d" % number)
        world = world.crash()
        assert come_back(world, "joe/1") == [b"0", b"1", b"2", b"3", b"4", b"5"]

    def test_another_session_with_room_gets_it(self) -> None:
        world, _ = self.world()
        sender = world.client("pub")
        for number in range(3):
            sender.send("joe", b"%d" % number)
        other = world.client("joe/2")

        sender.send("joe", b"3")

        assert other.contents == [b"3"]

    @pytest.mark.parametrize(("reaction", "kept"), [("discard", [b"1"]), ("discardOldest", [b"2"])])
    def test_a_session_that_wants_messages_discarded_gets_its_way(self, reaction: str, kept: list[bytes]) -> None:
        world = World()
        queue = QueueQos("callback", max_entries=1, on_overflow=Overflow(reaction))
        joe = away(world, "joe/1", queue=queue)
        sender = world.client("pub")
        for to in ("joe", "joe/1"):
            sender.send(to, b"1")
            sender.send(to, b"2")
            assert len(joe.session.subject.queue) == 0
            joe.come_back()
            assert joe.contents == kept
            joe.lose_connection()

    def test_a_session_that_discards_its_oldest_gets_nothing_before_what_waits_for_the_subject(self) -> None:
        world = World()
        sender = world.client("pub")
        early = [b"%d" % number for number in range(5)]
        for content in early:
            sender.send("joe", content, force=True)
        queue = QueueQos("callback", max_entries=3, on_overflow=Overflow.DISCARD_OLDEST)
        joe = world.client("joe/1", answers=False, queue=queue, retries=-1)

        with pytest.raises(BrokerError) as raised:
            sender.send("joe/1", b"refused")
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
        joe.outbound.answers = True
        joe.outbound.acknowledge()
        world.turn(40)
        sender.send("joe/1", b"late")

        assert joe.contents == [*early, b"late"]

    def test_of_several_destinations_those_that_are_full_are_told(self) -> None:
        world, _ = self.world()
        other = world.client("kim/1")
        sender = world.client("pub")
        for number in range(3):
            sender.send("joe/1", b"%d" % number)

        names = "".join(f"<destination>{name}</destination>" for name in ("joe/1", "kim/1"))
        published = sender.publish("ptp", b"3", f"<qos><subscribable>false</subscribable>{names}</qos>")

        assert published.state == "WARNING"
        assert [each.value for each in published.properties] == [Code.RESOURCE_OVERFLOW_ENTRIES, "OK"]
        assert other.contents == [b"3"]
