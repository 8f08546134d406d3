"""Messages out of queues (spec xmlblaster §12.4)."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from broker.admin.queue_query import MAX_WAITING
from broker.core.administration import Found
from broker.core.entries import QueueLimits
from broker.core.settings import Settings
from broker.errors import BrokerError, Code
from tests.admin.office import BOSS, Office, contents, query
from tests.core.world import Client, World

CALLBACK = "client/joe/session/1/?callbackQueueEntries"
SUBJECT = "client/joe/?subjectQueueEntries"
HISTORY = "topic/a/?historyQueueEntries"


def suspended(office: Office, *published: bytes) -> Client:
    """A client that takes its messages by itself, with what was published for it."""
    joe = office.client("joe/1", address={"dispatcher_active": False})
    joe.subscribe("a", "<qos><initialUpdate>false</initialUpdate></qos>")
    for content in published:
        joe.publish("a", content)
    return joe


def waiting(office: Office, client: Client, command: str, options: str) -> Deferred[Found]:
    """A query that is not answered yet."""
    answer = office.world.run(office.ask(client, f"__cmd:{command}", query(options)))
    assert isinstance(answer, Deferred)
    assert not answer.called
    return answer


def result(answer: Deferred[Found]) -> list[bytes]:
    """Contents of an answer that has come."""
    found: list[Found] = []
    answer.addCallback(found.append)
    assert found, "it still waits"
    return contents(found[0])


class TestLooking:
    def test_takes_nothing_away(self) -> None:
        office = Office()
        joe = suspended(office, b"1", b"2", b"3")
        assert office.entries(joe, CALLBACK, "maxEntries=2") == [b"1", b"2"]
        assert office.entries(joe, CALLBACK, "maxEntries=-1") == [b"1", b"2", b"3"]

    def test_is_for_one_message_unless_more_are_asked_for(self) -> None:
        office = Office()
        joe = suspended(office, b"1", b"2")
        assert office.entries(joe, CALLBACK) == [b"1"]

    def test_shows_the_order_of_delivery(self) -> None:
        office = Office()
        joe = suspended(office, b"normal")
        joe.publish("a", b"urgent", "<qos><priority>9</priority></qos>")
        assert office.entries(joe, CALLBACK, "maxEntries=9") == [b"urgent", b"normal"]

    def test_number_may_stand_in_the_command(self) -> None:
        office = Office()
        joe = suspended(office, b"1", b"2", b"3")
        assert office.entries(joe, "client/joe/1/?peekCallbackMessages=2") == [b"1", b"2"]
        assert office.entries(joe, f"{CALLBACK}=maxEntries=3") == [b"1", b"2", b"3"]

    def test_content_may_be_left_out(self) -> None:
        office = Office()
        joe = suspended(office, b"1")
        assert office.entries(joe, CALLBACK, qos="<content>false</content>") == [b""]

    def test_expired_messages_are_not_shown(self) -> None:
        office = Office()
        joe = suspended(office)
        joe.publish("a", b"1", "<qos><expiration lifeTime='1000' forceDestroy='true'/></qos>")
        office.world.clock.rightNow += 2
        assert office.entries(joe, CALLBACK) == []
        assert office.entries(joe, HISTORY) == []


class TestTaking:
    def test_takes_away(self) -> None:
        office = Office()
        joe = suspended(office, b"1", b"2", b"3")
        assert office.entries(joe, CALLBACK, "maxEntries=2&consumable=true") == [b"1", b"2"]
        assert office.entries(joe, CALLBACK, "maxEntries=2&consumable=true") == [b"3"]
        assert len(joe.session.queue) == 0

    def test_goes_over_all_priorities(self) -> None:
        office = Office()
        joe = suspended(office, b"normal")
        joe.publish("a", b"urgent", "<qos><priority>9</priority></qos>")
        assert office.entries(joe, CALLBACK, "maxEntries=9&consumable=true") == [b"urgent", b"normal"]

    def test_takes_no_more_than_an_answer_may_have(self) -> None:
        office = Office(world=World(Settings(max_answer_bytes=500)))
        joe = suspended(office, b"1", b"2", b"3")
        assert office.entries(joe, CALLBACK, "maxEntries=3&consumable=true") == [b"1", b"2"]
        assert office.entries(joe, CALLBACK, "maxEntries=3&consumable=true") == [b"3"]

    def test_what_nobody_may_get_any_more_takes_no_room_in_an_answer(self) -> None:
        office = Office(world=World(Settings(max_answer_bytes=500)))
        joe = suspended(office)
        joe.publish("a", b"x" * 1000, "<qos><expiration lifeTime='1000' forceDestroy='true'/></qos>")
        for content in (b"1", b"2", b"3"):
            joe.publish("a", content)
        office.world.clock.rightNow += 2
        assert office.entries(joe, CALLBACK, "maxEntries=4&consumable=true") == [b"1", b"2"]

    def test_too_much_of_a_history_is_refused_and_stays(self) -> None:
        office = Office(world=World(Settings(max_answer_bytes=2)))
        joe = suspended(office, b"1", b"2", b"3")
        for options in ("maxEntries=3", "maxEntries=3&consumable=true"):
            with pytest.raises(BrokerError) as raised:
                office.entries(joe, HISTORY, options)
            assert raised.value.code == Code.RESOURCE_EXHAUST
        assert office.entries(joe, HISTORY, "maxEntries=2&consumable=true") == [b"3", b"2"]

    def test_of_nothing_takes_nothing(self) -> None:
        office = Office()
        joe = suspended(office, b"1")
        assert office.entries(joe, CALLBACK, "maxEntries=0&consumable=true") == []
        assert len(joe.session.queue) == 1

    def test_what_is_on_disk_is_taken_too(self) -> None:
        office = Office(world=World(Settings(callback=QueueLimits(cache_entries=1))))
        joe = suspended(office, b"1", b"2", b"3")
        assert office.entries(joe, CALLBACK, "maxEntries=3&consumable=true") == [b"1", b"2", b"3"]

    def test_what_was_taken_does_not_come_back_after_a_crash(self) -> None:
        # given persistent messages for a persistent session
        office = Office()
        joe = office.client("joe/1", persistent=True, address={"dispatcher_active": False})
        for content in (b"1", b"2"):
            joe.send("joe/1", content)
        # when one is taken
        assert office.entries(joe, CALLBACK, "consumable=true") == [b"1"]
        # then the other one is there after a crash
        assert [record.content for record in office.world.crash().store.tables.messages.values()] == [b"2"]

    def test_what_is_being_delivered_is_out_of_reach(self) -> None:
        office = Office()
        joe = office.client("joe/1", answers=False)
        joe.subscribe("a")
        for content in (b"1", b"2"):
            joe.publish("a", content)
        assert office.entries(joe, CALLBACK, "maxEntries=9&consumable=true") == [b"2"]

    def test_message_to_a_login_name_that_one_session_took_is_no_dead_message(self) -> None:
        # given a message to both sessions of joe
        office = Office(BOSS)
        boss = office.client("boss")
        boss.subscribe("__sys__deadMessage")
        phone = office.client("joe/1", address={"dispatcher_active": False})
        office.client("joe/2", address={"dispatcher_active": False})
        boss.send("joe", b"1")
        (entry,) = phone.session.queue.peek(1)
        # when one takes it, and both end
        assert office.entries(phone, CALLBACK, "consumable=true") == [b"1"]
        office.set(boss, "client/joe/?killClient")
        office.world.turn()
        # then nothing is lost
        assert entry.fanout is not None and entry.fanout.delivered
        assert boss.contents == []
        assert "joe" not in office.world.node.subjects


class TestSubjectQueue:
    def test_is_looked_at_and_taken_from(self) -> None:
        office = Office(BOSS)
        boss = office.client("boss")
        for content in (b"1", b"2"):
            boss.send("joe", content, force=True)
        assert office.entries(boss, "client/joe/?peekSubjectMessages=9") == [b"1", b"2"]
        assert office.entries(boss, SUBJECT, "consumable=true") == [b"1"]
        assert office.entries(boss, SUBJECT, "consumable=true") == [b"2"]

    def test_subject_without_anything_left_is_forgotten(self) -> None:
        office = Office(BOSS)
        boss = office.client("boss")
        boss.send("joe", b"1", force=True)
        office.entries(boss, SUBJECT, "consumable=true")
        assert "joe" not in office.world.node.subjects


class TestHistory:
    def test_newest_comes_first_unless_asked_otherwise(self) -> None:
        office = Office()
        joe = office.client("joe")
        for content in (b"1", b"2", b"3"):
            joe.publish("a", content)
        oldest = "<history newestFirst='false'/>"
        assert office.entries(joe, HISTORY, "maxEntries=2") == [b"3", b"2"]
        assert office.entries(joe, HISTORY, "maxEntries=2", oldest) == [b"1", b"2"]
        assert office.entries(joe, "topic/a/?peekHistoryMessages=1") == [b"3"]

    def test_is_taken_from(self) -> None:
        office = Office()
        joe = office.client("joe")
        for content in (b"1", b"2"):
            joe.publish("a", content)
        assert office.entries(joe, HISTORY, "consumable=true") == [b"2"]
        assert joe.get("a", "<qos><history numEntries='-1'/></qos>") == [b"1"]

    def test_taking_needs_the_permission_to_erase(self) -> None:
        office = Office()
        joe = office.client("joe")
        joe.publish("a", b"1")
        office.world.permissions.forbidden.add(("joe", "erase", "exact:a"))
        assert office.entries(joe, HISTORY) == [b"1"]
        with pytest.raises(BrokerError) as raised:
            office.entries(joe, HISTORY, "consumable=true")
        assert raised.value.code == Code.USER_NOT_AUTHORIZED

    def test_looking_needs_the_permission_to_get(self) -> None:
        office = Office()
        joe = office.client("joe")
        joe.publish("a", b"1")
        office.world.permissions.forbidden.add(("joe", "get", "exact:a"))
        with pytest.raises(BrokerError) as raised:
            office.entries(joe, HISTORY)
        assert raised.value.code == Code.USER_NOT_AUTHORIZED


@pytest.mark.parametrize("command", [CALLBACK, SUBJECT])
def test_messages_of_others_are_not_shown(command: str) -> None:
    office = Office()
    suspended(office, b"1")
    with pytest.raises(BrokerError) as raised:
        office.entries(office.client("jack"), command)
    assert raised.value.code == Code.USER_NOT_AUTHORIZED


class TestWaiting:
    def test_ends_when_there_is_enough(self) -> None:
        # given
        office = Office()
        joe = suspended(office)
        answer = waiting(office, joe, CALLBACK, "maxEntries=2&consumable=true&waitingDelay=5000")
        # when
        joe.publish("a", b"1")
        assert not answer.called
        joe.publish("a", b"2")
        # then
        assert result(answer) == [b"1", b"2"]
        assert len(joe.session.queue) == 0

    def test_goes_on_behind_the_publish_that_brings_the_message(self) -> None:
        # given
        office = Office()
        joe = suspended(office)
        answer = waiting(office, joe, CALLBACK, "consumable=true&waitingDelay=5000")
        # when
        office.world.requests.publish(joe.session, b"<key oid='a'/>", b"<qos/>", b"1")
        # then the publish has all its effects before anything else has
        assert not answer.called
        office.world.turn()
        assert result(answer) == [b"1"]

    def test_ends_with_less_when_the_time_is_over(self) -> None:
        office = Office()
        joe = suspended(office)
        answer = waiting(office, joe, CALLBACK, "maxEntries=2&waitingDelay=5000")
        joe.publish("a", b"1")
        office.world.advance(4.9)
        assert not answer.called
        office.world.advance(0.2)
        assert result(answer) == [b"1"]

    def test_without_end_has_one(self) -> None:
        office = Office()
        joe = suspended(office)
        answer = waiting(office, joe, CALLBACK, "waitingDelay=-1")
        office.world.advance(MAX_WAITING / 1000)
        assert result(answer) == []

    def test_is_not_needed_where_enough_is_there(self) -> None:
        office = Office()
        joe = suspended(office, b"1")
        assert office.entries(joe, CALLBACK, "waitingDelay=-1") == [b"1"]

    def test_works_for_histories_and_subject_queues(self) -> None:
        office = Office(BOSS)
        boss = office.client("boss")
        office.set(boss, "client/boss/?maxSessions=5")
        joe = office.client("joe/1", callback=False)
        joe.publish("a", qos="<qos><administrative/></qos>")
        history = waiting(office, joe, HISTORY, "waitingDelay=1000")
        subject = waiting(office, joe, SUBJECT, "consumable=true&waitingDelay=1000")
        boss.publish("a", b"topic")
        boss.send("joe", b"subject")
        assert result(history) == [b"topic"]
        assert result(subject) == [b"subject"]

    def test_client_that_leaves_takes_nothing(self) -> None:
        # given
        office = Office()
        joe = suspended(office)
        answer = waiting(office, joe, CALLBACK, "consumable=true&waitingDelay=5000")
        failures: list[object] = []
        answer.addErrback(lambda failure: failures.append(failure.check(CancelledError)))
        timers = office.world.timers
        # when
        answer.cancel()
        joe.publish("a", b"1")
        # then
        assert failures == [CancelledError]
        assert len(joe.session.queue) == 1
        assert office.world.timers == timers - 1

    def test_two_that_wait_get_a_message_each(self) -> None:
        office = Office()
        joe = suspended(office)
        answers = [waiting(office, joe, CALLBACK, "consumable=true&waitingDelay=5000") for _ in range(2)]
        joe.publish("a", b"1")
        joe.publish("a", b"2")
        office.world.advance(5)
        assert sorted(content for answer in answers for content in result(answer)) == [b"1", b"2"]

    def test_session_that_ends_meanwhile_has_nothing(self) -> None:
        office = Office(BOSS)
        joe = suspended(office)
        answer = waiting(office, joe, CALLBACK, "waitingDelay=5000")
        office.set(office.client("boss"), "client/joe/1/?killSession")
        office.world.advance(5)
        assert result(answer) == []
