"""Delivery to one receiver (spec xmlblaster §11)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from broker.core.delivery import Delivery
from broker.core.dispatch import ConnectionState
from broker.core.entries import QueueLimits
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.model.connect import AddressQos
from broker.model.property import ClientProperty
from broker.model.qos import Overflow, QueueQos
from tests.core.world import DEFAULTS, Client, CuttingStore, World


def subscriber(world: World, name: str = "joe/1", *, answers: bool = True, **address: object) -> Client:
    client = world.client(name, answers=answers, retries=-1, address=address)
    client.subscribe("a")
    return client


def publish(world: World, *contents: bytes, qos: str = "<qos/>") -> None:
    sender = world.client("pub")
    for content in contents:
        world.requests.publish(sender.session, b"<key oid='a'/>", qos.encode(), content)
    world.turn()


def dead_letters(world: World) -> Client:
    client = world.client("watcher")
    client.subscribe("__sys__deadMessage")
    return client


class TestBulk:
    def test_one_update_at_a_time_by_default(self) -> None:
        world = World()
        client = subscriber(world, answers=False)
        publish(world, b"1", b"2", b"3")
        assert [len(bulk) for bulk in client.outbound.bulks] == [1]
        client.outbound.acknowledge()
        assert client.contents == [b"1", b"2"]

    def test_burst_mode_sets_how_many(self) -> None:
        world = World()
        client = subscriber(world, answers=False, burst_entries=2)
        publish(world, b"1", b"2", b"3")
        client.outbound.acknowledge()
        assert [len(bulk) for bulk in client.outbound.bulks] == [2, 1]

    def test_an_update_is_on_its_way_before_the_next_one_is_taken(self) -> None:
        # given a queue whose tail is on disk
        clock = Clock()
        small = QueueLimits(entries=100, cache_entries=8)
        world = World(replace(DEFAULTS, callback=small), clock, CuttingStore(clock))
        client = subscriber(world, answers=False, burst_entries=2)
        publish(world, *(b"%d" % number for number in range(20)))
        client.outbound.acknowledge()
        # when taking an update has the next entries read, while the session was woken for a new one
        world.requests.publish(world.client("other").session, b"<key oid='a'/>", b"<qos/>", b"new")
        client.outbound.acknowledge()
        world.turn()
        # then there is one update, and the next one follows the answer to it
        assert client.contents == [b"0", b"1", b"2", b"3", b"4", b"5"]
        client.outbound.acknowledge()
        world.turn()
        assert client.contents[6:] == [b"6", b"7"]

    def test_minus_one_takes_all_of_the_highest_priority(self) -> None:
        world = World()
        client = subscriber(world, answers=False, burst_entries=-1)
        client.session.dispatch.active = False
        publish(world, b"1", b"2")
        publish(world, b"9", qos="<qos><priority>9</priority></qos>")
        client.session.dispatch.active = True
        world.turn()
        assert client.contents == [b"9"]
        client.outbound.acknowledge()
        assert client.contents == [b"9", b"1", b"2"]

    def test_bytes_bound_a_bulk_but_never_to_nothing(self) -> None:
        world = World()
        client = subscriber(world, answers=False, burst_entries=-1, burst_bytes=10)
        publish(world, b"x" * 100, b"y" * 100)
        assert [len(bulk) for bulk in client.outbound.bulks] == [1]

    def test_collect_time_gathers(self) -> None:
        world = World()
        client = subscriber(world, answers=False, burst_entries=10, collect_time=500)
        publish(world, b"1")
        assert client.contents == []
        publish(world, b"2")
        world.advance(0.6)
        assert [len(bulk) for bulk in client.outbound.bulks] == [2]

    def test_oneway_needs_no_answer(self) -> None:
        world = World()
        client = subscriber(world, answers=False, oneway=True)
        publish(world, b"1", b"2")
        assert [entry.message.content for bulk in client.outbound.oneways for entry in bulk] == [b"1", b"2"]
        assert len(client.session.queue) == 0

    @pytest.mark.parametrize("oneway", [False, True])
    def test_what_one_session_of_an_account_got_does_not_come_back_from_another(self, oneway: bool) -> None:
        world = World()
        first = world.client("joe/1", persistent=True, address={"oneway": oneway})
        world.client("joe/2", persistent=True).lose_connection()
        world.client("ann").send("joe", b"hi")
        world.advance(1)
        world.store.commit()
        assert first.contents == [b"hi"]
        restarted = world.crash()
        account = restarted.node.subjects["joe"]
        second = account.sessions[2]
        restarted.run(restarted.broker.end_session(second, second, BrokerError(Code.USER_NOT_CONNECTED, "ended")))
        restarted.turn()
        assert [len(account.queue), *(len(session.queue) for session in account.sessions.values())] == [0, 0]


class TestSlowReceiver:
    def test_nothing_is_delivered_while_its_buffer_is_full(self) -> None:
        world = World()
        client = subscriber(world)
        client.outbound.writable = False
        publish(world, b"1", b"2")
        assert client.contents == []
        client.outbound.writable = True
        client.session.dispatch.resume()
        world.turn()
        assert client.contents == [b"1", b"2"]

    def test_others_do_not_notice(self) -> None:
        world = World()
        slow, quick = subscriber(world, "slow/1"), subscriber(world, "quick/1")
        slow.outbound.writable = False
        publish(world, b"1")
        assert quick.contents == [b"1"]


class TestExceptionsOfTheClient:
    @pytest.mark.parametrize("code", ["user.update.holdback", "communication.user.holdback"])
    def test_holdback_keeps_the_message_and_suspends_delivery(self, code: str) -> None:
        world = World()
        client = subscriber(world, answers=False)
        publish(world, b"1")
        client.session.dispatch.refused(BrokerError(code, "wait"))
        assert not client.session.dispatch.active
        client.session.dispatch.active = True
        world.turn()
        assert client.contents == [b"1", b"1"]
        assert client.outbound.entries[1].redeliver == 0

    @pytest.mark.parametrize("code", ["user.update.deadMessage", "user.update.error", "user.clientCode"])
    def test_user_exceptions_make_dead_messages_and_delivery_goes_on(self, code: str) -> None:
        world = World()
        watcher = dead_letters(world)
        client = subscriber(world, answers=False)
        publish(world, b"bad", b"good")
        client.session.dispatch.refused(BrokerError(code, "no"))
        world.turn()
        assert watcher.contents == [b"bad"]
        assert client.contents == [b"bad", b"good"]

    def test_anything_else_counts_as_a_bug_of_the_client(self) -> None:
        world = World()
        watcher = dead_letters(world)
        client = subscriber(world, answers=False)
        publish(world, b"bad")
        client.session.dispatch.refused(BrokerError("internal.nullpointer", "oops"))
        world.turn()
        properties = {each.name: each.text for each in watcher.outbound.entries[0].message.qos.properties}
        assert properties["__deadMessageReason"].startswith(Code.USER_UPDATE_INTERNAL_ERROR)

    def test_communication_exceptions_are_tried_again_later(self) -> None:
        world = World()
        client = subscriber(world, answers=False, delay=1000)
        publish(world, b"1")
        client.session.dispatch.refused(BrokerError("communication.timeout", "busy"))
        assert client.session.dispatch.state is ConnectionState.POLLING
        world.advance(1.1)
        assert client.contents == [b"1", b"1"]
        assert client.outbound.entries[1].redeliver == 1


class TestExceptionsForSomeOfABulk:
    """The receiver has taken some messages of an update and not others."""

    def test_only_what_is_refused_becomes_a_dead_message(self) -> None:
        world = World()
        watcher = dead_letters(world)
        client = subscriber(world, answers=False, burst_entries=10)
        publish(world, *(b"%d" % number for number in range(10)))
        client.session.dispatch.refused_some({4: BrokerError("user.update.error", "no"), 7: BrokerError("x.y", "odd")})
        world.turn()
        assert watcher.contents == [b"4", b"7"]
        reasons = [
            {each.name: each.text for each in entry.message.qos.properties}["__deadMessageReason"]
            for entry in watcher.outbound.entries
        ]
        assert [reason.partition(":")[0] for reason in reasons] == ["user.update.error", "user.update.internalError"]
        assert (client.session.queue.entries, client.session.dispatch.in_flight) == (0, 0)

    def test_delivery_goes_on_behind_it(self) -> None:
        world = World()
        client = subscriber(world, answers=False, burst_entries=2)
        publish(world, b"1", b"2", b"3")
        client.session.dispatch.refused_some({0: BrokerError("user.update.error", "no")})
        world.turn()
        assert client.contents == [b"1", b"2", b"3"]

    def test_holdback_keeps_what_was_not_taken_in_its_order(self) -> None:
        world = World()
        client = subscriber(world, answers=False, burst_entries=4)
        publish(world, b"1", b"2", b"3", b"4")
        later = BrokerError("user.update.holdback", "wait")
        client.session.dispatch.refused_some({2: later, 3: later})
        world.turn()
        assert not client.session.dispatch.active
        client.session.dispatch.active = True
        world.turn()
        assert client.contents == [b"1", b"2", b"3", b"4", b"3", b"4"]
        assert [entry.redeliver for entry in client.outbound.entries[4:]] == [0, 0]

    def test_what_a_communication_exception_keeps_is_tried_again_later(self) -> None:
        world = World()
        client = subscriber(world, answers=False, delay=1000, burst_entries=3)
        publish(world, b"1", b"2", b"3")
        busy = BrokerError("communication.timeout", "busy")
        client.session.dispatch.refused_some({1: busy, 2: busy})
        assert client.session.dispatch.state is ConnectionState.POLLING
        world.advance(1.1)
        assert client.contents == [b"1", b"2", b"3", b"2", b"3"]


class TestLostConnection:
    def test_unanswered_update_comes_first_again_with_its_count_raised(self) -> None:
        world = World()
        client = subscriber(world, answers=False)
        publish(world, b"1", b"2")
        client.lose_connection()
        client.come_back()
        assert [(entry.message.content, entry.redeliver) for entry in client.outbound.entries] == [(b"1", 1), (b"2", 0)]

    def test_retries_used_up_end_the_session_and_its_messages_become_dead(self) -> None:
        world = World()
        watcher = dead_letters(world)
        client = world.client("joe/1", retries=2, address={"delay": 1000})
        client.subscribe("a")
        client.lose_connection()
        publish(world, b"1")
        world.advance(1.5)
        assert watcher.contents == []
        world.advance(2)
        assert client.session.ended
        assert watcher.contents == [b"1"]

    def test_client_that_comes_back_in_time_stops_the_count(self) -> None:
        world = World()
        client = world.client("joe/1", retries=2, address={"delay": 1000})
        client.lose_connection()
        world.advance(1.5)
        client.come_back()
        world.advance(10)
        assert not client.session.ended


class TestPing:
    def test_receiver_is_asked_at_its_interval(self) -> None:
        world = World()
        client = subscriber(world, ping_interval=1000)
        world.advance(1.1)
        assert client.outbound.pings == 1
        client.session.dispatch.ponged()
        world.advance(1.1)
        assert client.outbound.pings == 2

    def test_no_answer_in_time_is_a_lost_connection(self) -> None:
        world = World()
        client = world.client(
            "joe/1",
            retries=-1,
            address={
                "ping_interval": 1000,
                "attributes": (ClientProperty("pingResponseTimeout", "500", "long"),),
            },
        )
        world.advance(1.1)
        world.advance(0.6)
        assert client.session.dispatch.state is ConnectionState.POLLING
        assert client.outbound.closed

    def test_session_may_only_be_marked_as_stalled(self) -> None:
        world = World()
        client = subscriber(world, ping_interval=1000, stall_on_ping_timeout=True)
        world.advance(1.1)
        world.advance(61)
        assert client.session.dispatch.stalled
        client.session.dispatch.ponged()
        assert not client.session.dispatch.stalled

    def test_interval_of_zero_is_off(self) -> None:
        world = World()
        client = subscriber(world, ping_interval=0)
        world.advance(10**6)
        assert client.outbound.pings == 0


def test_update_without_an_answer_in_time_is_a_lost_connection() -> None:
    world = World()
    attributes = (ClientProperty("updateResponseTimeout", "1000", "long"),)
    client = subscriber(world, answers=False, attributes=attributes)
    publish(world, b"1")
    world.advance(1.1)
    assert client.outbound.closed
    assert client.session.dispatch.state is ConnectionState.POLLING


def test_a_ping_whose_answer_may_take_for_ever_is_no_lost_connection() -> None:
    world = World()
    attributes = (ClientProperty("pingResponseTimeout", "2147483647", "long"),)
    client = subscriber(world, ping_interval=1000, attributes=attributes)
    world.advance(1.5)
    assert client.outbound.pings == 1
    assert not client.outbound.closed
    client.session.dispatch.ponged()
    world.advance(1.5)
    assert client.outbound.pings == 2


def test_settings_of_an_address_are_completed_by_defaults() -> None:
    assert Delivery.of(AddressQos()) == Delivery()
    assert Delivery.of(AddressQos(ping_interval=3)).ping_interval == 10
    assert (
        Delivery.of(AddressQos(attributes=(ClientProperty("updateResponseTimeout", "2147483647"),))).update_timeout == 0
    )


def test_message_that_expired_meanwhile_is_delivered_all_the_same() -> None:
    world = World()
    client = subscriber(world)
    client.session.dispatch.active = False
    publish(world, b"late", qos="<qos><expiration lifeTime='1000'/></qos>")
    world.advance(2)
    client.session.dispatch.active = True
    world.turn()
    assert client.contents == [b"late"]


def test_message_that_expired_with_force_is_not() -> None:
    world = World()
    client = subscriber(world)
    client.session.dispatch.active = False
    publish(world, b"late", qos="<qos><expiration lifeTime='1000' forceDestroy='true'/></qos>")
    world.advance(2)
    client.session.dispatch.active = True
    world.turn()
    assert client.contents == []
    assert len(client.session.queue) == 0


class TestOverflow:
    def full(self, world: World, overflow: str, **settings: object) -> Client:
        queue = QueueQos("callback", max_entries=2, on_overflow=Overflow(overflow), **settings)  # type: ignore[arg-type]
        client = world.client("joe/1", retries=-1, queue=queue, answers=False)
        client.subscribe("a")
        client.session.dispatch.active = False
        publish(world, b"1", b"2")
        return client

    def open(self, world: World, client: Client) -> list[bytes]:
        client.outbound.answers = True
        client.session.dispatch.active = True
        world.turn()
        return client.contents

    def test_dead_message(self) -> None:
        world = World()
        watcher = dead_letters(world)
        client = self.full(world, "deadMessage")
        publish(world, b"3")
        assert watcher.contents == [b"3"]
        assert self.open(world, client) == [b"1", b"2"]

    def test_exception_goes_to_the_publisher_and_nothing_is_published(self) -> None:
        world = World()
        other = subscriber(world, "other/1")
        client = self.full(world, "exception")
        with pytest.raises(BrokerError) as raised:
            publish(world, b"3")
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
        world.turn()
        assert other.contents == [b"1", b"2"]
        assert self.open(world, client) == [b"1", b"2"]

    def test_discard(self) -> None:
        world = World()
        watcher = dead_letters(world)
        client = self.full(world, "discard")
        publish(world, b"3")
        assert watcher.contents == []
        assert self.open(world, client) == [b"1", b"2"]

    def test_discard_oldest(self) -> None:
        world = World()
        client = self.full(world, "discardOldest")
        publish(world, b"3")
        assert self.open(world, client) == [b"2", b"3"]

    @pytest.mark.parametrize(("overflow", "told"), [("deadMessage", "dead message"), ("discard", "discarded")])
    def test_of_all_messages_for_one_receiver_the_log_has_one_line_a_minute(self, overflow: str, told: str) -> None:
        world = World()
        self.full(world, overflow)
        with capturedLogs() as events:
            publish(world, *[b"3"] * 50)
            world.advance(60)
            publish(world, b"3")
        first, second = (text for text in map(formatEvent, events) if told in text)
        assert "more since" not in first
        assert second.endswith("(and 49 more since the last line)")

    def test_block_lets_the_publisher_wait_for_room(self) -> None:
        world = World()
        client = self.full(world, "block")
        sender = world.client("pub")
        assert isinstance(sender.publish("a", b"3"), Pending)
        published: list[object] = []
        sender.publish_later("a", b"3").addBoth(published.append)
        world.turn()
        assert not published
        self.open(world, client)
        assert published
        assert client.contents == [b"1", b"2", b"3"]

    def test_block_does_not_last_for_ever(self) -> None:
        world = World()
        self.full(world, "block")
        failed: list[object] = []
        world.client("pub").publish_later("a", b"3").addBoth(lambda failure: failed.append(failure.value.code))
        world.advance(world.settings.block_timeout / 1000 + 1)
        assert failed == [Code.RESOURCE_OVERFLOW_ENTRIES]

    def test_bytes_count_too(self) -> None:
        world = World()
        watcher = dead_letters(world)
        client = world.client("joe/1", retries=-1, queue=QueueQos("callback", max_bytes=100), answers=False)
        client.subscribe("a")
        client.session.dispatch.active = False
        publish(world, b"x", b"y")
        assert watcher.contents == [b"y"]
