"""What the broker owes to real clients, shown with bytes that they sent (``tests/data/captures``).

Where no recorded client has asked for the very thing, a part of its request is exchanged.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.core.entries import QueueLimits
from broker.errors import Code
from broker.native.codec import read_connect_qos, read_status_qos
from broker.native.wire.frames import Frame, FrameReader, Kind, encode_frame
from broker.native.wire.methods import decode_exception
from tests.admin.office import Office
from tests.core.world import DEFAULTS
from tests.data import CAPTURES
from tests.native.peer import Listener


class Recorded:
    """A connection over which a recorded client sends its requests again.

    Args:
        listener: where it connects.
        name: of the recorded connection, such as ``java-basic/conn0``.
    """

    def __init__(self, listener: Listener, name: str) -> None:
        self.peer = listener.peer()
        self._frames = FrameReader(1 << 20).feed((CAPTURES / name / "c2s.bin").read_bytes())

    def send(self, number: int, old: bytes = b"", new: bytes = b"", *, method: bytes = b"") -> Frame:
        """Send a request again; returns the frame that answers it.

        Args:
            number: of the frame.
            old: that is exchanged, once; there must be such a part.
            new: what stands there instead.
            method: that is called instead.
        """
        frame = self._frames[number]
        assert old in frame.body
        head, _, tail = frame.body.rpartition(old) if old else (b"", b"", frame.body)
        body = head + new + tail
        self.peer.write(encode_frame(Kind.INVOKE, frame.request_id, method or frame.method, self.peer.secret, body))
        return self.peer.answer_frame(frame.request_id)

    def connect(self, old: bytes = b"", new: bytes = b"") -> Frame:
        """Log in as the client did."""
        answer = self.send(0, old, new)
        self.peer.secret = answer.session
        self.peer.listener.world.advance(0.02)
        return answer


def connected(listener: Listener, name: str) -> Recorded:
    """A recorded client that has logged in."""
    client = Recorded(listener, name)
    assert client.connect().kind is Kind.RESPONSE
    return client


def code_of(answer: Frame) -> str:
    """Of an exception."""
    assert answer.kind is Kind.EXCEPTION
    return str(decode_exception(answer).code)


class TestConnect:
    def test_answer_to_the_java_client_has_an_empty_password(self) -> None:
        (unit,) = Recorded(Listener(), "java-basic/conn0").connect().units()
        assert b"<user>joe</user><passwd></passwd>" in unit.qos

    def test_session_of_another_login_name_is_served_where_it_has_the_same_password(self) -> None:
        client = Recorded(Listener(), "raw-probes-wire/conn20")
        (unit,) = client.connect().units()
        answer = read_connect_qos(unit.qos)
        assert answer.credentials is not None
        assert (answer.credentials.user, answer.session.name) == ("joe", "/node/heron/client/jack/1")

    def test_that_is_refused_leaves_the_connection_open_for_the_next(self) -> None:
        listener = Listener()
        connected(listener, "java-maxsessions/conn0")
        refused = Recorded(listener, "java-maxsessions/conn1")
        assert code_of(refused.connect()) == Code.USER_CONFIGURATION_MAX_SESSION
        assert not refused.peer.closed
        assert refused.send(0, b"clearSessions='false'", b"clearSessions='true'").kind is Kind.RESPONSE

    @pytest.mark.parametrize("number", [16, 17, 18, 19])
    def test_without_credentials_leaves_it_open_too(self, number: int) -> None:
        client = Recorded(Listener(), f"raw-probes-wire/conn{number}")
        broken = number == 19
        code = Code.USER_ILLEGAL_ARGUMENT if broken else Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT
        assert code_of(client.send(0)) == code
        assert not client.peer.closed

    @pytest.mark.parametrize("most", [b"0", b"-16"])
    def test_with_less_than_one_session_is_refused(self, most: bytes) -> None:
        client = Recorded(Listener(), "java-maxsessions/conn0")
        assert code_of(client.connect(b"maxSessions='1'", b"maxSessions='" + most + b"'")) == Code.USER_ILLEGAL_ARGUMENT

    def test_with_a_dispatch_plugin_for_its_callback_is_refused(self) -> None:
        client = Recorded(Listener(), "java-basic/conn0")
        refused = client.connect(b"dispatchPlugin='undef'", b"dispatchPlugin='Priority,1.0'")
        assert code_of(refused) == Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED


class TestPublish:
    def test_property_may_have_an_empty_name(self) -> None:
        client = connected(Listener(), "java-basic/conn0")
        answer = client.send(2, b"<isPublish/>", b"<clientProperty name=''></clientProperty>")
        assert answer.kind is Kind.RESPONSE

    def test_distributor_that_is_not_there_is_refused(self) -> None:
        client = connected(Listener(), "java-basic/conn0")
        topic = b"<topic><msgDistributor typeVersion='ConsumableQueue,1.0'/></topic>"
        assert code_of(client.send(2, b"<isPublish/>", topic)) == Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED

    def test_message_to_a_login_name_that_fits_nowhere_is_refused_to_its_publisher(self) -> None:
        listener = Listener(settings=replace(DEFAULTS, subject=QueueLimits(entries=2)))
        connected(listener, "raw-probes-wire/conn15")  # joe, who is called back by nobody
        publisher = connected(listener, "java-ptp/conn1")
        assert [publisher.send(1).kind for _ in range(2)] == [Kind.RESPONSE] * 2
        assert code_of(publisher.send(1)) == Code.RESOURCE_OVERFLOW_ENTRIES


class TestSubscribe:
    def test_filter_looks_at_the_newest_messages_only_as_many_as_are_wanted(self) -> None:
        listener = Listener()
        publisher = connected(listener, "java-filters/conn1")
        publisher.send(2)  # Hello, which passes
        publisher.send(1)  # World, which does not
        client = connected(listener, "java-filters/conn0")
        assert client.send(1).kind is Kind.RESPONSE
        assert client.peer.updates() == []
        assert client.send(1, method=b"get").units() == []

    def test_client_that_wants_no_message_twice_gets_one_id_for_one_query(self) -> None:
        client = Recorded(Listener(), "java-basic/conn0")
        client.connect(b"</qos>", b"<duplicateUpdates>false</duplicateUpdates></qos>")
        ids = {read_status_qos(client.send(1).units()[0].qos).subscription_id for _ in range(3)}
        assert len(ids) == 1
        client.send(2)
        assert [unit.content for unit in client.peer.updates()] == [b"Hi"]


class TestErase:
    def test_topic_that_has_only_subscribers_is_erased_and_they_are_told(self) -> None:
        listener = Listener()
        subscriber = connected(listener, "java-erase-notify/conn0")
        subscriber.send(1)
        eraser = connected(listener, "java-erase-notify/conn1")
        assert [read_status_qos(unit.qos).oid for unit in eraser.send(2).units()] == ["Hello"]
        (update,) = subscriber.peer.updates()
        assert b"<state id='ERASED'/>" in update.qos
        assert b"oid='Hello'" in update.key

    @pytest.mark.parametrize(("number", "oid"), [(1, b"'NotExisting'"), (8, b"'nope'"), (9, b"'nope'")])
    def test_empty_oid_is_nothing_to_get_unsubscribe_or_erase(self, number: int, oid: bytes) -> None:
        client = connected(Listener(), "java-exceptions/conn0")
        answer = client.send(number, oid, b"''")
        assert (answer.kind, answer.units()) == (Kind.RESPONSE, [])


def test_administrator_gets_a_dump() -> None:
    listener = Listener()
    Office({"admin.users": "que"}, listener.world)
    (unit,) = connected(listener, "java-queries/conn0").send(9, b"?uptime", b"?dump").units()
    assert unit.key == b"<key oid='__cmd:/node/heron/?dump'/>"
    assert b"<client id='que'" in unit.content


class TestRestart:
    def test_persistent_messages_wait_for_a_session_that_comes_back_though_it_is_transient(self) -> None:
        listener = Listener()
        subscriber = connected(listener, "java-reconnect/conn0")
        subscriber.send(1, b"<persistent/>")
        publisher = connected(listener, "java-reconnect/conn1")
        assert [publisher.send(number).kind for number in (1, 2, 3)] == [Kind.RESPONSE] * 3
        again = Listener(world=listener.world.crash())
        back = connected(again, "java-reconnect/conn0")
        assert sorted(unit.content for unit in back.peer.updates()) == [b"m1", b"m2", b"m3"]

    def test_topics_without_persistent_messages_are_found_again(self) -> None:
        listener = Listener()
        connected(listener, "java-basic/conn0").send(2)
        listener.world.advance(2)
        client = connected(Listener(world=listener.world.crash()), "java-basic/conn0")
        erased = client.send(13, method=b"erase", old=b"<history numEntries='3' newestFirst='true'/>")
        assert [read_status_qos(unit.qos).oid for unit in erased.units()] == ["Hello"]
