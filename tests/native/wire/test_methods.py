from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.native.wire.frames import Frame, FrameReader, Kind, encode_unit
from broker.native.wire.methods import (
    CLIENT_METHODS,
    MAX_TEXT,
    SERVER_METHODS,
    RequestIds,
    Requests,
    check_units,
    decode_exception,
    encode_exception,
    find_method,
)
from tests.data import CAPTURES

NODE, VERSION, TIMESTAMP = "heron", "1.0", "2026-11-20 23:31:11.969"
DENIED = BrokerError(Code.USER_NOT_AUTHORIZED, "joe may not publish Hello", "/topic/Hello")


def read(data: bytes) -> Frame:
    [frame] = FrameReader(1024 * 1024).feed(data)
    return frame


def exception(error: BrokerError = DENIED, *, server_side: bool = True) -> Frame:
    data = encode_exception(b"r1", b"publish", b"s1", error, NODE, VERSION, TIMESTAMP, server_side=server_side)
    return read(data)


def exception_of(body: bytes) -> Frame:
    return Frame(Kind.EXCEPTION, b"r1", b"update", b"", body)


class TestMethods:
    @pytest.mark.parametrize(
        "name",
        [
            b"connect",
            b"disconnect",
            b"publish",
            b"publishOneway",
            b"subscribe",
            b"unSubscribe",
            b"get",
            b"erase",
            b"ping",
        ],
    )
    def test_a_client_may_call_at_the_server(self, name: bytes) -> None:
        assert find_method(SERVER_METHODS, name).name == name

    @pytest.mark.parametrize("name", [b"update", b"updateOneway", b"ping"])
    def test_the_server_may_call_at_a_client(self, name: bytes) -> None:
        assert find_method(CLIENT_METHODS, name).name == name

    @pytest.mark.parametrize(
        "name", [b"", b"foo", b"publishArr", b"unsubscribe", b"UNSUBSCRIBE", b"exception", b"dummy", b"update", b"\xff"]
    )
    def test_the_server_has_no_other_method(self, name: bytes) -> None:
        with pytest.raises(BrokerError) as caught:
            find_method(SERVER_METHODS, name)

        assert caught.value.code == Code.INTERNAL_NOT_IMPLEMENTED

    def test_a_client_has_no_method_of_the_server(self) -> None:
        with pytest.raises(BrokerError):
            find_method(CLIENT_METHODS, b"publish")

    @pytest.mark.parametrize("name", [b"PUBLISH", b"Publish", b"CONNECT", b"Ping"])
    def test_a_name_in_other_case_means_the_name_in_lower_case(self, name: bytes) -> None:
        assert find_method(SERVER_METHODS, name).name == name.lower()

    def test_an_unknown_name_is_told_only_in_part(self) -> None:
        with pytest.raises(BrokerError) as caught:
            find_method(SERVER_METHODS, b"x" * 5000)

        assert len(caught.value.message) < 100

    def test_only_oneway_methods_have_no_answer(self) -> None:
        silent = {method.name for method in [*SERVER_METHODS.values(), *CLIENT_METHODS.values()] if not method.answered}

        assert silent == {b"publishOneway", b"updateOneway"}


class TestUnits:
    @pytest.mark.parametrize(
        ("name", "counts"),
        [
            (b"connect", {0, 1}),
            (b"disconnect", {0, 1}),
            (b"publish", {1, 2, 3}),
            (b"publishOneway", {1, 2, 3}),
            (b"subscribe", {1}),
            (b"unSubscribe", {1}),
            (b"get", {1}),
            (b"erase", {1}),
            (b"update", {1, 2, 3}),
            (b"updateOneway", {1, 2, 3}),
            (b"ping", {0, 1}),
        ],
    )
    def test_a_request_has_as_many_as_its_method_takes(self, name: bytes, counts: set[int]) -> None:
        method = {**SERVER_METHODS, **CLIENT_METHODS}[name]

        for count in range(4):
            if count in counts:
                check_units(method, count)
            else:
                with pytest.raises(BrokerError) as caught:
                    check_units(method, count)
                assert caught.value.code == Code.INTERNAL_ILLEGAL_ARGUMENT
                assert f"there are {count}" in caught.value.message


class TestRequestIds:
    def test_they_name_the_peer_and_the_method(self) -> None:
        assert RequestIds("client/joe/1").next(b"update") == b"client/joe/1:update:1"

    def test_each_is_new(self) -> None:
        ids = RequestIds("client/joe/1")

        assert len({ids.next(method) for method in (b"update", b"ping", b"update", b"ping")}) == 4

    def test_a_peer_gets_its_name_with_its_login(self) -> None:
        ids = RequestIds()
        before = ids.next(b"ping")

        ids.name = "client/joe/1"

        assert (before, ids.next(b"ping")) == (b"ping:1", b"client/joe/1:ping:2")

    def test_a_request_is_answered_with_its_own_id(self) -> None:
        request = Frame(Kind.INVOKE, b"joe:get:17", b"get", b"", b"")

        assert RequestIds().for_answer(request) == b"joe:get:17"

    def test_a_request_without_id_is_answered_with_a_new_one(self) -> None:
        assert RequestIds().for_answer(read(b"        10")) == b"ping:1"


class TestRequests:
    def test_an_answer_takes_its_request(self) -> None:
        requests: Requests[str] = Requests(limit=10)
        requests.add(b"1", "first")
        requests.add(b"2", "second")

        assert requests.take(b"2") == "second"
        assert len(requests) == 1

    def test_an_answer_without_request_takes_nothing(self) -> None:
        requests: Requests[str] = Requests(limit=10)
        requests.add(b"1", "first")
        requests.take(b"1")

        assert requests.take(b"1") is None
        assert requests.take(b"never asked") is None

    def test_no_more_than_the_limit_may_wait(self) -> None:
        requests: Requests[str] = Requests(limit=1)
        requests.add(b"1", "first")

        with pytest.raises(BrokerError) as caught:
            requests.add(b"2", "second")

        assert caught.value.code == Code.RESOURCE_EXHAUST
        requests.take(b"1")
        requests.add(b"2", "second")

    def test_an_id_that_waits_is_refused(self) -> None:
        requests: Requests[str] = Requests(limit=10)
        requests.add(b"1", "first")

        with pytest.raises(ValueError, match="waits already"):
            requests.add(b"1", "again")

    def test_all_come_back_in_order_when_the_connection_is_lost(self) -> None:
        requests: Requests[str] = Requests(limit=10)
        for number in (b"3", b"1", b"2"):
            requests.add(number, number.decode())

        assert requests.clear() == ["3", "1", "2"]
        assert len(requests) == 0


class TestWritingAnException:
    def test_it_answers_the_request(self) -> None:
        frame = exception()

        assert (frame.kind, frame.request_id, frame.method, frame.session) == (
            Kind.EXCEPTION,
            b"r1",
            b"publish",
            b"s1",
        )

    def test_its_unit_has_the_code_a_text_and_eleven_terminated_strings(self) -> None:
        [(qos, key, content)] = exception().units()

        assert qos == b"user.security.authorization.notAuthorized"
        assert key == (
            b"XmlBlasterException errorCode=[user.security.authorization.notAuthorized] serverSideException=true "
            b"location=[/topic/Hello] message=[joe may not publish Hello : ]"
        )
        assert content.split(b"\0") == [
            b"user.security.authorization.notAuthorized",
            b"heron",
            b"/topic/Hello",
            b"en",
            b"joe may not publish Hello",
            b"1.0",
            b"2026-11-20 23:31:11.969",
            b"",
            b"",
            b"<transaction/>",
            b"true",
            b"",
        ]

    def test_it_never_has_a_stack_trace(self) -> None:
        try:
            raise DENIED from RuntimeError("secret of the inside")
        except BrokerError as error:
            body = exception(error).body

        assert b"secret" not in body
        assert b"Traceback" not in body

    def test_a_client_says_that_it_is_not_the_server(self) -> None:
        [(_, key, content)] = exception(server_side=False).units()

        assert b"serverSideException=false" in key
        assert content.endswith(b"\0false\0")

    @pytest.mark.parametrize("message", ["a\0b", "\ud800", "Grüße", ""])
    def test_any_text_can_be_told(self, message: str) -> None:
        [(_, key, content)] = exception(BrokerError("user.x\0y", message, "here\0")).units()

        assert b"\0" not in key
        assert content.count(b"\0") == 11


class TestReadingAnException:
    @given(st.sampled_from(Code), st.text(max_size=50), st.text(max_size=50))
    def test_it_is_read_as_it_was_written(self, code: Code, message: str, location: str) -> None:
        error = decode_exception(exception(BrokerError(code, f"m{message}", location)))

        assert error.code is code
        assert error.message == f"m{message}".replace("\0", "\ufffd")
        assert error.location == location.replace("\0", "\ufffd")

    def test_without_content_qos_and_key_count(self) -> None:
        error = decode_exception(exception_of(encode_unit(b"user.update.error", b"I am busy")))

        assert (error.code, error.message, error.location) == (Code.USER_UPDATE_ERROR, "I am busy", "")

    def test_a_qos_alone_is_enough(self) -> None:
        error = decode_exception(exception_of(b"user.update.error"))

        assert (error.code, error.message) == (Code.USER_UPDATE_ERROR, "")

    def test_a_shorter_content_is_enough(self) -> None:
        error = decode_exception(exception_of(encode_unit(b"qos", b"key", b"user.update.error\0heron\0here")))

        assert (error.code, error.message, error.location) == (Code.USER_UPDATE_ERROR, "key", "here")

    @pytest.mark.parametrize("body", [b"", encode_unit(b""), encode_unit(b" ")])
    def test_without_code_it_is_unknown(self, body: bytes) -> None:
        assert decode_exception(exception_of(body)).code is Code.INTERNAL_UNKNOWN

    def test_a_foreign_code_is_kept(self) -> None:
        assert decode_exception(exception_of(encode_unit(b"user.my.own"))).code == "user.my.own"

    def test_long_texts_are_cut(self) -> None:
        error = decode_exception(
            exception_of(encode_unit(b"c" * 9000, b"", b"\0\0" + b"l" * 9000 + b"\0\0" + b"m" * 9000))
        )

        assert len(error.code) < MAX_TEXT
        assert len(error.message) == len(error.location) == MAX_TEXT

    @given(st.binary(max_size=100))
    def test_any_content_is_an_error_to_tell(self, content: bytes) -> None:
        assert str(decode_exception(exception_of(encode_unit(b"q", b"k", content))))

    @pytest.mark.parametrize(
        ("path", "code", "location", "message"),
        [
            (
                "java-update-exception/conn0/c2s.bin",
                Code.USER_UPDATE_ERROR,
                "CapDemo",
                "#2.2.1 test throw from update",
            ),
            (
                "java-exceptions/conn0/s2c.bin",
                Code.USER_ILLEGAL_ARGUMENT,
                "CoreHandler",
                "#2.2.1 Invoke for property 'unknownXY' on class=interface org.xmlBlaster.engine.admin.I_AdminNode on "
                "object=class org.xmlBlaster.engine.RequestBroker failed: No such method found",
            ),
        ],
    )
    def test_a_recorded_one(self, path: str, code: Code, location: str, message: str) -> None:
        frames = FrameReader(1024 * 1024).feed((CAPTURES / path).read_bytes())

        error = decode_exception(next(frame for frame in frames if frame.kind is Kind.EXCEPTION))

        assert (error.code, error.location, error.message) == (code, location, message)
