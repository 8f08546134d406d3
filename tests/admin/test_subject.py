"""Attributes of a login name (spec xmlblaster §16.1)."""

from __future__ import annotations

import pytest

from broker.core.dispatch import ConnectionState
from broker.errors import BrokerError, Code
from broker.model.connect import SessionQos
from broker.xml.names import NAMES
from tests.admin.office import BOSS, Office
from tests.core.world import connect_qos


def test_what_a_login_name_has() -> None:
    office = Office()
    joe = office.client("joe/1")
    office.client("joe/7")
    office.world.advance(5)
    assert office.get(joe, "client/joe/?loginName") == "joe"
    assert office.get(joe, "client/joe/?uptime") == "5"
    assert office.get(joe, "client/joe/?numSessions") == "2"
    assert office.get(joe, "client/joe/?sessionList") == "1,7"
    assert office.get(joe, "client/joe/?maxSessions") == "10"
    assert office.get(joe, "client/joe/?subjectQueueNumMsgs") == "0"
    assert office.get(joe, "client/joe/?blockClientLogin") == "false"


def test_messages_that_wait_for_it_are_counted() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    boss.send("jack", b"hello", force=True)
    assert office.get(boss, "client/jack/?subjectQueueNumMsgs") == "1"


def test_an_account_sees_what_it_uses_of_what_it_may() -> None:
    office = Office(BOSS)
    joe = office.client("joe/1")
    joe.subscribe("a")
    joe.publish("a", b"1")
    joe.send("nobody", b"hello", force=True)
    quotas = office.get(joe, "client/joe/?quotas")
    limits = office.world.settings.quotas
    assert quotas.split(",") == [
        "sessions=1/10",
        f"forced=1/{limits.forced}",
        f"subscriptions=1/{limits.subscriptions}",
        f"matches=0/{limits.matches}",
        f"topics=1/{limits.topics}",
        f"queue_bytes=205/{limits.queue_bytes}",
        f"history_bytes=201/{limits.history_bytes}",
        f"unfinished_bytes=0/{limits.unfinished_bytes}",
        f"waiting_bytes=0/{limits.waiting_bytes}",
        f"unread_bytes=0/{limits.unread_bytes}",
        *(f"{name}={used}/{most}" for name, used, most in NAMES.usage("joe")),  # the process forgets none
    ]


def test_an_administrator_sees_what_every_account_uses_also_of_those_that_are_away() -> None:
    office = Office(BOSS)
    joe = office.client("joe/1")
    joe.publish("a", b"1")
    joe.disconnect()
    boss = office.client("boss")
    boss.publish("b", b"1")
    rows = dict(line.split(": ") for line in office.get(boss, "?quotas").splitlines())
    assert "topics=1/10000" in rows["joe"]
    assert "topics=1/unlimited" in rows["boss"]


def test_nobody_else_sees_what_accounts_use() -> None:
    office = Office(BOSS)
    office.client("joe/1")
    mary = office.client("mary/1")
    for oid in ("?quotas", "client/joe/?quotas"):
        with pytest.raises(BrokerError) as raised:
            office.get(mary, oid)
        assert raised.value.code == Code.USER_NOT_AUTHORIZED


def test_sessions_are_limited() -> None:
    # given
    office = Office(BOSS)
    office.client("joe/1")
    # when
    office.set(office.client("boss"), "client/joe/?maxSessions=1")
    # then
    with pytest.raises(BrokerError) as raised:
        office.client("joe/2")
    assert raised.value.code == Code.USER_CONFIGURATION_MAX_SESSION


class TestBlocking:
    def test_no_new_login(self) -> None:
        office = Office(BOSS)
        office.client("joe/1")
        office.set(office.client("boss"), "client/joe/?blockClientLogin=true")
        with pytest.raises(BrokerError) as raised:
            office.client("joe/2")
        assert raised.value.code == Code.COMMUNICATION_SERVER_DENY

    def test_the_secret_session_id_does_not_get_around_that(self) -> None:
        office = Office(BOSS)
        joe = office.client("joe/1")
        office.set(office.client("boss"), "client/joe/?blockClientLogin=true")
        with pytest.raises(BrokerError) as raised:
            office.world.connect("", connect_qos("joe", session={"secret_id": joe.session.secret_id}))
        assert raised.value.code == Code.COMMUNICATION_SERVER_DENY

    def test_ends_when_it_is_lifted(self) -> None:
        office = Office(BOSS)
        boss = office.client("boss")
        office.client("joe/1")
        office.set(boss, "client/joe/?blockClientLogin=true")
        office.set(boss, "client/joe/?blockClientLogin=false")
        assert office.client("joe/2").session

    def test_connections_are_closed_and_sessions_kept_where_that_is_asked(self) -> None:
        # given
        office = Office(BOSS)
        joe = office.client("joe/1")
        # when
        office.set(office.client("boss"), "client/joe/?blockClientAndResetConnections")
        # then
        assert joe.outbound.closed
        assert not joe.session.ended
        assert joe.session.dispatch.state is ConnectionState.POLLING


@pytest.mark.parametrize("operation", ["killClient", "killClientNoThrow"])
def test_all_sessions_end(operation: str) -> None:
    office = Office(BOSS)
    clients = [office.client("joe/1"), office.client("joe/2")]
    assert office.get(office.client("boss"), f"client/joe/?{operation}") == "2 sessions"
    assert all(client.session.ended and client.outbound.closed for client in clients)
    assert "joe" not in office.world.node.subjects


def test_unknown_login_name_is_told() -> None:
    office = Office(BOSS)
    with pytest.raises(BrokerError, match="there is no client/nobody") as raised:
        office.get(office.client("boss"), "client/nobody/?uptime")
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT


def test_limit_stays_where_a_login_gives_none() -> None:
    office = Office(BOSS)
    office.client("joe/1")
    office.set(office.client("boss"), "client/joe/?maxSessions=2")
    office.client("joe/2")
    assert SessionQos().max_sessions is None
    assert office.world.node.subjects["joe"].max_sessions == 2


def test_what_is_kept_of_an_account_beside_messages_is_counted_by_kind() -> None:
    office = Office(BOSS)
    joe, boss = office.client("joe"), office.client("boss")
    assert office.get(boss, "client/joe/?documents") == ""
    documents = office.world.broker.documents
    for kind, name, data in (("xmpp.vcard", "", b"12"), ("xmpp.private", "a", b"345"), ("xmpp.private", "b", b"6")):
        documents.put("joe", kind, name, data)
    documents.put("mary", "xmpp.vcard", "", b"1234")
    assert office.get(joe, "client/joe/?documents") == "xmpp.private=2:4,xmpp.vcard=1:2"
