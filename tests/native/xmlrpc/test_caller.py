"""Calls to servers of clients: whatever they answer, or do not, is an answer or one error."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed

from broker.errors import BrokerError, Code
from broker.native.wire.xmlrpc import Fault, read_call, write_fault, write_response
from broker.native.xmlrpc.caller import ANSWER_TIMEOUT, MAX_ANSWER, Caller

URL = "http://192.0.2.7:8081/"


class Response:
    """What a server answers.

    Args:
        code: its status.
        body: of it.
        reason: why it ends.
    """

    def __init__(self, body: bytes = b"", code: int = 200, reason: type[Exception] = ResponseDone) -> None:
        self.code = code
        self.transport = StringTransport()
        self._body = body
        self._reason = reason

    def deliverBody(self, protocol: Any) -> None:
        """Give all of it."""
        protocol.makeConnection(self.transport)
        for start in range(0, len(self._body), 1 << 16):
            protocol.dataReceived(self._body[start : start + (1 << 16)])
        protocol.connectionLost(Failure(self._reason([]) if self._reason is ResponseFailed else self._reason()))


class Agent:
    """Sends requests, to nobody."""

    def __init__(self, answer: Deferred[Any]) -> None:
        self._answer = answer
        self.sent = StringTransport()

    def request(self, method: bytes, uri: bytes, headers: Any, body: Any) -> Deferred[Any]:
        """Take one."""
        assert (method, uri) == (b"POST", URL.encode())
        body.startProducing(self.sent)
        return self._answer


def call(answer: Deferred[Any]) -> tuple[Clock, Agent, list[Any]]:
    clock, agent = Clock(), Agent(answer)
    outcome: list[Any] = []
    Deferred.fromCoroutine(Caller(clock, agent).call(URL, "$default.update", "mine", b"content")).addBoth(
        outcome.append
    )
    return clock, agent, outcome


def test_a_call_is_what_the_server_reads() -> None:
    clock, agent, _ = call(Deferred())
    clock.advance(0)
    found = read_call(agent.sent.value(), 1 << 20)
    assert (found.method, found.params) == ("$default.update", ("mine", b"content"))


def test_its_answer_is_read() -> None:
    assert call(succeed(Response(write_response("<qos/>"))))[2] == ["<qos/>"]


def test_a_fault_is_an_answer() -> None:
    assert call(succeed(Response(write_fault(1, "errorCode=user.a message=b"))))[2] == [
        Fault("errorCode=user.a message=b")
    ]


@pytest.mark.parametrize(
    "answer",
    [
        fail(ConnectionRefusedError()),
        succeed(Response(code=302)),
        succeed(Response(code=500)),
        succeed(Response(b"no XML")),
        succeed(Response(b"<methodCall><methodName>m</methodName></methodCall>")),
        succeed(Response(write_response("a" * MAX_ANSWER))),
        succeed(Response(write_response("")[:-5], reason=ResponseFailed)),
    ],
)
def test_anything_else_is_no_connection(answer: Deferred[Any]) -> None:
    [failure] = call(answer)[2]
    assert failure.check(BrokerError)
    assert failure.value.code is Code.COMMUNICATION_NO_CONNECTION


def test_an_answer_without_an_end_is_not_read_on() -> None:
    response = Response(b"x" * (4 * MAX_ANSWER))
    call(succeed(response))
    assert response.transport.producerState == "stopped"


def test_a_server_that_does_not_answer_is_given_up() -> None:
    clock, _, outcome = call(Deferred())
    clock.advance(ANSWER_TIMEOUT)
    [failure] = outcome
    assert failure.value.code is Code.COMMUNICATION_NO_CONNECTION
