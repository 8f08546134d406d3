"""Administrative messages on the wire (spec xmlblaster §16.2, §24 facts 12 and 19)."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.native.codec import read_status_qos
from broker.native.limits import NativeLimits
from broker.native.wire.frames import Unit
from tests.admin.office import BOSS, Office, query
from tests.native.peer import Listener, Peer

CALLBACK = b"<key oid='__cmd:client/joe/1/?callbackQueueEntries'/>"
SUSPENDED = "<callback type='SOCKET' retries='-1' dispatcherActive='false'/>"


def listener_with(settings: dict[str, str] | None = None, limits: NativeLimits | None = None) -> Listener:
    """A listener whose broker serves administrative messages."""
    listener = Listener(limits or NativeLimits())
    Office(settings, listener.world)
    return listener


def suspended(listener: Listener) -> Peer:
    """A client that takes its messages by itself."""
    joe = listener.client("joe/1", callback=SUSPENDED)
    joe.call("subscribe", Unit(b"<qos/>", b"<key oid='a'/>"))
    return joe


def compact(xml: bytes) -> bytes:
    """XML without blanks between elements."""
    return b"".join(line.strip() for line in xml.splitlines())


def test_value_comes_as_one_message() -> None:
    joe = listener_with().client("joe/1")
    (unit,) = joe.call("get", Unit(b"<qos><isGet/></qos>", b"<key oid='__cmd:?nodeId'/>"))
    assert compact(unit.qos) == b"<qos><isPublish/></qos>"
    assert compact(unit.key) == b"<key oid='__cmd:/node/heron/?nodeId'/>"
    assert unit.content == b"heron"


def test_change_is_answered_with_what_was_done() -> None:
    boss = listener_with(BOSS).client("boss/1")
    (unit,) = boss.call("publish", Unit(b"<qos/>", b"<key oid='__cmd:?runlevel=6'/>"))
    answer = compact(unit.qos)
    assert b"<state id='OK' info='/node/heron/?runlevel=6'/>" in answer
    assert b"<key oid='__cmd:?runlevel=6'/>" in answer
    assert b"rcvTimestamp" not in answer


def test_change_between_messages_is_answered_in_order() -> None:
    boss = listener_with(BOSS).client("boss/1")
    units = boss.call(
        "publish",
        Unit(b"<qos/>", b"<key oid='a'/>", b"1"),
        Unit(b"<qos/>", b"<key oid='__cmd:?runlevel=6'/>"),
        Unit(b"<qos/>", b"<key oid='b'/>", b"2"),
    )
    assert [read_status_qos(unit.qos).oid for unit in units] == ["a", "__cmd:?runlevel=6", "b"]


def test_answer_waits_until_the_change_is_on_disk() -> None:
    # given a persistent session, and a disk that is slow
    listener = listener_with()
    joe = listener.client("joe/1", "<persistent/>")
    listener.world.store.held = True
    # when
    request = joe.request("publish", Unit(b"<qos/>", b"<key oid='__cmd:client/joe/1/?dispatcherActive=false'/>"))
    # then
    assert joe.frames() == []
    listener.world.store.commit()
    assert joe.answer(request)


@pytest.mark.parametrize("oid", [b"nothing", b"__refresh"])
def test_what_is_not_there_is_empty_and_no_error(oid: bytes) -> None:
    joe = listener_with().client("joe/1")
    assert joe.call("get", Unit(b"<qos/>", b"<key oid='%b'/>" % oid)) == []


def test_unknown_attribute_is_an_exception() -> None:
    joe = listener_with({"admin.users": "joe"}).client("joe/1")
    with pytest.raises(BrokerError) as raised:
        joe.call("get", Unit(b"<qos/>", b"<key oid='__cmd:?unknownXY'/>"))
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT


def test_remote_properties_come_as_client_properties() -> None:
    joe = listener_with().client("joe/1")
    topic = b"<key oid='__sys__remoteProperties'/>"
    joe.call("publish", Unit(b"<qos><clientProperty name='os'>Linux</clientProperty></qos>", topic, b"merge"))
    (unit,) = joe.call("get", Unit(b"<qos/>", topic))
    assert b"<clientProperty name='os'>Linux</clientProperty>" in unit.qos


class TestWaitingForEntries:
    QOS = query("consumable=true&waitingDelay=5000").encode()

    def test_keeps_no_other_request_waiting(self) -> None:
        # given a query that waits
        listener = listener_with()
        joe = suspended(listener)
        request = joe.request("get", Unit(self.QOS, CALLBACK))
        assert joe.frames() == []
        # when the same connection brings what is waited for
        joe.call("publish", Unit(b"<qos/>", b"<key oid='a'/>", b"1"))
        # then
        assert [unit.content for unit in joe.answer(request)] == [b"1"]

    def test_ends_empty(self) -> None:
        listener = listener_with()
        joe = suspended(listener)
        request = joe.request("get", Unit(self.QOS, CALLBACK))
        listener.world.advance(5)
        assert joe.answer(request) == []

    def test_ends_with_the_connection_and_takes_nothing(self) -> None:
        # given
        listener = listener_with()
        joe = suspended(listener)
        joe.request("get", Unit(self.QOS, CALLBACK))
        # when
        joe.hang_up()
        listener.client("pub").call("publish", Unit(b"<qos/>", b"<key oid='a'/>", b"1"))
        listener.world.advance(5)
        # then
        (session,) = (each for each in listener.world.node.sessions.values() if each.name.subject == "joe")
        assert len(session.queue) == 1

    def test_only_so_many_wait_on_one_connection(self) -> None:
        listener = listener_with(limits=NativeLimits(max_pending=2))
        joe = suspended(listener)
        for _ in range(2):
            joe.request("get", Unit(self.QOS, CALLBACK))
        with pytest.raises(BrokerError) as raised:
            joe.call("get", Unit(self.QOS, CALLBACK))
        assert raised.value.code == Code.RESOURCE_EXHAUST

    def test_what_was_taken_is_off_the_disk_before_it_is_sent(self) -> None:
        # given a persistent message, and a disk that is slow
        listener = listener_with()
        joe = listener.client("joe/1", "<persistent/>", callback=SUSPENDED)
        ptp = b"<qos><persistent/><destination>joe/1</destination></qos>"
        joe.call("publish", Unit(ptp, b"<key oid='p'/>", b"1"))
        listener.world.store.held = True
        # when
        request = joe.request("get", Unit(query("consumable=true").encode(), CALLBACK))
        # then
        assert joe.frames() == []
        listener.world.store.commit()
        assert [unit.content for unit in joe.answer(request)] == [b"1"]
