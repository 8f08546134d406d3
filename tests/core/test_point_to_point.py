"""Messages from point to point (spec xmlblaster §9)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from broker.errors import BrokerError, Code
from broker.model.qos import STATE_OK, STATE_WARNING, DisconnectQos, QueueQos
from tests.core.world import FakeOutbound, World


def test_message_to_a_session_reaches_that_session_only() -> None:
    world = World()
    one, two = world.client("joe/1"), world.client("joe/2")
    world.client("pub").send("joe/2", b"hello")
    assert (one.contents, two.contents) == ([], [b"hello"])


def test_message_to_a_subject_reaches_all_its_sessions_that_take_it() -> None:
    world = World()
    one, two = world.client("joe/1"), world.client("joe/2")
    three = world.client("joe/3", address={"use_for_subject_queue": False})
    world.client("pub").send("joe", b"hello")
    assert (one.contents, two.contents, three.contents) == ([b"hello"], [b"hello"], [])


@pytest.mark.parametrize("name", ["joe/1", "client/joe/1", "client/joe/session/1", "/node/heron/client/joe/1"])
def test_every_spelling_of_a_name_is_understood(name: str) -> None:
    world = World()
    joe = world.client("joe/1")
    world.client("pub").send(name, b"hello")
    assert joe.contents == [b"hello"]
    assert joe.outbound.entries[0].message.qos.destinations[0].name == "client/joe/1"


def test_update_is_marked_as_point_to_point() -> None:
    world = World()
    joe = world.client("joe")
    world.client("pub").send("joe", b"hello")
    assert joe.outbound.entries[0].subscription_id == "__subId:PtP"


@pytest.mark.parametrize("name", ["nobody", "joe/7"])
def test_unknown_receiver_is_an_error(name: str) -> None:
    world = World()
    world.client("joe/1")
    with pytest.raises(BrokerError) as raised:
        world.client("pub").send(name, b"hello")
    assert raised.value.code == Code.USER_PTP_UNKNOWN_DESTINATION
    assert "nobody" not in world.node.subjects


def test_unknown_receiver_may_be_ignored() -> None:
    quiet = "<clientProperty name='_user.ptp.unknownDestination.ignoreSilently'>true</clientProperty>"
    assert World().client("pub").send("nobody", b"hello", quiet).state == STATE_OK


def test_message_that_is_forced_waits_for_a_subject_that_is_unknown() -> None:
    world = World()
    world.client("pub").send("joe", b"hello", force=True)
    assert world.client("joe").contents == [b"hello"]


def test_message_that_is_forced_waits_for_a_session_that_is_unknown() -> None:
    world = World()
    world.client("pub").send("joe/7", b"hello", force=True)
    assert world.client("joe/1").contents == []
    assert world.client("joe/7").contents == [b"hello"]


def test_session_made_for_a_message_ends_in_its_own_time() -> None:
    world = World(Settings(ptp_session_timeout=1000))
    world.client("pub").send("joe/7", b"hello", force=True)
    world.advance(1.1)
    assert 7 not in getattr(world.node.subjects.get("joe"), "sessions", {})


def test_session_may_refuse_point_to_point_messages() -> None:
    world = World()
    world.client("joe/1", ptp=False)
    with pytest.raises(BrokerError) as raised:
        world.client("pub").send("joe/1", b"hello")
    assert raised.value.code == Code.USER_PTP_DENIED


def test_unknown_node_is_an_error() -> None:
    with pytest.raises(BrokerError) as raised:
        World().client("pub").send("/node/other/client/joe", b"hello")
    assert raised.value.code == Code.RESOURCE_CLUSTER_NOT_AVAILABLE


def test_messages_to_a_subject_wait_for_its_first_session() -> None:
    world = World()
    sender = world.client("pub")
    for content in (b"1", b"2"):
        sender.send("joe", content, force=True)
    assert world.client("joe").contents == [b"1", b"2"]


def test_waiting_messages_survive_a_crash() -> None:
    world = World()
    world.client("pub").send("joe", b"hello", force=True)
    assert world.crash().client("joe").contents == [b"hello"]


class TestSeveralDestinations:
    QOS = "<qos><destination>{}</destination><destination>{}</destination><subscribable>false</subscribable></qos>"

    def test_each_gets_its_copy(self) -> None:
        world = World()
        joe, jack = world.client("joe"), world.client("jack")
        published = world.client("pub").publish("x", b"hi", self.QOS.format("joe", "jack"))
        assert (joe.contents, jack.contents) == ([b"hi"], [b"hi"])
        assert published.state == STATE_OK

    def test_one_that_fails_stops_no_other_and_is_told(self) -> None:
        world = World()
        joe = world.client("joe")
        published = world.client("pub").publish("x", b"hi", self.QOS.format("nobody", "joe"))
        assert joe.contents == [b"hi"]
        assert published.state == STATE_WARNING
        outcomes = {each.name: each.value for each in published.properties}
        assert outcomes == {
            "__ptp:client/nobody": "user.ptp.unknownDestination",
            "__ptp:client/joe": "OK",
        }

    def test_all_that_fail_are_an_error(self) -> None:
        with pytest.raises(BrokerError):
            World().client("pub").publish("x", b"hi", self.QOS.format("nobody", "noone"))


class TestSendingAgain:
    """The second message with the same key and QoS goes the way of the first as long as that is right."""

    def test_session_that_has_ended_is_unknown_and_its_successor_gets_the_next(self) -> None:
        world = World()
        sender, joe = world.client("pub"), world.client("joe/1")
        sender.send("joe/1", b"1")
        joe.disconnect()
        with pytest.raises(BrokerError) as raised:
            sender.send("joe/1", b"2")
        assert raised.value.code == Code.USER_PTP_UNKNOWN_DESTINATION
        successor = world.client("joe/1")
        sender.send("joe/1", b"3")
        assert (joe.contents, successor.contents) == ([b"1"], [b"3"])

    def test_session_is_made_again_for_a_message_that_is_forced(self) -> None:
        world = World()
        sender, joe = world.client("pub"), world.client("joe/1")
        sender.send("joe/1", b"1", force=True)
        joe.disconnect()
        sender.send("joe/1", b"2", force=True)
        assert world.client("joe/1").contents == [b"2"]

    def test_session_that_came_back_without_a_wish_for_such_messages_is_left_alone(self) -> None:
        world = World()
        sender, joe = world.client("pub"), world.client("joe/1")
        sender.send("joe/1", b"1")
        joe.session.qos = replace(joe.session.qos, ptp=False)
        joe.come_back()
        with pytest.raises(BrokerError) as raised:
            sender.send("joe/1", b"2")
        assert raised.value.code == Code.USER_PTP_DENIED
        assert joe.contents == []

    def test_queue_that_is_full_by_now_refuses_it(self) -> None:
        world = World()
        watcher = world.client("watcher")
        watcher.subscribe("__sys__deadMessage")
        joe = world.client("joe/1", queue=QueueQos("callback", max_entries=2), answers=False)
        sender = world.client("pub")
        joe.session.dispatch.active = False
        for content in (b"1", b"2"):
            sender.send("joe/1", content)
        with pytest.raises(BrokerError) as raised:
            sender.send("joe/1", b"3")
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
        assert watcher.contents == []
        assert len(joe.session.queue) == 2

    def test_each_is_counted_and_has_its_own_number(self) -> None:
        world = World()
        world.client("joe/1")
        sender = world.client("pub")
        published = [sender.send("joe/1", b"hello") for _ in range(3)]
        assert [each.oid for each in published] == ["ptp"] * 3
        assert len({each.id for each in published}) == 3
        assert sender.session.counters.publish == 3

    def test_transient_session_is_stored_with_the_first_persistent_one(self) -> None:
        world = World()
        joe = world.client("joe/1", answers=False)
        sender = world.client("pub")
        sender.send("joe/1", b"volatile", persistent=False)
        sender.send("joe/1", b"volatile", persistent=False)
        assert not joe.session.stored
        sender.send("joe/1", b"1")
        sender.send("joe/1", b"2")
        assert joe.session.stored


class TestSessionsThatEnd:
    def test_what_was_for_the_subject_goes_back_to_it(self) -> None:
        world = World()
        joe = world.client("joe", answers=False)
        world.client("pub").send("joe", b"hello")
        joe.lose_connection()
        assert joe.session.ended
        assert world.client("joe").contents == [b"hello"]

    def test_what_was_for_the_subject_goes_back_to_it_however_full_its_queue_is(self) -> None:
        world = World(Settings(subject=QueueLimits(entries=1)))
        joe = world.client("joe", answers=False)
        pub = world.client("pub")
        for content in (b"1", b"2", b"3"):
            pub.send("joe", content)
        joe.lose_connection()
        assert joe.session.ended
        assert world.broker.letters.count == 0
        assert world.client("joe").contents == [b"1", b"2", b"3"]

    def test_what_other_sessions_of_the_subject_got_does_not(self) -> None:
        world = World()
        deaf, other = world.client("joe", answers=False), world.client("joe")
        world.client("pub").send("joe", b"hello")
        assert other.contents == [b"hello"]
        deaf.lose_connection()
        assert other.contents == [b"hello"]

    def test_nor_does_it_after_a_crash(self) -> None:
        world = World()
        world.client("joe/1", persistent=True, answers=False)
        other = world.client("joe/2", persistent=True)
        world.client("pub").send("joe", b"hello")
        assert other.contents == [b"hello"]
        world = world.crash()
        other = world.client("joe/2", persistent=True)
        deaf = world.client("joe/1", persistent=True, answers=False)
        deaf.disconnect()
        assert deaf.session.ended
        assert other.contents == []

    def test_what_none_of_them_has_taken_goes_back_once(self) -> None:
        world = World()
        one, two = world.client("joe", answers=False), world.client("joe", answers=False)
        world.client("pub").send("joe", b"hello")
        one.lose_connection()
        two.lose_connection()
        assert world.client("joe").contents == [b"hello"]

    def test_what_was_for_the_session_becomes_a_dead_message(self) -> None:
        world = World()
        watcher = world.client("watcher")
        watcher.subscribe("__sys__deadMessage")
        joe = world.client("joe/1", answers=False)
        world.client("pub").send("joe/1", b"hello")
        joe.lose_connection()
        assert watcher.contents == [b"hello"]

    def test_dead_message_of_a_persistent_one_can_be_read_later(self) -> None:
        world = World()
        joe = world.client("joe/1", answers=False)
        world.client("pub").send("joe/1", b"hello")
        joe.lose_connection()
        world = world.crash()
        assert world.client("watcher").get("__sys__deadMessage") == [b"hello"]

    def test_more_dead_messages_than_a_history_has_outlive_two_crashes(self) -> None:
        world = World()
        dead = 2 * world.settings.history.entries
        joe, sender = world.client("joe/1", answers=False), world.client("pub")
        for number in range(dead):
            sender.send("joe/1", b"%d" % number)
        joe.lose_connection()
        world = world.crash()
        world.client("pub").send("joe/1", b"late", force=True)
        world.client("joe/1", answers=False).lose_connection()
        world = world.crash()
        contents = world.client("watcher").get("__sys__deadMessage", "<qos><history numEntries='-1'/></qos>")
        assert sorted(contents) == sorted([b"late", *(b"%d" % number for number in range(dead))])

    def test_persistent_messages_for_the_subject_outlive_its_last_disconnect(self) -> None:
        world = World()
        joe = world.client("joe", answers=False)
        world.client("pub").send("joe", b"kept")
        world.client("pub").send("joe", b"dropped", persistent=False)
        joe.disconnect(DisconnectQos(delete_subject_queue=True))
        assert world.client("joe").contents == [b"kept"]


def test_point_to_point_message_is_also_published_unless_it_is_hidden() -> None:
    world = World()
    watcher = world.client("watcher")
    watcher.subscribe("news")
    world.client("joe")
    sender = world.client("pub")
    sender.publish("news", b"seen", "<qos><destination>joe</destination></qos>")
    sender.publish("news", b"hidden", "<qos><destination>joe</destination><subscribable>false</subscribable></qos>")
    assert watcher.contents == [b"seen"]
    assert sender.get("news", "<qos><history numEntries='-1'/></qos>") == [b"seen"]


@pytest.mark.parametrize("again", [False, True], ids=["first", "by the same plan"])
def test_message_to_a_session_comes_behind_those_that_wait_for_its_subject(again: bool) -> None:
    world = World(Settings(subject=QueueLimits(cache_entries=2)))
    pub = world.client("pub")
    if again:
        pub.send("joe/1", b"first", force=True)
    early = [b"early %d" % number for number in range(9)]
    for content in early:
        pub.send("joe", content, force=True)
    session = world.connect("joe/1").session
    outbound = FakeOutbound(session)
    world.broker.attach(session, outbound, session.epoch)
    qos = "<qos><destination forceQueuing='true'>joe/1</destination><persistent/></qos>"
    sending = pub.publish_later("ptp", b"late", qos)
    world.turn(100)
    assert sending.called
    assert outbound.contents == [*([b"first"] if again else []), *early, b"late"]
