"""Nothing of an account that is removed is left for whoever gets its name later, over any protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.model.connect import SessionQos
from broker.model.records import AccountRecord
from broker.xmpp.wire import ns
from tests.core.world import connect_qos
from tests.effects.tongues import Plugin
from tests.xmpp.features.pubsub.test_pubsub import ok
from tests.xmpp.world import Peer, World, befriend, settings

PERSISTENT = "<qos><persistent/></qos>"
NOTES = "<query xmlns='jabber:iq:private'><notes xmlns='urn:n'>secret</notes></query>"


def record(name: str, verifier: str = "1") -> AccountRecord:
    text = f"4096${verifier * 4}$c3Rv$c2Vy"
    return AccountRecord(name, text, text, 0)


@pytest.fixture
def world() -> World:
    world = World(settings(sm_ask=False, idle=-1))
    for name in ("joe", "jack", "mary"):
        world.run(world.store.put_account(record(name)))
    return world


def remove(world: World, name: str) -> None:
    """Remove an account, and make it again, as another program does."""
    world.run(world.store.delete_account(name))
    world.run(world.store.put_account(record(name, "2")))


def settle(world: World) -> None:
    """Let the broker look."""
    world.advance(1.1)
    world.store.commit()


def request(peer: Peer, payload: str) -> bytes:
    peer.send(f"<iq type='get' id='q'>{payload}</iq>")
    return peer.one().to_bytes()


class Belongings:
    """All that joe can have."""

    def __init__(self, world: World) -> None:
        self.world = world
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
        befriend(joe, jack)
        joe.send(f"<iq type='set' id='1'>{NOTES}</iq>")
        joe.send(f"<iq type='set' id='2'><vCard xmlns='{ns.VCARD}'><FN>Joe</FN></vCard></iq>")
        joe.send(f"<iq type='set' id='3'><block xmlns='{ns.BLOCKING}'><item jid='mary@localhost'/></block></iq>")
        joe.take()
        ok(joe, "set", "<create node='mine'/>")
        ok(jack, "set", "<create node='news'/>")
        ok(joe, "set", "<subscribe node='news' jid='joe@localhost'/>")
        self.jack, self.joe = jack, joe
        self.native = world.client("joe/1", retries=-1, persistent=True)
        self.native.subscribe("a", PERSISTENT)
        joe.cut()
        self.native.lose_connection()
        jack.send("<message to='joe@localhost' type='chat'><body>for the old joe</body></message>")
        world.client("ann/1").send("joe/1", b"for the old session")
        world.client("mary/2").publish("a", b"1", PERSISTENT)
        jack.take()


def left_of(world: World, name: str) -> list[object]:
    tables = world.store.tables
    return [
        *(each for each in tables.documents.values() if each.owner == name),
        *(each for each in tables.sessions.values() if each.subject == name),
        *(each for each in tables.subjects.values() if each.name == name),
        *(each for each in tables.topics.values() if each.owner == name),
        *(each for each in tables.subscriptions.values() if each.session_id not in tables.sessions),
        *(each for each in tables.messages.values() if b"for the old" in each.content),
    ]


@pytest.mark.parametrize("when", ["while the broker runs", "while it does not"])
def test_nothing_is_left_in_the_store(world: World, when: str) -> None:
    Belongings(world)
    world.store.commit()
    assert len(left_of(world, "joe")) >= 10
    if when == "while the broker runs":
        remove(world, "joe")
    else:
        world.store.commit()
        world.store.tables.delete_account("joe")
        world.store.tables.put_account(record("joe", "2"))
        world = world.crash()
        world.run(world.broker.account_changes.apply())
    settle(world)
    assert left_of(world, "joe") == []
    assert world.run(world.store.read_account_changes()) == []


def test_who_gets_the_name_begins_with_nothing(world: World) -> None:
    jack = Belongings(world).jack
    remove(world, "joe")
    joe = world.bind("joe@localhost/y")  # at once: whoever logs in need not wait for the next look
    assert joe.take() == []
    assert b"<item" not in request(joe, f"<query xmlns='{ns.ROSTER}'/>")
    assert b"secret" not in request(joe, NOTES)
    assert b"Joe" not in request(joe, f"<vCard xmlns='{ns.VCARD}'/>")
    assert b"<item" not in request(joe, f"<blocklist xmlns='{ns.BLOCKING}'/>")
    assert joe.take() == []
    client = world.client("joe/1", retries=-1, persistent=True)
    assert (client.contents, dict(client.session.subscriptions)) == ([], {})
    assert "mine" not in world.node.topics
    jack.take()
    jack.send("<presence><show>away</show></presence>")
    assert joe.take() == []


def test_contacts_learn_that_their_contact_is_gone(world: World) -> None:
    jack = Belongings(world).jack
    jack.send(f"<iq type='get' id='r'><query xmlns='{ns.ROSTER}'/></iq>")
    jack.take()
    remove(world, "joe")
    settle(world)
    types = [each.attributes.get("type") for each in jack.take() if each.name == "presence"]
    assert {"unsubscribe", "unsubscribed"} <= set(types)
    assert b"subscription='none'" in request(jack, f"<query xmlns='{ns.ROSTER}'/>")


def test_what_others_have_stays(world: World) -> None:
    Belongings(world)
    before = left_of(world, "jack"), left_of(world, "mary"), set(world.node.topics) - {"mine"}
    remove(world, "joe")
    settle(world)
    assert [each for each in left_of(world, "jack") if "joe" not in str(each)] == [
        each for each in before[0] if "joe" not in str(each)
    ]
    assert set(world.node.topics) == before[2]


def test_connections_of_a_removed_account_end(world: World) -> None:
    peer, native = world.bind("joe@localhost/x"), world.client("joe/1")
    remove(world, "joe")
    settle(world)
    assert peer.closed
    assert native.session.ended
    assert native.outbound.closed
    assert "joe" not in world.node.subjects


def test_sessions_of_plugins_have_no_account_that_could_be_removed(world: World) -> None:
    plugin = Plugin(world)
    remove(world, "joe")
    settle(world)
    assert not plugin.session.ended


def test_a_change_has_its_effect_once(world: World) -> None:
    """The row that tells of it may outlast its effect, while the journal is not folded."""
    changes = world.store.tables.read_account_changes
    world.store.tables.delete_account("joe")
    stale = changes()
    world.store.tables.read_account_changes = lambda: stale  # type: ignore[method-assign]
    settle(world)
    fresh = world.client("joe/1")
    settle(world)
    assert not fresh.session.ended


def test_a_removal_that_fails_keeps_nobody_else_out_and_is_tried_again(world: World) -> None:
    failing = True

    async def remove_more(name: str) -> None:
        if failing:
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "it cannot be read")

    world.broker.account_changes.on_removed.append(remove_more)
    remove(world, "joe")
    settle(world)
    world.client("mary/1")
    with pytest.raises(BrokerError) as caught:
        world.client("joe/1")
    assert caught.value.code == Code.RESOURCE_TEMPORARY_UNAVAILABLE
    failing = False
    world.client("joe/1")


class TestSecrets:
    def test_the_secret_id_of_a_removed_account_is_worth_nothing(self, world: World) -> None:
        client = world.client("joe/1", retries=-1, persistent=True)
        secret = client.session.secret_id
        client.lose_connection()
        remove(world, "joe")
        qos = replace(connect_qos("joe/1"), session=SessionQos(secret_id=secret), credentials=None)
        assert not self._logs_in(world, qos)

    def test_another_password_takes_the_secret_id_and_the_connections_and_leaves_the_session(
        self, world: World
    ) -> None:
        client = world.client("joe/1", retries=-1, persistent=True)
        client.subscribe("a", PERSISTENT)
        peer = world.bind("joe@localhost/x", sm=True)
        secret = client.session.secret_id
        world.run(world.store.put_account(record("joe", "2")))
        settle(world)

        assert client.outbound.closed
        assert peer.closed
        with pytest.raises(BrokerError) as caught:
            world.login.session(secret)
        assert caught.value.code == Code.USER_ACCESS_DENIED
        assert not client.session.ended
        again = world.crash()
        assert secret not in again.node.sessions
        assert len(again.client("joe/1", retries=-1, persistent=True).session.subscriptions) == 1

    def test_an_htpasswd_file_that_has_changed_does_the_same(self, world: World) -> None:
        joe, mary = world.client("joe/1", retries=-1), world.client("mary/1", retries=-1)

        async def look() -> None:
            world.broker.rights_changed(lambda name: name == "joe")

        world.broker.account_changes.looks.append(look)
        secret = joe.session.secret_id
        settle(world)
        assert (bool(joe.outbound.closed), bool(mary.outbound.closed)) == (True, False)
        assert secret not in world.node.sessions

    def test_a_new_account_changes_nothing(self, world: World) -> None:
        client = world.client("new/1")
        world.run(world.store.put_account(record("new")))
        settle(world)
        assert not client.outbound.closed

    def _logs_in(self, world: World, qos: Any) -> bool:
        denied = BrokerError(Code.USER_ACCESS_DENIED, "no credentials")

        async def authenticate(credentials: Any, host: str) -> None:
            raise denied

        world.broker.authenticate = authenticate
        try:
            world.run(world.login.connect(qos, "127.0.0.1"))
        except BrokerError as error:
            assert error is denied
            return False
        return True


def test_an_account_that_is_removed_amid_a_login_is_not_let_in(world: World) -> None:
    peer = world.peer()
    response = peer.begin_scram("joe")
    world.security.users.discard("joe")
    remove(world, "joe")
    peer.send(response)
    assert peer.one().find(ns.SASL, "not-authorized") is not None


def test_a_password_that_is_changed_amid_a_login_is_one_no_more(world: World) -> None:
    peer = world.peer()
    response = peer.begin_scram("joe")
    world.security.passwords["joe"] = "another"
    world.run(world.store.put_account(record("joe", "3")))
    peer.send(response)
    assert peer.one().find(ns.SASL, "not-authorized") is not None


def test_a_login_with_the_new_password_is_let_in_at_once(world: World) -> None:
    """Also where it is this login that comes to know of the change."""
    world.run(world.store.put_account(record("joe", "3")))
    peer = world.peer()
    peer.send(peer.begin_scram("joe"))
    assert peer.one().name == "success"


def test_a_password_that_is_changed_amid_a_native_login_is_one_no_more(world: World) -> None:
    wrong = BrokerError(Code.USER_ACCESS_DENIED, "wrong")
    checks = []

    async def authenticate(credentials: Any, host: str) -> None:
        checks.append(credentials.user)
        if len(checks) > 1:
            raise wrong
        await world.store.put_account(record("joe", "3"))  # by another program, while this is checked

    world.broker.authenticate = authenticate
    with pytest.raises(BrokerError) as refused:
        world.run(world.login.connect(connect_qos("joe/1"), "127.0.0.1"))
    assert refused.value is wrong
