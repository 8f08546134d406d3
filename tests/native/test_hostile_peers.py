"""Peers that break the rules, guess passwords, vanish or do not read cost nobody else anything, and leave nothing."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent

from broker.core.queues import Queue
from broker.core.quotas import QuotaLimits
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.native.limits import NativeLimits
from broker.native.server import NativeServer
from broker.native.wire.frames import Kind, Unit, encode_frame, encode_units
from broker.net.limits import Limits
from broker.net.store_pressure import HIGH_WATER
from broker.net.transport import Connection
from tests.core.world import DEFAULTS
from tests.logs.audit_lines import audit_lines
from tests.native.peer import Listener, Peer, Transport
from tests.native.test_conversations import KEY, MESSAGE, QUERY, connect_unit, subscriber

LOGINS = 1000
TO_NOBODY = b"<qos><destination>nobody</destination></qos>"


def wrong_password(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    with pytest.raises(BrokerError):
        peer.connect("joe", password="wrong")
    peer.hang_up()


def abandoned_at_any_byte(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    login = encode_frame(Kind.INVOKE, b"1", b"connect", b"", encode_units([connect_unit("joe")]))
    peer.protocol.dataReceived(login[: chance.randrange(len(login))])
    peer.hang_up()


def deadline_passed(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    listener.world.advance(listener.limits.login_timeout + 1)
    assert peer.closed
    peer.hang_up()


def garbage(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    peer.protocol.dataReceived(chance.randbytes(64))
    assert peer.closed
    peer.hang_up()


def too_long(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    peer.protocol.dataReceived(b"%10d" % (1 << 20))
    assert peer.closed
    peer.hang_up()


def left_while_checked(listener: Listener, chance: random.Random) -> None:
    listener.checking = []
    peer = listener.peer()
    peer.request("connect", connect_unit("joe"))
    peer.hang_up()
    listener.checking.pop().callback(None)
    listener.checking = None
    listener.world.turn()


def left_right_after(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    peer.request("connect", Unit(connect_unit("joe").qos.replace(b"retries='-1'", b"retries='0'")))
    peer.hang_up()


def no_service_named(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    with pytest.raises(BrokerError):
        peer.call("connect", Unit(b"<qos/>"))
    peer.hang_up()


def broken_xml(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    with pytest.raises(BrokerError):
        peer.call("connect", Unit(b"<qos><securityService type='x'><user>joe"))
    peer.hang_up()


def refused_by_the_session(listener: Listener, chance: random.Random) -> None:
    peer = listener.peer()
    with pytest.raises(BrokerError):
        peer.connect("jo/not a number")
    peer.hang_up()


def logged_in_and_out(listener: Listener, chance: random.Random) -> None:
    peer = listener.client("joe")
    peer.call("disconnect", Unit(b"<qos/>"))
    peer.hang_up()


WAYS = [
    wrong_password,
    abandoned_at_any_byte,
    deadline_passed,
    garbage,
    too_long,
    left_while_checked,
    left_right_after,
    no_service_named,
    broken_xml,
    refused_by_the_session,
    logged_in_and_out,
]


def living() -> dict[int, object]:
    """All that a connection consists of, by identity."""
    gc.collect()
    kinds = (Connection, NativeServer, Session, Queue)
    return {id(each): each for each in gc.get_objects() if isinstance(each, kinds)}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_a_failed_login_stays(way: Callable[[Listener, random.Random], None]) -> None:
    """Given hundreds of logins that break, connections, sessions, timers and memory are back where they were."""
    others = living()  # of tests that ran in this process before
    listener = Listener()
    chance = random.Random(1)
    for _ in range(LOGINS // 10 if way in (left_right_after, logged_in_and_out) else LOGINS // 5):
        way(listener, chance)
    assert listener.is_clean
    assert [each for key, each in living().items() if key not in others] == []


def test_what_a_peer_did_not_take_goes_with_its_connection() -> None:
    """Without waiting for the collector of cycles, which has little reason to look where connections hold megabytes."""
    peer = Listener().client("joe")
    name = peer.protocol.peer
    peer.hang_up()
    assert peer.protocol.transport is None
    assert peer.protocol.peer == name


class Brimming(Transport):
    """A transport whose buffer holds 64 KiB."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self.peer = peer

    def write(self, data: bytes) -> None:
        """Take it, and say so where it is too much."""
        super().write(data)
        if len(self.value()) > 65536 and self.peer.stream.writable:
            self.peer.protocol.pauseProducing()


class TestLimits:
    def test_frames_are_short_before_the_login_and_long_after(self) -> None:
        listener = Listener(NativeLimits(max_frame_before_login=1000, max_frame=100_000))
        peer = listener.client("joe")
        assert peer.call("publish", Unit(b"<qos/>", KEY, b"x" * 50_000))
        peer.protocol.dataReceived(b"%10d" % 100_001)
        assert peer.closed

    def test_a_request_that_is_too_long_is_refused_by_its_id_before_the_connection_closes(self) -> None:
        listener = Listener(NativeLimits(max_frame=100_000))
        peer = listener.client("joe")
        request_id = peer.request("publish", Unit(b"<qos/>", KEY, b"x" * 100_000))
        with pytest.raises(BrokerError) as raised:
            peer.answer(request_id)
        assert raised.value.code == Code.USER_MAX_SIZE_EXCEED
        assert "exceeds the maximum of 100000" in raised.value.message
        assert peer.closed
        assert not peer.transport.aborting

    def test_a_client_that_goes_on_with_a_request_that_is_too_long_is_let_go_of_in_time(self) -> None:
        listener = Listener(NativeLimits(max_frame=100_000))
        peer = listener.client("joe")
        peer.request("publish", Unit(b"<qos/>", KEY, b"x" * 100_000))
        peer.frames()
        peer.write(b"x" * 100_000)
        assert peer.frames() == []
        listener.world.advance(5)
        assert peer.transport.aborting

    def test_connections_of_one_address_that_do_not_log_in_are_bounded(self) -> None:
        listener = Listener(net=Limits(max_pending=3))
        peers = [listener.peer("10.0.0.1") for _ in range(3)]
        assert listener.refuses("10.0.0.1")
        assert not listener.refuses("10.0.0.2")
        peers[0].connect("joe")
        assert not listener.refuses("10.0.0.1")

    def test_connections_are_bounded(self) -> None:
        listener = Listener(net=Limits(max_connections=2))
        for _ in range(2):
            listener.client("joe")
        assert listener.refuses()

    def test_idle_connection_is_let_go_of_where_the_listener_says_so(self) -> None:
        listener = Listener(NativeLimits(idle_timeout=10))
        peer = listener.client("joe/1")
        listener.world.advance(9)
        peer.call("ping")
        listener.world.advance(9)
        assert not peer.closed
        listener.world.advance(2)
        assert peer.closed


def lines(events: Sequence[LogEvent]) -> list[str]:
    """What the log says of the peer, without its address."""
    texts = (formatEvent(event) for event in events if event["log_level"] > LogLevel.debug)
    return [text.partition(":")[2].partition(" ")[2] for text in texts if text.startswith("127.0.0.1:")]


class TestLog:
    def test_has_one_line_for_all_requests_that_a_client_is_refused_and_their_number_when_it_leaves(self) -> None:
        peer = Listener().client("joe")
        with capturedLogs() as events:
            for _ in range(100):
                peer.request("publish", Unit(TO_NOBODY, KEY, b""))
                peer.request("publishOneway", Unit(TO_NOBODY, KEY, b""))
                peer.request("get", Unit(b"<qos/>", b"<key oid='__subId:1'/>"))
            peer.hang_up()
        first, last = lines(events)[:2]
        assert first.startswith("publish refused: ")
        assert last == "299 more refusals since the last line"

    def test_has_one_line_a_minute_of_a_client_that_goes_on(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        with capturedLogs() as events:
            for _ in range(120):
                peer.request("nonsense")
                listener.world.advance(1)
                peer.updates()
        assert [line.rpartition(" (")[2] for line in lines(events)][1:] == ["and 59 more since the last line)"]

    def test_still_answers_each_request_that_is_refused(self) -> None:
        peer = Listener().client("joe")
        for _ in range(3):
            with pytest.raises(BrokerError):
                peer.call("get", Unit(b"<qos/>", b"<key oid='__subId:1'/>"))

    def test_has_one_line_of_an_address_that_comes_again_and_again(self) -> None:
        listener = Listener()
        with capturedLogs() as events:
            for _ in range(100):
                peer = listener.peer()
                peer.protocol.dataReceived(b"no frame at all")
                peer.hang_up()
            listener.world.advance(60)
            listener.client("joe").protocol.dataReceived(b"no frame at all")
            listener.peer().protocol.dataReceived(b"no frame at all")
        first, of_client, last = lines(events)
        assert first.endswith("connection closed")
        assert of_client.endswith("connection closed")
        assert last.endswith("(and 99 more since the last line)")

    def test_has_a_line_in_the_audit_for_each_login_and_one_for_those_that_are_refused(self) -> None:
        listener = Listener()
        with capturedLogs() as events:
            for _ in range(2):
                listener.client("joe/1")
            for _ in range(50):
                peer = listener.peer()
                peer.request("connect", Unit(b"<qos/>"))
                peer.hang_up()
        audit = audit_lines(events)
        admitted = "login principal=joe via=native peer=127.0.0.1 session=client/joe/1"
        assert audit[:2] == [admitted] * 2
        (refused,) = audit[2:]
        assert refused.startswith("login via=native peer=127.0.0.1 code=user.security.authentication.")

    def test_shows_a_part_of_what_the_peer_has_chosen(self) -> None:
        peer = Listener().client("joe")
        with capturedLogs() as events:
            peer.request("x" * 5000)
        (line,) = lines(events)
        assert len(line) < 700


class TestBackPressure:
    def test_publisher_that_outruns_the_store_is_paused(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        listener.world.store.held = True
        big = Unit(b"<qos><persistent/></qos>", KEY, b"x" * (HIGH_WATER // 4))
        for _ in range(5):
            peer.request("publish", big)
        assert peer.paused
        listener.world.store.held = False
        listener.world.store.commit()
        listener.world.turn()
        assert not peer.paused

    def test_client_that_does_not_read_its_answers_is_not_read_from(self) -> None:
        peer = Listener().client("joe")
        peer.protocol.pauseProducing()
        assert peer.paused
        peer.protocol.resumeProducing()
        assert not peer.paused

    def test_requests_that_came_at_once_wait_until_their_answers_can_be_written(self) -> None:
        # given a client that asks for a large message again and again, and does not read
        peer = Listener().client("joe")
        peer.call("publish", Unit(b"<qos/>", KEY, b"x" * 100_000))
        transport = peer.protocol.transport = peer.transport = Brimming(peer)
        get = encode_frame(Kind.INVOKE, b"1", b"get", peer.secret, encode_units([QUERY]))
        peer.write(get * 500)
        # then one answer fills its buffer, and no other is made
        assert len(transport.value()) < 2 * 100_000
        # and each time that it has read, the next one is, in order to the end
        answers = 0
        while transport.value():
            answers += len(peer.frames())
            peer.protocol.resumeProducing()
        assert answers == 500
        assert not peer.paused
        assert not peer.closed

    def test_what_breaks_the_framing_behind_them_is_noticed_when_they_are_served(self) -> None:
        peer = Listener().client("joe")
        peer.protocol.pauseProducing()
        peer.write(encode_frame(Kind.INVOKE, b"1", b"ping", b"", b"") + b"no frame at all")
        assert not peer.closed
        peer.protocol.resumeProducing()
        assert [frame.method for frame in peer.frames()] == [b"ping"]
        assert peer.closed

    def test_subscriber_that_does_not_read_costs_disk_and_delays_nobody(self) -> None:
        listener = Listener()
        slow, quick = subscriber(listener, "slow/1"), subscriber(listener, "quick/1")
        slow.protocol.pauseProducing()
        pub = listener.client("pub")
        for number in range(1500):
            pub.call("publish", Unit(b"<qos/>", KEY, str(number).encode()))
            if number % 100 == 0:
                quick.updates()
        quick.updates()
        queue = listener.world.node.subjects["slow"].sessions[1].queue
        assert len(listener.world.node.subjects["quick"].sessions[1].queue) == 0
        assert queue.in_memory <= queue.limits.cache_entries
        slow.protocol.resumeProducing()
        listener.world.turn()
        assert [unit.content for unit in slow.updates()][:3] == [b"0", b"1", b"2"]


class TestVanishing:
    def test_a_hundred_clients_at_once(self) -> None:
        listener = Listener()
        peers: list[Peer] = []
        for number in range(100):
            peer = listener.client(f"user{number}", callback="<callback/>")
            peer.call("subscribe", QUERY)
            peers.append(peer)
        pub = listener.client("pub")
        pub.call("publish", MESSAGE)
        for peer in peers:
            peer.hang_up()
        pub.call("erase", QUERY)
        pub.call("disconnect", Unit(b"<qos/>"))
        pub.hang_up()
        listener.world.advance(61)  # the topic of dead messages goes, too
        assert listener.is_clean


class TestUnfinishedRequests:
    """Requests whose end does not come wait in memory, so all connections of an account share how much that may be."""

    REQUEST = encode_frame(Kind.INVOKE, b"1", b"publish", b"", b"x" * 1000)

    @pytest.fixture
    def listener(self) -> Listener:
        return Listener(settings=replace(DEFAULTS, quotas=QuotaLimits(unfinished_bytes=1500)))

    def test_a_connection_with_which_they_are_too_much_is_closed(self, listener: Listener) -> None:
        one, other = listener.client("joe/1"), listener.client("joe/2")
        one.write(self.REQUEST[:900])
        assert not one.closed
        with capturedLogs() as logs:
            other.write(self.REQUEST[:900])
        assert other.closed
        assert not one.closed
        assert any("requests without their end" in (formatEvent(event) or "") for event in logs)

    def test_another_account_has_its_own_quota(self, listener: Listener) -> None:
        joe, mary = listener.client("joe/1"), listener.client("mary/1")
        joe.write(self.REQUEST[:900])
        mary.write(self.REQUEST[:900])
        assert not mary.closed

    def test_what_ends_counts_no_more(self, listener: Listener) -> None:
        joe = listener.client("joe/1")
        usage = listener.world.node.quotas.of("joe")
        for _ in range(3):
            joe.write(self.REQUEST[:900])
            assert usage.unfinished_bytes == 900
            joe.write(self.REQUEST[900:])
            assert usage.unfinished_bytes == 0
        assert not joe.closed

    def test_what_a_lost_connection_brought_counts_no_more(self, listener: Listener) -> None:
        joe = listener.client("joe/1")
        joe.write(self.REQUEST[:900])
        joe.hang_up()
        assert listener.world.node.quotas.of("joe").unfinished_bytes == 0

    def test_a_closed_connection_counts_no_more(self, listener: Listener) -> None:
        joe = listener.client("joe/1")
        joe.write(encode_frame(Kind.INVOKE, b"1", b"publish", b"", b"x" * 3000)[:2000])
        assert joe.closed
        assert listener.world.node.quotas.of("joe").unfinished_bytes == 0
