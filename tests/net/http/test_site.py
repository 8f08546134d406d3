"""A site, request by request."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from broker.errors import BrokerError, Code
from broker.net.http.exchange import Answer, Call
from broker.net.http.limits import HttpLimits
from broker.net.http.routes import Route
from tests.net.http.conversation import Conversation, fails_with, request

SMALL = HttpLimits(max_body=100, max_bodies=150, max_connections=5, max_of_address=2)
LOOPBACK = "127.0.0.1"


def test_request_is_served_by_its_route() -> None:
    answer = Conversation().ask("/seen/a%2Fb")

    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"a/b", "text/plain")


def test_every_answer_has_an_id_is_not_stored_and_is_what_it_says() -> None:
    conversation = Conversation()

    for target in ("/seen/a", "/nowhere", "nonsense"):
        headers = conversation.ask(target).headers
        assert headers["x-request-id"].startswith("r-")
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "date" in headers
        assert not [name for name in headers if name.startswith("access-control-")]


def test_no_two_requests_have_the_same_id() -> None:
    conversation = Conversation()
    assert len({conversation.ask("/seen/a").headers["x-request-id"] for _ in range(5)}) == 5


def test_handler_is_told_query_headers_body_and_peer() -> None:
    conversation = Conversation()

    conversation.ask("/seen/a?x=1", "POST", b"body", X_Kind="test")

    (call,) = conversation.calls
    assert (call.method, dict(call.query), call.body) == ("POST", {"x": "1"}, b"body")
    assert call.headers["x-kind"] == "test"
    assert call.peer.host == "192.0.2.7"


def test_form_is_a_body_as_any_other() -> None:
    conversation = Conversation()

    conversation.ask("/seen/a", "POST", b"x=1&y=2", Content_Type="application/x-www-form-urlencoded")

    assert conversation.calls[0].body == b"x=1&y=2"


def test_head_is_answered_with_the_length_and_no_body() -> None:
    answer = Conversation().ask("/seen/abc", "HEAD")

    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "3")


def test_requests_of_one_connection_are_answered_in_order() -> None:
    connection = Conversation().connected()

    connection.send(request("/seen/a") + request("/seen/b", "POST", b"!") + request("/seen/c"))

    assert [each.body for each in connection.answers()] == [b"a", b"b!", b"c"]
    assert not connection.is_closed()


def test_request_may_come_byte_by_byte() -> None:
    connection = Conversation().connected()

    connection.send(request("/seen/a", "POST", b"body"), piece=1)

    assert [each.body for each in connection.answers()] == [b"abody"]


@pytest.mark.parametrize("target", ["/nowhere", "/seen/", "//seen/a", "/seen/a/", "/seen/./a", "/x/../seen/a"])
def test_what_no_route_has_is_not_found(target: str) -> None:
    conversation = Conversation()

    answer = conversation.ask(target)

    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json["requestId"] == answer.headers["x-request-id"]
    assert conversation.calls == []


def test_other_method_is_told_which_there_are() -> None:
    answer = Conversation().ask("/seen/a", "DELETE")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("target", ["/seen/a", "/nowhere", "nonsense"])
def test_other_host_is_misdirected_on_every_path(target: str) -> None:
    conversation = Conversation()

    assert conversation.ask(target, Host="evil.example").status == 421
    assert conversation.calls == []


def test_configured_host_is_served() -> None:
    assert Conversation(hosts=["Broker.example.org"]).ask("/seen/a", Host="broker.example.org:7609").status == 200


def test_request_without_host_is_refused() -> None:
    assert Conversation().ask("/seen/a", Host="").status == 400


def test_gate_keeps_a_request_from_its_route() -> None:
    conversation = Conversation()
    conversation.forbidden.add("all")

    answer = conversation.ask("/seen/a")

    assert (answer.status, answer.json["code"]) == (403, "user.security.authorization.notAuthorized")
    assert conversation.calls == []


def test_error_of_a_handler_is_told_as_a_problem() -> None:
    failing = Route("GET", "/full", "all", fails_with(BrokerError(Code.RESOURCE_EXHAUST, "it is full")))

    answer = Conversation([failing]).ask("/full")

    assert (answer.status, answer.json["detail"], answer.headers["retry-after"]) == (503, "it is full", "5")


def test_fault_is_in_the_log_and_not_in_the_answer() -> None:
    failing = Route("GET", "/bug", "all", fails_with(ZeroDivisionError("secret")))

    with capturedLogs() as events:
        answer = Conversation([failing]).ask("/bug")

    assert (answer.status, b"secret" in answer.body) == (500, False)
    assert "ZeroDivisionError" in "".join(str(event.get("log_failure")) for event in events)


def test_each_answer_is_told_to_the_observer() -> None:
    conversation = Conversation()
    conversation.ask("/seen/a")
    conversation.ask("/nowhere")
    assert conversation.answered == [200, 404]


def test_handler_is_cancelled_when_its_peer_goes() -> None:
    ended: list[str] = []
    forever: Deferred[Answer] = Deferred()

    async def wait(call: Call) -> Answer:
        try:
            await forever
        except CancelledError:
            ended.append("cancelled")
            raise
        return Answer(b"")

    connection = Conversation([Route("GET", "/wait", "all", wait)]).connected()
    connection.send(request("/wait"))
    connection.lose()

    assert ended == ["cancelled"]


def test_body_that_is_announced_as_too_long_is_refused_before_it_comes() -> None:
    conversation = Conversation(limits=SMALL)
    connection = conversation.connected()

    connection.send(request("/seen/a", "POST", Content_Length="101", Expect="100-continue"))

    (answer,) = connection.answers()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert not connection.is_closed()  # a peer that still sends would not see the answer

    connection.send(b"x" * 101)

    assert connection.is_closed()
    assert len(connection.answers()) == 1
    assert conversation.calls == []


def test_chunked_body_is_refused_when_it_gets_too_long() -> None:
    conversation = Conversation(limits=SMALL)
    connection = conversation.connected()

    connection.send(request("/seen/a", "POST", Transfer_Encoding="chunked") + b"40\r\n" + b"x" * 64 + b"\r\n")
    assert connection.answers() == []
    connection.send((b"40\r\n" + b"x" * 64 + b"\r\n") * 3)
    assert [each.status for each in connection.answers()] == [413]
    connection.send(b"0\r\n\r\n")

    assert connection.is_closed()
    assert conversation.calls == []


def test_longest_body_is_served() -> None:
    conversation = Conversation(limits=SMALL)
    conversation.ask("/seen/a", "POST", b"x" * 100)
    assert conversation.calls[0].body == b"x" * 100


def test_bodies_that_are_on_their_way_have_a_limit_together() -> None:
    conversation = Conversation(limits=SMALL)
    first, second = conversation.connected(), conversation.connected()

    first.send(request("/seen/a", "POST", Content_Length="100") + b"x" * 99)
    second.send(request("/seen/b", "POST", Content_Length="100") + b"x" * 99)

    assert [each.status for each in second.answers()] == [503]
    first.send(b"x")
    assert [each.status for each in first.answers()] == [200]


def test_what_a_lost_connection_has_sent_counts_no_more() -> None:
    conversation = Conversation(limits=SMALL)
    connection = conversation.connected()
    connection.send(request("/seen/a", "POST", Content_Length="100") + b"x" * 99)

    connection.lose()

    assert conversation.site.bodies == 0


def test_header_with_too_many_fields_is_refused() -> None:
    conversation = Conversation()
    connection = conversation.connected()

    fields = "".join(f"X-{number}: 1\r\n" for number in range(10_000))
    connection.send(request("/seen/a")[:-2] + fields.encode() + b"\r\n", piece=1000)

    assert connection.is_closed()
    assert connection.transport.value().startswith(b"HTTP/1.1 400 ")
    assert conversation.calls == []


@pytest.mark.parametrize("start", [b"GET /seen/a HTTP/1.1\r\nX: ", b"GET /seen/", b""])
def test_header_without_end_is_not_kept(start: bytes) -> None:
    connection = Conversation().connected()

    connection.send(start + b"x" * 100_000, piece=1000)

    assert connection.is_closed()


@pytest.mark.parametrize(
    "start",
    [
        request("/seen/a")[:-2],
        request("/seen/a", "POST", Content_Length="90"),
        request("/seen/a", "POST", Content_Length="9999999"),
    ],
    ids=["header", "body", "refused body"],
)
def test_request_that_trickles_is_given_up_when_its_time_is_over(start: bytes) -> None:
    connection = Conversation().connected()
    connection.send(start)

    for _ in range(29):
        connection.advance(1)
        connection.send(b"x")
    assert not connection.is_closed()
    connection.advance(1)

    assert connection.is_closed()


def test_time_of_a_request_begins_anew_with_each() -> None:
    connection = Conversation().connected()

    for _ in range(10):
        connection.send(request("/seen/a"))
        connection.advance(20)

    assert len(connection.answers()) == 10
    assert not connection.is_closed()


def test_idle_connection_is_closed() -> None:
    connection = Conversation().connected()
    connection.send(request("/seen/a"))

    connection.advance(59)
    assert not connection.is_closed()
    connection.advance(1)

    assert connection.is_closed()


def test_request_that_takes_long_to_serve_is_not_idle() -> None:
    waiting: list[Deferred[Answer]] = []

    async def wait(call: Call) -> Answer:
        waiting.append(Deferred())
        return await waiting[0]

    connection = Conversation([Route("GET", "/wait", "all", wait)]).connected()
    connection.send(request("/wait"))
    connection.advance(600)
    waiting[0].callback(Answer(b"late"))

    assert [each.body for each in connection.answers()] == [b"late"]


def test_one_address_has_a_number_of_connections() -> None:
    conversation = Conversation(limits=SMALL)
    first = [conversation.connected() for _ in range(2)]

    assert conversation.connect() is None
    assert conversation.connect("192.0.2.8") is not None
    first[0].lose()
    assert conversation.connect() is not None


def test_all_together_have_a_number_of_connections_on_this_machine_too() -> None:
    conversation = Conversation(limits=SMALL)
    for _ in range(5):
        conversation.connected(LOOPBACK)
    assert conversation.connect(LOOPBACK) is None


def test_site_that_closes_answers_what_it_is_serving() -> None:
    waiting: list[Deferred[Answer]] = []

    async def wait(call: Call) -> Answer:
        waiting.append(Deferred())
        return await waiting[0]

    conversation = Conversation([Route("GET", "/wait", "all", wait)])
    idle, busy = conversation.connected(), conversation.connected()
    busy.send(request("/wait"))

    gone = conversation.site.close_all()
    for each in (idle, busy):
        each.send(b"")
    assert (idle.is_closed(), busy.is_closed(), gone.called) == (True, False, False)
    waiting[0].callback(Answer(b"{}"))
    busy.send(b"")

    assert (busy.is_closed(), gone.called) == (True, True)
    assert [each.status for each in busy.answers()] == [HTTPStatus.OK]
    assert not conversation.clock.getDelayedCalls()


def test_site_that_closes_does_not_wait_for_ever() -> None:
    async def wait(call: Call) -> Answer:
        await Deferred()
        raise AssertionError

    conversation = Conversation([Route("GET", "/wait", "all", wait)])
    connection = conversation.connected()
    connection.send(request("/wait"))
    gone = conversation.site.close_all()
    connection.advance(1)
    assert (connection.is_closed(), gone.called) == (True, True)


def long_bodies(folder: Path | None, right: str = "all") -> Conversation:
    """A site with a route that takes longer bodies than the others."""

    async def see(call: Call) -> Answer:
        conversation.calls.append(call)
        return Answer(b"")

    conversation = Conversation([Route("POST", "/long", right, see, max_body=1000)], SMALL, folder=folder)
    conversation.forbidden.add("nobody")
    return conversation


@pytest.mark.parametrize("chunked", [False, True])
def test_route_may_take_longer_bodies_which_are_kept_in_a_file_while_they_come(tmp_path: Path, chunked: bool) -> None:
    conversation = long_bodies(tmp_path)
    connection = conversation.connected()
    content = bytes(range(250)) * 4
    if chunked:
        connection.send(request("/long", "POST", Transfer_Encoding="chunked"))
        for start in range(0, 1000, 100):
            connection.send(b"64\r\n" + content[start : start + 100] + b"\r\n")
        assert conversation.site.bodies == 0
        connection.send(b"0\r\n\r\n")
    else:
        connection.send(request("/long", "POST", content))
    assert conversation.calls[0].body == content
    assert conversation.site.bodies == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("right", "has_folder", "size"), [("all", True, 1001), ("nobody", True, 500), ("all", False, 500)]
)
def test_longer_body_is_refused_where_it_is_too_long_or_nobody_may_send_it(
    tmp_path: Path, right: str, has_folder: bool, size: int
) -> None:
    conversation = long_bodies(tmp_path if has_folder else None, right)
    connection = conversation.connected()
    connection.send(request("/long", "POST", Content_Length=str(size)))
    assert [each.status for each in connection.answers()] == [413]
    assert conversation.calls == []


def test_peer_that_goes_amid_a_long_body_leaves_nothing_behind(tmp_path: Path) -> None:
    conversation = long_bodies(tmp_path)
    connection = conversation.connected()
    connection.send(request("/long", "POST", Content_Length="1000") + b"x" * 500)
    connection.lose()
    assert (conversation.site.bodies, conversation.calls, list(tmp_path.iterdir())) == (0, [], [])
