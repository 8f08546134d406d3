"""The methods of XML-RPC: each is the request of the native protocol that it is, and updates are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from broker.errors import BrokerError
from broker.native.callback_hosts import CallbackHosts
from broker.native.service import NativeService
from broker.native.wire.xmlrpc import MethodCall, Value
from broker.native.xmlrpc.callbacks import ServerCallbacks
from broker.native.xmlrpc.calls import LONGEST_POLL, MOST_CALLS, Calls
from tests.core.world import World

CREDENTIALS = "<securityService type='htpasswd' version='1.0'><user>{0}</user><passwd>secret</passwd></securityService>"
CALLBACK = "<queue relating='callback'><callback type='XMLRPC' retries='-1'/></queue>"
PERSISTENT = "<qos><persistent/></qos>"


class HeldTurns:
    """Turns that do not come any more.

    Attributes:
        held: they do not.
    """

    def __init__(self) -> None:
        self.held = False

    def seconds(self) -> float:
        """No time passes."""
        return 0.0

    def after_others(self, account: str, work: Callable[[], None]) -> None:
        """Others have theirs."""
        if not self.held:
            work()


class Office:
    """A broker whose clients speak XML-RPC."""

    def __init__(self, world: World | None = None, max_polls: int = 100) -> None:
        self.world = world or World()
        callbacks = ServerCallbacks(self.world.node, None, CallbackHosts([]))
        service = NativeService(self.world.broker, self.world.login, callbacks)
        self.calls = Calls(service, callbacks, max_polls)

    def begin(self, method: str, *params: Value) -> Deferred[Value]:
        """Call, and look later what comes of it."""
        done = Deferred.fromCoroutine(self.calls.serve(MethodCall(method, params), "192.0.2.7"))
        self.world.turn()
        return done

    def call(self, method: str, *params: Value) -> Any:
        return self.world.run(Deferred.fromCoroutine(self.calls.serve(MethodCall(method, params), "192.0.2.7")))

    def log_in(self, user: str = "joe") -> str:
        found: str = self.call("authenticate.login", user, "secret", "", "")
        return found

    def polling(self, name: str = "joe/1") -> str:
        """The secret id of a persistent session that asks for its updates."""
        session = f"<session name='client/{name}'/><persistent/>"
        qos = f"<qos>{CREDENTIALS.format(name.partition('/')[0])}{session}{CALLBACK}</qos>"
        answer: str = self.call("authenticate.connectSingleChannel", "", qos)
        match = re.search("sessionId='([^']+)'", answer)
        assert match is not None
        return match[1]

    def crash(self) -> Office:
        """Another one on what is on disk."""
        return Office(self.world.crash())


@pytest.fixture
def office() -> Office:
    return Office()


def outcome(done: Deferred[Value]) -> list[Value]:
    results: list[Value] = []
    done.addBoth(results.append)
    return results


def texts(update: Any) -> list[Any]:
    return [content for _, content, _ in update[2]]


class TestRequests:
    @pytest.mark.parametrize("params", [("<qos/>",), ("", "<qos/>"), (None, "<qos/>"), ("sessionId:old", "<qos/>")])
    def test_connect_takes_the_qos_last(self, office: Office, params: tuple[Value, ...]) -> None:
        qos = f"<qos>{CREDENTIALS.format('joe')}</qos>"
        assert "/client/joe/-" in office.call("authenticate.connect", *params[:-1], qos)

    def test_login_answers_the_secret_session_id(self, office: Office) -> None:
        assert office.calls.is_session(office.log_in())

    def test_a_server_of_the_client_is_refused_with_what_to_do(self, office: Office) -> None:
        with pytest.raises(BrokerError, match="connectSingleChannel"):
            office.call("authenticate.connect", "", f"<qos>{CREDENTIALS.format('joe')}{CALLBACK}</qos>")

    def test_a_callback_of_another_protocol_is_refused(self, office: Office) -> None:
        qos = f"<qos>{CREDENTIALS.format('joe')}{CALLBACK.replace('XMLRPC', 'SOCKET')}</qos>"
        with pytest.raises(BrokerError, match="updates are sent as XMLRPC only"):
            office.call("authenticate.connectSingleChannel", "", qos)

    @pytest.mark.parametrize("method", ["authenticate.ping", "xmlBlaster.ping"])
    def test_ping_needs_no_session(self, office: Office, method: str) -> None:
        assert office.call(method, "") == "<qos><state id='OK'/></qos>"

    @pytest.mark.parametrize("content", ["hello", b"hello"])
    @pytest.mark.parametrize("as_array", [False, True])
    def test_publish_and_get(self, office: Office, content: Value, as_array: bool) -> None:
        sid = office.log_in()
        message: list[Value] = ["<key oid='Hello'/>", content, "<qos/>"]
        answer = office.call("xmlBlaster.publish", sid, *([message] if as_array else message))
        assert "<key oid='Hello'/>" in answer
        [[key, found, _]] = office.call("xmlBlaster.get", sid, "<key oid='Hello'/>", "<qos/>")
        assert (key, found) == ("<key oid='Hello'/>", b"hello")

    def test_get_gives_text_where_that_is_asked_for(self, office: Office) -> None:
        sid = office.log_in()
        for content in (b"hello", b"\xff"):
            office.call("xmlBlaster.publish", sid, "<key oid='Hello'/>", content, "<qos/>")
        query = ("<key oid='Hello'/>", "<qos><history numEntries='2'/></qos>", "true")
        assert [content for _, content, _ in office.call("xmlBlaster.get", sid, *query)] == [b"\xff", "hello"]

    def test_get_of_what_nobody_published_is_empty(self, office: Office) -> None:
        assert office.call("xmlBlaster.get", office.log_in(), "<key oid='Hello'/>", "<qos/>") == []

    def test_publish_array_answers_for_each(self, office: Office) -> None:
        sid = office.log_in()
        messages: list[Value] = [[f"<key oid='t{number}'/>", "", "<qos/>"] for number in range(3)]
        assert len(office.call("xmlBlaster.publishArr", sid, messages)) == 3
        assert office.call("xmlBlaster.publishArr", sid, []) == []

    def test_publish_oneway_tells_nobody_of_what_was_refused(self, office: Office) -> None:
        sid = office.log_in()
        messages: list[Value] = [["<key oid='__sys__mine'/>", "", "<qos/>"]]
        assert office.call("xmlBlaster.publishOneway", sid, messages) == ""
        assert office.call("xmlBlaster.publishOneway", "nobody", messages) == ""

    def test_erase_answers_for_each_topic(self, office: Office) -> None:
        sid = office.log_in()
        office.call("xmlBlaster.publish", sid, "<key oid='Hello'/>", "", "<qos/>")
        assert len(office.call("xmlBlaster.erase", sid, "<key oid='Hello'/>", "")) == 1
        assert office.call("xmlBlaster.erase", sid, "<key oid='Hello'/>", "") == []

    @pytest.mark.parametrize("method", ["authenticate.disconnect", "authenticate.logout"])
    def test_after_the_end_the_session_id_is_nobodys(self, office: Office, method: str) -> None:
        sid = office.log_in()
        assert "OK" in office.call(method, sid, " ")
        with pytest.raises(BrokerError) as caught:
            office.call("xmlBlaster.get", sid, "<key oid='Hello'/>", "<qos/>")
        assert str(caught.value.code) == "user.security.authentication.accessDenied"

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("xmlBlaster.publish", ()),
            ("xmlBlaster.publish", ("<key/>", "a")),
            ("xmlBlaster.publish", ("<key/>", {"a": "b"}, "<qos/>")),
            ("xmlBlaster.publish", (["<key/>", "a"],)),
            ("xmlBlaster.publishArr", ("<key/>",)),
            ("xmlBlaster.publishArr", (["a"],)),
            ("xmlBlaster.subscribe", ()),
            ("xmlBlaster.subscribe", (None, "<qos/>")),
            ("xmlBlaster.get", (b"\xff", "<qos/>")),
            ("xmlBlaster.updateRequest", ("soon", "false")),
            ("xmlBlaster.updateRequest", ("-1", "false")),
            ("xmlBlaster.updateAckOrException", ()),
            ("xmlBlaster.updateAckOrException", ("1", "<qos/>", "")),
            ("authenticate.login", ()),
            ("system.methodHelp", (["a"],)),
        ],
    )
    def test_wrong_parameters_are_refused(self, office: Office, method: str, params: tuple[Value, ...]) -> None:
        with pytest.raises(BrokerError) as caught:
            office.call(method, office.log_in(), *params)
        assert str(caught.value.code) in ("user.illegalArgument", "internal.notImplemented")

    def test_a_method_that_is_not_there_is_refused(self, office: Office) -> None:
        with pytest.raises(BrokerError, match=r"there is no method system\.multicall"):
            office.call("system.multicall", [])

    def test_methods_are_listed(self, office: Office) -> None:
        assert "xmlBlaster.publish" in office.call("system.listMethods")
        assert office.call("system.methodHelp", "xmlBlaster.publish")

    def test_an_answer_waits_for_the_disk(self, office: Office) -> None:
        sid = office.log_in()
        office.world.store.held = True
        done = outcome(office.begin("xmlBlaster.publish", sid, "<key oid='Hello'/>", "", PERSISTENT))
        assert not done
        office.world.store.held = False
        office.world.store.commit()
        office.world.turn()
        assert done

    def test_calls_of_a_session_are_limited(self) -> None:
        turns = HeldTurns()
        office = Office(World(turns=turns))
        sid = office.log_in()
        turns.held = True
        waiting = [outcome(office.begin("xmlBlaster.get", sid, "<key oid='a'/>", "")) for _ in range(MOST_CALLS)]
        with pytest.raises(BrokerError, match="of this session are under way already"):
            office.call("xmlBlaster.get", sid, "<key oid='a'/>", "")
        assert waiting == [[]] * MOST_CALLS


class TestUpdates:
    def test_whoever_asks_gets_what_waits(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", PERSISTENT)
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", "<qos/>")
        method, _, [[key, content, qos]] = office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        assert (method, key, content) == ("update", "<key oid='News'/>", b"one")
        assert "<sender>" in qos

    def test_contents_are_text_where_that_is_asked_for(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", "<qos/>")
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", "<qos/>")
        assert texts(office.call("xmlBlaster.updateRequest", joe, "1000", "true")) == ["one"]

    def test_whoever_asks_early_gets_what_comes(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", "<qos/>")
        done = outcome(office.begin("xmlBlaster.updateRequest", joe, "1000", "false"))
        assert not done
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", "<qos/>")
        office.world.turn()
        assert texts(done[0]) == [b"one"]

    def test_after_the_time_there_is_nil(self, office: Office) -> None:
        done = outcome(office.begin("xmlBlaster.updateRequest", office.polling(), "1000", "false"))
        office.world.advance(0.9)
        assert not done
        office.world.advance(0.2)
        assert done == [None]

    def test_nobody_waits_for_longer_than_proxies_do(self, office: Office) -> None:
        done = outcome(office.begin("xmlBlaster.updateRequest", office.polling(), "3600000", "false"))
        office.world.advance(LONGEST_POLL / 1000)
        assert done == [None]

    def test_the_next_update_comes_when_this_one_is_acknowledged(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", "<qos/>")
        for content in ("one", "two"):
            office.call("xmlBlaster.publish", joe, "<key oid='News'/>", content, "<qos/>")
        first = office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        assert office.call("xmlBlaster.updateAckOrException", joe, first[1], ["<qos/>"], "") == ""
        second = office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        assert (texts(first), texts(second)) == ([b"one"], [b"two"])

    def test_an_update_that_was_not_acknowledged_comes_again_with_its_number_and_a_mark(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", "<qos/>")
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", "<qos/>")
        first = office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        again = office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        assert (again[1], texts(again)) == (first[1], [b"one"])
        assert "<redeliver>1</redeliver>" in again[2][0][2]

    def test_and_again_after_a_crash(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", PERSISTENT)
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", PERSISTENT)
        first = office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        after = office.crash()
        again = after.call("xmlBlaster.updateRequest", joe, "1000", "false")
        assert (again[1], texts(again)) == (first[1], [b"one"])
        assert "<redeliver>" in again[2][0][2]

    def test_but_not_what_was_acknowledged_before_it(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", PERSISTENT)
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", PERSISTENT)
        update = office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        office.call("xmlBlaster.updateAckOrException", joe, update[1], ["<qos/>"], "")
        assert office.crash().call("xmlBlaster.updateRequest", joe, "0", "false") is None

    def test_an_acknowledgement_of_another_update_changes_nothing(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", "<qos/>")
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", "<qos/>")
        office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        assert office.call("xmlBlaster.updateAckOrException", joe, "17", ["<qos/>"], "") == ""
        assert texts(office.call("xmlBlaster.updateRequest", joe, "1000", "false")) == [b"one"]

    def test_an_update_that_is_refused_becomes_a_dead_message(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", "<qos/>")
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", "<qos/>")
        update = office.call("xmlBlaster.updateRequest", joe, "1000", "false")
        error = "errorCode=user.update.error message=not that one"
        office.call("xmlBlaster.updateAckOrException", joe, update[1], [], error)
        assert office.call("xmlBlaster.updateRequest", joe, "0", "false") is None

    def test_a_second_who_asks_ends_the_wait_of_the_first(self, office: Office) -> None:
        joe = office.polling()
        first = outcome(office.begin("xmlBlaster.updateRequest", joe, "1000", "false"))
        second = outcome(office.begin("xmlBlaster.updateRequest", joe, "1000", "false"))
        assert (first, second) == ([None], [])

    @pytest.mark.parametrize("method", ["xmlBlaster.interrupt", "xmlBlaster.shutdownCb"])
    def test_a_wait_can_be_interrupted(self, office: Office, method: str) -> None:
        joe = office.polling()
        done = outcome(office.begin("xmlBlaster.updateRequest", joe, "1000", "false"))
        assert office.call(method, joe) == ""
        assert done == [None]

    def test_a_client_that_leaves_while_it_waits_loses_nothing(self, office: Office) -> None:
        joe = office.polling()
        office.call("xmlBlaster.subscribe", joe, "<key oid='News'/>", "<qos/>")
        done = office.begin("xmlBlaster.updateRequest", joe, "1000", "false")
        outcome(done)
        done.cancel()
        office.call("xmlBlaster.publish", joe, "<key oid='News'/>", "one", "<qos/>")
        assert texts(office.call("xmlBlaster.updateRequest", joe, "1000", "false")) == [b"one"]

    def test_another_login_takes_the_session_over(self, office: Office) -> None:
        joe = office.polling()
        done = outcome(office.begin("xmlBlaster.updateRequest", joe, "1000", "false"))
        client = office.world.client("joe/1", persistent=True)
        assert done == [None]
        with pytest.raises(BrokerError, match="go over another connection"):
            office.call("xmlBlaster.updateRequest", client.session.secret_id, "1000", "false")

    def test_a_session_without_a_callback_has_no_updates(self, office: Office) -> None:
        with pytest.raises(BrokerError, match="has no callback"):
            office.call("xmlBlaster.updateRequest", office.log_in(), "1000", "false")

    def test_the_waits_of_all_are_limited(self) -> None:
        office = Office(max_polls=1)
        outcome(office.begin("xmlBlaster.updateRequest", office.polling("joe/1"), "1000", "false"))
        with pytest.raises(BrokerError, match="wait for updates already"):
            office.call("xmlBlaster.updateRequest", office.polling("amy/1"), "1000", "false")

    def test_at_a_shutdown_whoever_waits_gets_nil(self, office: Office) -> None:
        done = outcome(office.begin("xmlBlaster.updateRequest", office.polling(), "1000", "false"))
        office.calls.shut_down()
        assert done == [None]
