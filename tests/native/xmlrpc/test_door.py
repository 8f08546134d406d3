"""XML-RPC over HTTP: what fails is told as a fault."""

from __future__ import annotations

import xmlrpc.client
from http import HTTPStatus
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, globalLogPublisher

from broker.native.wire.xmlrpc import MethodCall
from broker.native.xmlrpc.door import XmlRpcDoor
from broker.net.http.exchange import Answer, Call, Peer
from broker.net.http.problem import Refused
from tests.native.xmlrpc.test_calls import Office, outcome


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def door(office: Office) -> XmlRpcDoor:
    return XmlRpcDoor(office.world.node, office.calls, 1 << 20)


def request(body: bytes, **headers: str) -> Call:
    return Call("r-1", "POST", {}, {}, headers, body, Peer("192.0.2.7"))


def call(method: str, *params: Any) -> Call:
    return request(xmlrpc.client.dumps(params, method, allow_none=True).encode())


def ask(door: XmlRpcDoor, call: Call) -> Deferred[Answer]:
    route, _ = door.router().find("POST", ["any", "path"])
    return Deferred.fromCoroutine(route.handler(call))  # type: ignore[arg-type]


def fault_of(office: Office, door: XmlRpcDoor, call: Call) -> xmlrpc.client.Fault:
    answer = office.world.run(ask(door, call))
    assert (answer.status, answer.media_type) == (HTTPStatus.OK, "text/xml; charset=utf-8")
    with pytest.raises(xmlrpc.client.Fault) as caught:
        xmlrpc.client.loads(answer.body)
    return caught.value


def test_a_call_is_answered_whatever_the_path(office: Office, door: XmlRpcDoor) -> None:
    answer = office.world.run(ask(door, call("xmlBlaster.ping", "")))
    assert xmlrpc.client.loads(answer.body)[0] == ("<qos><state id='OK'/></qos>",)


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("authenticate.connect", 99),
        ("authenticate.connectSingleChannel", 99),
        ("authenticate.disconnect", 99),
        ("authenticate.login", 0),
        ("xmlBlaster.get", 0),
        ("nobody.knows", 0),
    ],
)
def test_codes_of_faults_are_those_that_clients_know(office: Office, door: XmlRpcDoor, method: str, code: int) -> None:
    fault = fault_of(office, door, call(method))
    assert fault.faultCode == code
    assert fault.faultString.startswith("errorCode=")
    assert " message=" in fault.faultString


def test_what_is_no_call_is_a_fault(office: Office, door: XmlRpcDoor) -> None:
    assert "errorCode=user.illegalArgument" in fault_of(office, door, request(b"no XML")).faultString


def test_what_the_broker_fails_to_do_is_a_fault_without_details(
    office: Office, door: XmlRpcDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(call: MethodCall, host: str) -> None:
        raise RuntimeError("secret details")

    monkeypatch.setattr(office.calls, "serve", fail)
    fault = fault_of(office, door, call("xmlBlaster.ping", ""))
    assert fault.faultString == "errorCode=internal.unknown message=the broker failed to serve this call"


def test_a_client_that_goes_while_it_waits_is_no_failure(office: Office, door: XmlRpcDoor) -> None:
    logged: list[LogEvent] = []
    globalLogPublisher.addObserver(logged.append)  # type: ignore[arg-type]
    try:
        waiting = ask(door, call("xmlBlaster.updateRequest", office.polling(), "1000", "false"))
        office.world.turn()
        waiting.cancel()
        [failure] = outcome(waiting)  # type: ignore[arg-type]
    finally:
        globalLogPublisher.removeObserver(logged.append)  # type: ignore[arg-type]
    assert failure.check(CancelledError)  # type: ignore[union-attr]
    assert [event for event in logged if "log_failure" in event] == []


def test_a_body_that_is_compressed_is_refused(office: Office, door: XmlRpcDoor) -> None:
    with pytest.raises(Refused) as caught:
        office.world.run(ask(door, request(b"x", **{"content-encoding": "gzip"})))
    assert caught.value.status is HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def test_only_a_call_of_a_session_may_be_long(office: Office, door: XmlRpcDoor) -> None:
    route, _ = door.router().find("POST", [""])
    assert route.may_be_long is not None
    beginnings = [xmlrpc.client.dumps((sid, "x"), "m").encode() for sid in (office.log_in(), "nobody")]
    assert [route.may_be_long(each) for each in beginnings] == [True, False]
