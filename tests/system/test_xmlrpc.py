"""Clients of XML-RPC as their libraries speak it, and a broker that is killed (spec doors §1.5)."""

from __future__ import annotations

import http.client
import queue
import re
import threading
import xmlrpc.client
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCServer

import pytest

from broker.client import BlockingClient, ConnectOptions, PublishOptions, SubscribeOptions
from tests.system.launcher import BrokerProcess

pytestmark = pytest.mark.system

PERSISTENT = "<qos><persistent/></qos>"
SESSION = (
    "<qos><securityService type='htpasswd' version='1.0'><user>jack</user><passwd>secret</passwd></securityService>"
    "<session name='client/jack/1'/><persistent/>"
    "<queue relating='callback'><callback type='XMLRPC' retries='-1'/></queue></qos>"
)
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    settings = {
        "plugin/xmlrpc/port": "0",
        "plugin/xmlrpc/callbackServer": "true",
        "plugin/xmlrpc/callbackHosts": "127.0.0.1",
        "xmlrpc.maxBody": "8M",
    }
    with BrokerProcess(tmp_path_factory.mktemp("xmlrpc") / "data", settings=settings) as process:
        process.add_accounts("joe", "jack")
        yield process


@pytest.fixture
def server(broker: BrokerProcess) -> Iterator[Any]:
    host, port = broker.address("XMLRPC")
    with xmlrpc.client.ServerProxy(f"http://{host}:{port}/any/path", allow_none=True, use_builtin_types=True) as made:
        yield made


def secret_of(answer: str) -> str:
    match = re.search("sessionId='([^']+)'", answer)
    assert match is not None
    return match[1]


def post(
    broker: BrokerProcess, body: bytes, headers: Mapping[str, str] | None = None, *, chunked: bool = False
) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(*broker.address("XMLRPC"), timeout=30)) as connection:
        told = {"Content-Type": "text/xml", **(headers or {}), **({"Transfer-Encoding": "chunked"} if chunked else {})}
        pieces = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]
        connection.request("POST", "/", iter(pieces) if chunked else body, told, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_message_of_any_bytes_comes_back_as_it_was(server: Any) -> None:
    sid = server.authenticate.login("joe", "secret", "", "")
    content = bytes(range(256)) * 4096
    server.xmlBlaster.publish(sid, "<key oid='Bytes' contentMime='image/png'/>", content, "<qos/>")
    [[key, found, _]] = server.xmlBlaster.get(sid, "<key oid='Bytes'/>", "<qos/>")
    assert (found == content, "image/png" in key) == (True, True)
    server.authenticate.logout(sid)


def test_a_wrong_password_is_fault_99_with_a_code_of_the_catalogue(server: Any) -> None:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        server.authenticate.connectSingleChannel("", SESSION.replace("secret", "wrong"))
    assert caught.value.faultCode == 99
    assert caught.value.faultString.startswith("errorCode=user.security.authentication.accessDenied message=")


def test_updates_survive_a_kill_until_they_are_acknowledged(broker: BrokerProcess, server: Any) -> None:
    # given an update that was handed out
    sid = secret_of(server.authenticate.connectSingleChannel("", SESSION))
    server.xmlBlaster.subscribe(sid, "<key oid='News'/>", PERSISTENT)
    server.xmlBlaster.publishArr(sid, [["<key oid='News'/>", text, PERSISTENT] for text in ("one", "two")])
    _, number, [[_, first, _]] = server.xmlBlaster.updateRequest(sid, "5000", "true")
    # when the broker dies, the update comes again with its number and a mark
    broker.kill()
    broker.start()
    _, again, [[_, repeated, qos]] = server.xmlBlaster.updateRequest(sid, "5000", "true")
    assert (again, repeated, "<redeliver>" in qos) == (number, first, True)
    # and when it dies after the acknowledgement, only what is behind it comes
    server.xmlBlaster.updateAckOrException(sid, number, ["<qos/>"], "")
    broker.kill()
    broker.start()
    _, number, [[_, second, _]] = server.xmlBlaster.updateRequest(sid, "5000", "true")
    assert (first, second) == ("one", "two")
    server.xmlBlaster.updateAckOrException(sid, number, ["<qos/>"], "")
    server.authenticate.disconnect(sid, " ")


def test_a_session_goes_on_over_sockets_and_back(broker: BrokerProcess, server: Any) -> None:
    # given messages for a session that was made over XML-RPC
    sid = secret_of(server.authenticate.connectSingleChannel("", SESSION))
    server.xmlBlaster.subscribe(sid, "<key oid='Both'/>", PERSISTENT)
    server.xmlBlaster.publish(sid, "<key oid='Both'/>", "one", PERSISTENT)
    # when its client comes over a socket, it gets them
    jack = BlockingClient(*broker.address(), ConnectOptions("jack", "secret", session=1, persistent=True))
    jack.connect()
    [update] = jack.updates(timeout=1)
    assert update.text == "one"
    jack.acknowledge()
    jack.publish("Both", "two", PublishOptions(persistent=True))
    jack.leave()
    # and the rest when it comes back
    sid = secret_of(server.authenticate.connectSingleChannel("", SESSION))
    _, number, [[_, content, _]] = server.xmlBlaster.updateRequest(sid, "5000", "true")
    assert content == "two"
    server.xmlBlaster.updateAckOrException(sid, number, ["<qos/>"], "")
    server.authenticate.disconnect(sid, " ")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_stranger_sends_little_and_a_session_much(broker: BrokerProcess, server: Any, chunked: bool) -> None:
    sid = server.authenticate.login("joe", "secret", "", "")

    def status(secret: str, size: int) -> int:
        params = (secret, "<key oid='Large'/>", b"x" * size, "<qos/>")
        body = xmlrpc.client.dumps(params, "xmlBlaster.publish").encode()
        return post(broker, body, chunked=chunked)[0]

    assert [status("nobody", 100_000), status(sid, 4 * MEGABYTE), status(sid, 7 * MEGABYTE)] == [413, 200, 413]
    server.authenticate.logout(sid)


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"no XML", {}, 200, b"errorCode=user.illegalArgument"),
        (b"<!DOCTYPE a><methodCall/>", {}, 200, b"errorCode=user.illegalArgument"),
        (b"x", {"Content-Encoding": "gzip"}, 415, b""),
        (b"x", {"Host": "elsewhere.example"}, 421, b""),
    ],
)
def test_what_is_no_call_is_refused(
    broker: BrokerProcess, body: bytes, headers: dict[str, str], status: int, words: bytes
) -> None:
    found, answer = post(broker, body, headers)
    assert (found, words in answer) == (status, True)


def test_whoever_waits_when_the_broker_stops_is_answered(broker: BrokerProcess, server: Any) -> None:
    sid = secret_of(server.authenticate.connectSingleChannel("", SESSION))
    with closing(http.client.HTTPConnection(*broker.address("XMLRPC"), timeout=30)) as connection:
        connection.request("POST", "/", xmlrpc.client.dumps((sid, "50000", "false"), "xmlBlaster.updateRequest"))
        server.xmlBlaster.ping("")
        broker.terminate()
        assert b"nil" in connection.getresponse().read()
    broker.start()


def test_topics_are_shared_with_subscribers_over_sockets(broker: BrokerProcess, server: Any) -> None:
    jack = BlockingClient(*broker.address(), ConnectOptions("jack", "secret"))
    jack.connect()
    jack.subscribe("Shared", options=SubscribeOptions())
    sid = server.authenticate.login("joe", "secret", "", "")
    server.xmlBlaster.publish(sid, "<key oid='Shared' contentMime='text/plain'/>", "hello", "<qos/>")
    [update] = jack.updates(timeout=1)
    assert update.text == "hello"
    server.authenticate.logout(sid)
    jack.disconnect()


def test_the_server_of_a_client_is_called_and_again_after_a_kill(broker: BrokerProcess, server: Any) -> None:
    # given a client with a server of Python's library
    arrived: queue.Queue[Any] = queue.Queue()

    class Handler(SimpleXMLRPCDispatcher):
        def _dispatch(self, method: str, params: Any) -> str:
            if method != "$default.ping":
                arrived.put((method, *params))
            return "<qos/>"

    with SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False, use_builtin_types=True) as receiver:
        receiver.register_instance(Handler())
        threading.Thread(target=receiver.serve_forever, args=(0.05,)).start()
        try:
            url = f"http://127.0.0.1:{receiver.server_address[1]}/"
            callback = f"<callback type='XMLRPC' sessionId='mine' retries='-1' delay='200'>{url}</callback>"
            qos = re.sub("<callback.*/>", callback, SESSION)
            sid = secret_of(server.authenticate.connect("", qos))
            server.xmlBlaster.subscribe(sid, "<key oid='Called'/>", PERSISTENT)
            # then each message is a call
            server.xmlBlaster.publish(sid, "<key oid='Called'/>", b"one", PERSISTENT)
            method, mine, key, content, _ = arrived.get(timeout=10)
            assert (method, mine, content) == ("$default.update", "mine", b"one")
            assert "Called" in key
            # also where the broker was killed before
            broker.kill()
            broker.start()
            server.xmlBlaster.publish(sid, "<key oid='Called'/>", b"two", PERSISTENT)
            contents = [arrived.get(timeout=10)[3]]
            while contents[-1] != b"two":
                contents.append(arrived.get(timeout=10)[3])  # the first may come once more
            server.authenticate.disconnect(sid, " ")
        finally:
            receiver.shutdown()
