"""Servers of clients that take their updates over XML-RPC."""

from __future__ import annotations

import re
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from broker.errors import BrokerError, Code
from broker.native.callback_hosts import CallbackHosts
from broker.native.service import NativeService
from broker.native.wire.xmlrpc import Fault, MethodCall, Value
from broker.native.xmlrpc.callbacks import ServerCallbacks
from broker.native.xmlrpc.calls import Calls
from tests.core.test_dead_messages import all_of
from tests.core.world import World

URL = "http://192.0.2.7:8081/RPC2"
AWAY = BrokerError(Code.COMMUNICATION_NO_CONNECTION, "nobody is there")


class Server:
    """The server of a client, as it is called."""

    def __init__(self) -> None:
        self.called: list[tuple[Any, ...]] = []
        self.answers: list[Value | Fault | BrokerError | Deferred[Value]] = []

    async def call(self, url: str, method: str, *params: Value) -> Value | Fault:
        """Take a call; pings are always answered, unless it is away."""
        self.called.append((method, *params))
        if method == "$default.ping" and AWAY not in self.answers:
            return ""
        answer = self.answers.pop(0) if self.answers else "<qos/>"
        if isinstance(answer, BrokerError):
            raise answer
        return await answer if isinstance(answer, Deferred) else answer

    @property
    def contents(self) -> list[Any]:
        """What came with updates."""
        return [call[3] for call in self.called if call[0].startswith("$default.update")]


class Stage:
    """A client whose server takes its updates."""

    def __init__(self, world: World | None = None, server: Server | None = None) -> None:
        self.world = world or World()
        self.server = server or Server()
        node = self.world.node
        self.callbacks = ServerCallbacks(node, self.server, CallbackHosts(["192.0.2.7"]))  # type: ignore[arg-type]
        self.calls = Calls(NativeService(self.world.broker, self.world.login, self.callbacks), self.callbacks, 10)

    def call(self, method: str, *params: Value) -> Any:
        return self.world.run(Deferred.fromCoroutine(self.calls.serve(MethodCall(method, params), "192.0.2.7")))

    def connect(self, url: str = URL, more: str = "", attributes: str = "retries='-1' delay='1000'") -> str:
        qos = (
            "<qos><securityService type='htpasswd' version='1.0'><user>joe</user><passwd>secret</passwd>"
            "</securityService><session name='client/joe/1'/><persistent/><queue relating='callback'>"
            f"<callback type='XMLRPC' sessionId='mine' {attributes}>{url}{more}</callback></queue></qos>"
        )
        match = re.search("sessionId='([^']+)'", self.call("authenticate.connect", "", qos))
        assert match is not None
        sid: str = match[1]
        self.call("xmlBlaster.subscribe", sid, "<key oid='News'/>", "<qos><persistent/></qos>")
        return sid

    def publish(self, sid: str, *contents: str) -> None:
        for content in contents:
            self.call("xmlBlaster.publish", sid, "<key oid='News'/>", content, "<qos><persistent/></qos>")
        self.world.turn()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_each_message_is_a_call_with_the_callbacks_own_session_id(stage: Stage) -> None:
    stage.publish(stage.connect(), "one", "two")
    first = stage.server.called[1]
    assert first[:4] == ("$default.update", "mine", "<key oid='News'/>", b"one")
    assert stage.server.contents == [b"one", b"two"]


def test_it_is_asked_whether_it_is_there_before_anything_is_sent(stage: Stage) -> None:
    stage.publish(stage.connect(), "one")
    assert stage.server.called[0] == ("$default.ping", "<qos/>")


def test_messages_of_a_bulk_are_calls_one_after_the_other(stage: Stage) -> None:
    sid = stage.connect(more="<burstMode maxEntries='3'/>")
    first: Deferred[Value] = Deferred()
    stage.server.answers = [first]
    stage.publish(sid, "one", "two", "three")
    assert stage.server.contents == [b"one"]
    first.callback("<qos/>")
    stage.world.turn()
    assert stage.server.contents == [b"one", b"two", b"three"]


def test_what_could_not_be_sent_is_sent_when_the_server_is_back(stage: Stage) -> None:
    sid = stage.connect()
    stage.server.answers = [AWAY]
    stage.publish(sid, "one")
    stage.world.advance(3)
    assert stage.server.contents == [b"one", b"one"]
    assert "<redeliver>1</redeliver>" in stage.server.called[-1][4]


def test_a_client_whose_server_does_not_answer_is_kept(stage: Stage) -> None:
    stage.server.answers = [AWAY] * 3
    sid = stage.connect()
    stage.publish(sid, "one")
    assert stage.server.contents == []
    stage.world.advance(1)
    stage.server.answers.clear()
    stage.world.advance(20)
    assert stage.server.contents == [b"one"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("errorCode=user.update.illegalArgument message=no", "user.update.illegalArgument"),
        ("errorCode=internal.unknown message=no", "user.update.error"),
        ("Traceback", "user.update.error"),
        ("", "user.update.error"),
    ],
)
def test_a_fault_makes_the_message_a_dead_one_and_the_next_comes(stage: Stage, text: str, code: str) -> None:
    sid = stage.connect()
    stage.server.answers = [Fault(text)]
    stage.publish(sid, "one", "two")
    assert stage.server.contents == [b"one", b"two"]
    [dead] = all_of(stage.world)
    assert (dead.code, dead.message.content) == (code, b"one")


def test_one_refused_message_of_a_bulk_is_the_only_one(stage: Stage) -> None:
    sid = stage.connect(more="<burstMode maxEntries='3'/>")
    stage.server.answers = [AWAY]
    stage.publish(sid, "one", "two", "three")
    stage.server.answers = ["<qos/>", Fault("errorCode=user.update.error message=no"), "<qos/>"]
    stage.world.advance(3)
    stage.publish(sid, "four")
    assert stage.server.contents[-1] == b"four"
    assert stage.server.contents.count(b"two") == 1


def test_a_server_without_a_handler_counts_as_away(stage: Stage) -> None:
    sid = stage.connect()
    stage.server.answers = [Fault("No default handler for $default.update")]
    stage.publish(sid, "one")
    stage.world.advance(3)
    assert stage.server.contents == [b"one", b"one"]


def test_oneway_messages_are_sent_as_such(stage: Stage) -> None:
    sid = stage.connect(attributes="oneway='true' retries='-1'")
    stage.publish(sid, "one")
    assert stage.server.called[-1][0] == "$default.updateOneway"


def test_what_was_queued_when_the_broker_died_is_sent_by_the_next_one(stage: Stage) -> None:
    sid = stage.connect()
    stage.server.answers = [Deferred()]
    stage.publish(sid, "one")
    after = Stage(stage.world.crash())
    after.callbacks.adopt(after.world.node.sessions.values())
    for session in after.world.node.sessions.values():
        session.dispatch.start_polling()
    after.world.advance(3)
    assert after.server.contents == [b"one"]


def test_another_login_ends_what_is_under_way(stage: Stage) -> None:
    sid = stage.connect()
    stage.server.answers = [Deferred()]
    stage.publish(sid, "one")
    client = stage.world.client("joe/1", persistent=True)
    assert client.contents == [b"one"]


def test_a_session_that_ends_with_its_last_message_ends_in_good_order(stage: Stage) -> None:
    sid = stage.connect()
    answer: Deferred[Value] = Deferred()
    stage.server.answers = [answer]
    stage.publish(sid, "one")
    session = stage.world.node.sessions[sid]
    ended = Deferred.fromCoroutine(stage.calls.serve(MethodCall("authenticate.disconnect", (sid, "")), ""))
    stage.world.turn()
    answer.callback("<qos/>")
    stage.world.run(ended)
    assert session.ended
    assert stage.server.contents == [b"one"]


def test_a_session_that_ends_before_anything_was_sent_sends_nothing(stage: Stage) -> None:
    sid = stage.connect()
    session = stage.world.node.sessions[sid]
    stage.world.turn()
    outbound = session.dispatch.outbound
    assert outbound is not None
    outbound.ping()
    outbound.close("the session ended")
    stage.world.turn()
    assert [call[0] for call in stage.server.called] == ["$default.ping"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "192.0.2.7:8081",
        "socket://192.0.2.7:8081",
        "file:///etc/passwd",
        "http://",
        "http://192.0.2.7:99999/",
        "http://joe:secret@192.0.2.7:8081/",
        "http://[/",
        "http://localhost:8081/",
        "http://192.0.2.8:8081/",
        "http://192.0.2.7:8081/ä",
    ],
)
def test_what_must_not_be_called_is_refused_at_the_login(stage: Stage, url: str) -> None:
    with pytest.raises(BrokerError) as caught:
        stage.connect(url)
    assert str(caught.value.code) == "resource.configuration.address"
    assert not stage.world.node.sessions
