"""Conversations over the native protocol, rule by rule (spec xmlblaster §20.1, §24)."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.native.limits import NativeLimits
from broker.native.wire.frames import Kind, Unit, encode_frame, encode_units
from tests.native.peer import OK, Listener, Peer

KEY = b"<key oid='a'/>"
MESSAGE = Unit(b"<qos/>", KEY, b"content")
PERSISTENT = Unit(b"<qos><persistent/></qos>", KEY, b"content")
QUERY = Unit(b"<qos/>", KEY)


def subscriber(listener: Listener, name: str = "joe/1") -> Peer:
    peer = listener.client(name)
    peer.call("subscribe", QUERY)
    return peer


class TestLogin:
    def test_answer_has_the_secret_id_in_its_header_too(self) -> None:
        peer = Listener().peer()
        request = peer.request(
            "connect",
            connect_unit("joe"),
        )
        (frame,) = peer.frames()
        assert frame.request_id == request
        assert frame.session.startswith(b"sessionId:")
        assert frame.session in frame.units()[0].qos

    def test_answer_comes_before_the_first_update(self) -> None:
        listener = Listener()
        pub = listener.client("pub")
        pub.call("publish", Unit(b"<qos><destination forceQueuing='true'>joe</destination></qos>", KEY, b"waiting"))
        peer = listener.peer()
        peer.request("connect", connect_unit("joe"))
        listener.world.advance(1)
        assert [frame.method for frame in peer.frames()] == [b"connect", b"update"]

    def test_password_is_not_repeated(self) -> None:
        peer = Listener().peer()
        (unit,) = peer.call("connect", connect_unit("joe"))
        assert b"secret<" not in unit.qos
        assert b"<passwd></passwd>" in unit.qos

    def test_wrong_password_is_told_and_another_may_follow(self) -> None:
        peer = Listener().peer()
        with pytest.raises(BrokerError) as raised:
            peer.connect("joe", password="wrong")
        assert raised.value.code == Code.USER_ACCESS_DENIED
        assert peer.connect("joe").session.name.startswith("/node/heron/client/joe/")

    def test_connection_whose_logins_are_refused_is_closed_when_its_time_is_over(self) -> None:
        listener = Listener()
        peer = listener.peer()
        for _ in range(3):
            with pytest.raises(BrokerError):
                peer.connect("joe", password="wrong")
            listener.world.advance(listener.limits.login_timeout / 4)
        assert not peer.closed
        listener.world.advance(listener.limits.login_timeout / 4)
        assert peer.closed

    def test_second_login_on_one_connection_is_refused(self) -> None:
        peer = Listener().client("joe")
        with pytest.raises(BrokerError) as raised:
            peer.connect("joe")
        assert raised.value.code == Code.USER_CONNECT_MULTIPLE
        assert not peer.closed

    @pytest.mark.parametrize("method", ["get", "publish", "subscribe", "erase"])
    def test_nothing_else_is_served_before(self, method: str) -> None:
        with pytest.raises(BrokerError) as raised:
            Listener().peer().call(method, QUERY)
        assert raised.value.code == Code.USER_ACCESS_DENIED

    def test_secret_id_of_nobody_is_denied(self) -> None:
        with pytest.raises(BrokerError) as raised:
            Listener().client("joe").call("get", QUERY, session=b"sessionId:nonsense")
        assert raised.value.code == Code.USER_ACCESS_DENIED

    def test_new_connection_takes_the_session_and_the_old_one_is_closed(self) -> None:
        listener = Listener()
        old = subscriber(listener)
        new = listener.client("joe/1")
        assert old.closed
        new.call("publish", MESSAGE)
        assert [unit.content for unit in new.updates()] == [b"content"]


def connect_unit(user: str, name: str = "") -> Unit:
    session = f"<session name='{name}'/>" if name else ""
    return Unit(
        f"<qos><securityService type='htpasswd' version='1.0'><user>{user}</user><passwd>secret</passwd>"
        f"</securityService>{session}<queue relating='callback'><callback retries='-1'/></queue></qos>".encode()
    )


class TestPing:
    def test_needs_no_login(self) -> None:
        assert Listener().peer().call("ping") == [Unit(b"<qos><state id='OK'/></qos>")]

    def test_ten_bytes_are_one(self) -> None:
        peer = Listener().peer()
        peer.write(b"        10")
        (frame,) = peer.frames()
        assert (frame.kind, frame.method) == (Kind.RESPONSE, b"ping")
        assert frame.request_id

    def test_says_the_run_level_while_the_broker_is_not_ready(self) -> None:
        listener = Listener()
        listener.broker.accepting = False
        listener.service.run_level = lambda: "STANDBY"
        assert listener.peer().call("ping") == [Unit(b"<qos><state id='STANDBY'/></qos>")]

    def test_of_a_session_that_is_gone_is_an_error(self) -> None:
        with pytest.raises(BrokerError) as raised:
            Listener().peer().call("ping", session=b"sessionId:gone")
        assert raised.value.code == Code.COMMUNICATION_NO_CALLBACK_SERVER


class TestAnswers:
    def test_come_after_the_commit(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        listener.world.store.held = True
        request = peer.request("publish", PERSISTENT)
        assert peer.frames() == []
        listener.world.store.commit()
        assert len(peer.answer(request)) == 1

    def test_of_what_needs_no_disk_do_not_wait_for_one(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        listener.world.store.held = True
        peer.request("publish", PERSISTENT)
        request = peer.request("publish", Unit(b"<qos/>", b"<key oid='b'/>", b"transient"))
        assert len(peer.answer(request)) == 1

    def test_of_an_array_are_one_for_each_unit(self) -> None:
        answers = Listener().client("joe").call("publish", MESSAGE, MESSAGE, MESSAGE)
        assert len(answers) == 3
        assert all(b"<key oid='a'/>" in each.qos and b"rcvTimestamp" in each.qos for each in answers)

    def test_of_nothing_found_are_empty(self) -> None:
        peer = Listener().client("joe")
        for method in ("get", "erase", "unSubscribe"):
            assert peer.call(method, QUERY) == []

    def test_array_ends_at_its_first_error(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        with pytest.raises(BrokerError):
            peer.call("publish", MESSAGE, Unit(b"<qos><priority>", KEY), Unit(b"<qos/>", b"<key oid='b'/>"))
        assert list(listener.world.node.topics) == ["a"]

    def test_oneway_has_none_not_even_an_exception(self) -> None:
        peer = subscriber(Listener())
        peer.request("publishOneway", Unit(b"<qos><priority>", KEY), MESSAGE)
        assert [unit.content for unit in peer.updates()] == [b"content"]

    def test_exception_has_eleven_fields_and_no_stack_trace(self) -> None:
        peer = Listener().client("joe")
        peer.request("subscribe", Unit(b"<qos/>", b"<key/>"))
        (frame,) = peer.frames()
        (unit,) = frame.units()
        fields = unit.content.split(b"\0")
        assert frame.kind is Kind.EXCEPTION
        assert unit.qos == b"user.oid.unknown"
        assert len(fields) == 12
        assert (fields[0], fields[1], fields[7], fields[10]) == (b"user.oid.unknown", b"heron", b"", b"true")
        assert b"Traceback" not in unit.content

    def test_bug_in_the_broker_tells_nothing_about_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        listener = Listener()
        peer = listener.client("joe")

        async def broken(*_: object) -> None:
            raise ZeroDivisionError("secret path")

        monkeypatch.setattr(peer.stream._broker, "get", broken)
        with pytest.raises(BrokerError) as raised:
            peer.call("get", QUERY)
        assert raised.value.code == Code.INTERNAL_UNKNOWN
        assert "secret path" not in raised.value.message


class TestFullQueueThatBlocks:
    QOS = b"<qos><expiration lifeTime='0'/></qos>"

    def full(self) -> tuple[Listener, Peer, Peer]:
        """A subscriber that is away with room for one message, and a publisher that has filled it."""
        listener = Listener()
        callback = "<callback retries='-1'/>"
        peer = listener.peer()
        queue = f"<queue relating='callback' maxEntries='1' onOverflow='block'>{callback}</queue>"
        peer.connect("joe/1", queue)
        peer.call("subscribe", QUERY)
        pub = listener.client("pub")
        pub.call("publish", self.numbered(0))
        return listener, peer, pub

    def numbered(self, number: int) -> Unit:
        return Unit(self.QOS, KEY, str(number).encode())

    def test_publisher_waits_for_each_message_and_gets_its_answer_at_the_end(self) -> None:
        _, peer, pub = self.full()
        request = pub.request("publish", *[self.numbered(number) for number in (1, 2, 3)])
        assert pub.frames() == []
        assert [unit.content for unit in peer.updates()] == [b"0", b"1", b"2", b"3"]
        assert len(pub.answer(request)) == 3

    def test_requests_behind_it_wait_too(self) -> None:
        _, peer, pub = self.full()
        first = pub.request("publish", self.numbered(1), self.numbered(2))
        second = pub.request("publish", self.numbered(3))
        assert [unit.content for unit in peer.updates()] == [b"0", b"1", b"2", b"3"]
        assert [frame.request_id for frame in pub.frames()] == [first, second]

    def test_time_that_runs_out_is_an_error_of_that_message_only(self) -> None:
        listener, _, pub = self.full()
        request = pub.request("publish", self.numbered(1))
        listener.world.advance(listener.world.settings.block_timeout / 1000 + 1)
        with pytest.raises(BrokerError) as raised:
            pub.answer(request)
        assert raised.value.code == Code.RESOURCE_OVERFLOW_ENTRIES
        assert pub.call("publish", Unit(b"<qos/>", b"<key oid='b'/>"))

    def test_oneway_array_goes_on_behind_a_message_whose_time_ran_out(self) -> None:
        listener, _, pub = self.full()
        pub.request("publishOneway", self.numbered(1), Unit(b"<qos/>", b"<key oid='b'/>", b"other"))
        listener.world.advance(listener.world.settings.block_timeout / 1000 + 1)
        assert "b" in listener.world.node.topics


class TestOrder:
    def test_requests_of_one_connection_are_served_one_after_the_other(self) -> None:
        listener = Listener()
        listener.checking = []
        peer = listener.peer()
        peer.request("connect", connect_unit("joe"))
        ping = peer.request("ping")
        assert peer.frames() == []
        listener.checking.pop().callback(None)
        listener.world.turn()
        assert [frame.request_id for frame in peer.frames()][-1] == ping

    def test_too_many_that_wait_pause_the_connection(self) -> None:
        listener = Listener(NativeLimits(max_pending=10))
        listener.checking = []
        peer = listener.peer()
        peer.request("connect", connect_unit("joe"))
        for _ in range(10):
            peer.request("ping")
        assert peer.paused
        listener.checking.pop().callback(None)
        listener.world.turn()
        assert not peer.paused


class TestLostConnection:
    """What came over a connection is served in order before its end, also where the first has to wait."""

    COUNT = 50
    NUMBERS = tuple(b"%d" % number for number in range(COUNT))
    SHORT = b"<qos><topic><persistence/><queue relating='history' maxEntries='10' maxEntriesCache='1'/></topic></qos>"

    def waiting(self, name: str = "pub", retries: int = -1) -> tuple[Listener, Peer, Peer]:
        """A reader of the topic, and a client whose request waits for the disk."""
        listener = Listener()
        reader = subscriber(listener)
        client = listener.client(name, callback=f"<callback retries='{retries}'/>")
        old = b"<key oid='old'/>"
        client.call("publish", *[Unit(qos, old, b"old") for qos in (self.SHORT, PERSISTENT.qos, PERSISTENT.qos)])
        listener.world.store.held = True
        client.request("get", Unit(b"<qos><history numEntries='-1'/></qos>", old))
        assert client.frames() == []
        return listener, reader, client

    def invocations(self, client: Peer, method: str) -> bytes:
        return b"".join(
            encode_frame(
                Kind.INVOKE, number, method.encode(), client.secret, encode_units([Unit(b"<qos/>", KEY, number)])
            )
            for number in self.NUMBERS
        )

    def go_on(self, listener: Listener) -> None:
        listener.world.store.held = False
        listener.world.store.commit()
        listener.world.turn()

    @pytest.mark.parametrize("method", ["publish", "publishOneway"])
    @pytest.mark.parametrize("name", ["pub", "pub/1"])
    def test_requests_behind_one_that_waits_for_the_disk_are_served(self, name: str, method: str) -> None:
        listener, reader, client = self.waiting(name)
        client.write(self.invocations(client, method))
        client.hang_up()
        assert reader.updates() == []
        self.go_on(listener)
        assert [unit.content for unit in reader.updates()] == [*self.NUMBERS]

    def test_requests_behind_one_that_waits_for_room_are_served(self) -> None:
        _, reader, client = TestFullQueueThatBlocks().full()
        client.write(self.invocations(client, "publish"))
        client.hang_up()
        assert [unit.content for unit in reader.updates()] == [b"0", *self.NUMBERS]

    def test_requests_of_a_client_that_reads_no_answers_are_served(self) -> None:
        listener = Listener()
        reader, client = subscriber(listener), listener.client("pub")
        client.protocol.pauseProducing()
        client.write(self.invocations(client, "publish"))
        assert reader.updates() == []
        client.hang_up()
        assert [unit.content for unit in reader.updates()] == [*self.NUMBERS]

    def test_requests_before_a_broken_frame_are_served(self) -> None:
        listener, reader, client = self.waiting()
        client.write(self.invocations(client, "publish") + b"nonsense!!")
        assert not client.transport.aborting
        self.go_on(listener)
        assert [unit.content for unit in reader.updates()] == [*self.NUMBERS]
        assert client.transport.aborting

    def test_requests_that_came_before_another_login_took_the_session_are_served(self) -> None:
        listener, reader, client = self.waiting("pub/1")
        client.write(self.invocations(client, "publish"))
        new = listener.peer()
        new.request("connect", connect_unit("pub", "pub/1"))
        listener.world.turn()
        assert client.closed
        client.hang_up()
        self.go_on(listener)
        assert [unit.content for unit in reader.updates()] == [*self.NUMBERS]
        assert new.stream.session is not None

    def test_acknowledgements_of_a_client_that_reads_no_answers_are_taken(self) -> None:
        listener = Listener()
        reader = subscriber(listener)
        listener.client("pub").call("publish", MESSAGE)
        (update,) = [frame for frame in reader.frames() if frame.method == b"update"]
        session = reader.stream.session
        assert session is not None
        reader.protocol.pauseProducing()
        reader.write(encode_frame(Kind.RESPONSE, update.request_id, b"update", reader.secret, OK))
        assert len(session.queue) == 0

    def test_session_ends_when_all_are_served(self) -> None:
        listener, _, client = self.waiting(retries=0)
        client.write(self.invocations(client, "publish"))
        client.hang_up()
        assert "pub" in listener.world.node.subjects
        self.go_on(listener)
        assert "pub" not in listener.world.node.subjects

    def test_what_only_asks_is_not_served_where_nobody_reads_the_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        listener, reader, client = self.waiting()
        asked: list[object] = []

        async def get(session: object, key: object, qos: object) -> list[object]:
            asked.append(key)  # such a request may take messages from a queue, which would be lost
            return []

        monkeypatch.setattr(listener.broker, "get", get)
        client.request("get", QUERY)
        client.write(self.invocations(client, "publish"))
        client.hang_up()
        self.go_on(listener)
        assert asked == []
        assert len(reader.updates()) == self.COUNT

    def test_nothing_is_served_of_a_client_that_never_logged_in(self) -> None:
        listener = Listener()
        listener.checking = []
        client = listener.peer()
        client.request("connect", connect_unit("joe"))
        client.write(encode_frame(Kind.INVOKE, b"1", b"publish", b"", encode_units([MESSAGE])))
        client.hang_up()
        listener.checking.pop().callback(None)
        listener.world.turn()
        assert listener.is_clean
        assert "a" not in listener.world.node.topics


class TestMethods:
    def test_unknown_one_is_an_error_and_nothing_more(self) -> None:
        peer = Listener().client("joe")
        with pytest.raises(BrokerError) as raised:
            peer.call("publishArr", MESSAGE)
        assert raised.value.code == Code.INTERNAL_NOT_IMPLEMENTED
        assert peer.call("ping", Unit(b"<qos/>"))

    @pytest.mark.parametrize(("method", "count"), [("subscribe", 0), ("subscribe", 2), ("get", 2), ("connect", 2)])
    def test_wrong_number_of_units_is_an_error(self, method: str, count: int) -> None:
        with pytest.raises(BrokerError) as raised:
            Listener().client("joe").call(method, *[QUERY] * count)
        assert raised.value.code == Code.INTERNAL_ILLEGAL_ARGUMENT

    def test_upper_case_is_understood(self) -> None:
        assert Listener().client("joe").call("PUBLISH", MESSAGE)

    def test_disconnect_is_answered_and_then_the_connection_closed(self) -> None:
        listener = Listener()
        peer = listener.client("joe")
        assert peer.call("disconnect", Unit(b"<qos/>")) == [Unit(b"<qos><state id='OK'/></qos>")]
        assert peer.closed
        peer.hang_up()
        assert listener.is_clean

    def test_disconnect_is_answered_when_the_end_of_the_session_is_on_disk(self) -> None:
        listener = Listener()
        peer = listener.client("joe/1", "<persistent/>")
        listener.world.store.held = True
        request = peer.request("disconnect", Unit(b"<qos/>"))
        listener.world.advance(60)
        assert (peer.frames(), peer.closed) == ([], False)
        listener.world.store.commit()
        assert peer.answer(request)
        assert peer.closed
        assert not listener.world.store.tables.sessions

    def test_disconnect_without_a_session_is_an_error(self) -> None:
        with pytest.raises(BrokerError) as raised:
            Listener().peer().call("disconnect", Unit(b"<qos/>"))
        assert raised.value.code == Code.USER_NOT_CONNECTED


class TestUpdates:
    def test_go_over_the_clients_own_connection_with_its_callback_session_id(self) -> None:
        listener = Listener()
        peer = listener.client("joe/1", callback="<callback sessionId='mine' retries='-1'/>")
        peer.call("subscribe", QUERY)
        peer.call("publish", MESSAGE)
        frame = next(frame for frame in peer.frames() if frame.method == b"update")
        assert frame.session == b"mine"
        assert frame.request_id.startswith(b"client/joe/1:update:")

    def test_next_one_waits_for_the_answer(self) -> None:
        listener = Listener()
        peer = subscriber(listener)
        listener.client("pub").call("publish", MESSAGE, MESSAGE)
        frames = [frame for frame in peer.frames() if frame.method == b"update"]
        assert len(frames) == 1
        peer.write(encode_frame(Kind.RESPONSE, frames[0].request_id, b"update", b"", OK))
        assert len([frame for frame in peer.frames() if frame.method == b"update"]) == 1

    def test_answer_that_nobody_waits_for_is_ignored(self) -> None:
        peer = Listener().client("joe")
        peer.write(encode_frame(Kind.RESPONSE, b"never", b"update", b"", OK))
        assert peer.call("ping")

    def test_exception_of_the_client_makes_a_dead_message(self) -> None:
        listener = Listener()
        watcher = listener.client("watcher")
        watcher.call("subscribe", Unit(b"<qos/>", b"<key oid='__sys__deadMessage'/>"))
        peer = subscriber(listener)
        listener.client("pub").call("publish", MESSAGE)
        (frame,) = peer.frames()
        refusal = encode_units([Unit(b"user.update.error", b"no")])
        peer.write(encode_frame(Kind.EXCEPTION, frame.request_id, b"update", b"", refusal))
        assert [unit.content for unit in watcher.updates()] == [b"content"]

    def test_position_and_queue_are_told(self) -> None:
        listener = Listener()
        peer = listener.client("joe/1", callback="<callback retries='-1'><burstMode maxEntries='2'/></callback>")
        listener.world.node.subjects["joe"].sessions[1].dispatch.active = False
        peer.call("subscribe", QUERY)
        listener.client("pub").call("publish", *[MESSAGE] * 3)
        listener.world.node.subjects["joe"].sessions[1].dispatch.active = True
        listener.world.turn()
        first, second = peer.updates(answer=False)
        assert b"<queue index='0' size='3'/>" in first.qos
        assert b"<queue index='1' size='2'/>" in second.qos

    def test_content_and_meta_data_are_left_out_where_declined(self) -> None:
        peer = Listener().client("joe/1")
        peer.call("subscribe", Unit(b"<qos><content>false</content><meta>false</meta></qos>", KEY))
        peer.call("publish", Unit(b"<qos/>", b"<key oid='a'><x/></key>", b"content"))
        (unit,) = peer.updates()
        assert (unit.content, unit.key) == (b"", KEY)


class TestCompression:
    def test_both_directions_are_one_stream_each(self) -> None:
        listener = Listener(compress=True)
        peer = subscriber(listener)
        peer.call("publish", MESSAGE)
        assert [unit.content for unit in peer.updates()] == [b"content"]

    def test_broken_stream_closes_the_connection(self) -> None:
        listener = Listener(compress=True)
        peer = listener.peer()
        peer.protocol.dataReceived(b"this is no zlib stream")
        assert peer.closed


class TestRawContents:
    def test_oid_of_raw_stanzas_is_reserved(self) -> None:
        peer = Listener().client("joe")

        with pytest.raises(BrokerError) as refused:
            peer.call("publish", Unit(b"<qos/>", b"<key oid='__xmpp'/>", b"</stream:stream>"))

        assert refused.value.code == Code.USER_ILLEGAL_ARGUMENT
