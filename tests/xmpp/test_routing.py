"""Where messages and requests go (RFC 6120 §10, RFC 6121 §8)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater

from broker.core.entries import QueueLimits
from broker.core.message import Message
from broker.core.settings import Settings
from broker.errors import BrokerError, Code
from broker.xml.parse import MAX_ELEMENTS
from broker.xml.tree import Tree
from broker.xmpp.routing.route_cache import LONGEST_ADDRESS, MAX_ROUTES
from broker.xmpp.wire import ns
from tests.xmpp.world import Peer, World, settings


@pytest.fixture
def world() -> World:
    return World(settings(idle=-1))


def message(to: str, type: str = "chat", body: str = "hi", more: str = "") -> str:
    return f"<message to='{to}' type='{type}' id='m1'><body>{body}</body>{more}</message>"


def condition(tree: Tree) -> str:
    """The condition of an error stanza."""
    error = tree.find(ns.CLIENT, "error")
    assert error is not None, tree.to_bytes()
    return next(child.name for child in error.children if child.namespace == ns.STANZAS)


def refusal(peer: Peer, stanza: str) -> str:
    peer.send(stanza)
    return condition(peer.one())


class TestMessagesToAResource:
    @pytest.mark.parametrize("type", ["normal", "chat", "groupchat", "headline", "error"])
    def test_one_that_is_there_gets_every_type(self, world: World, type: str) -> None:
        # RFC 6121 §8.5.3.1
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(message("jack@localhost/y", type))
        tree = jack.one()
        assert tree.attributes == {"from": "joe@localhost/x", "to": "jack@localhost/y", "type": type, "id": "m1"}
        assert tree.text_of(ns.CLIENT, "body") == "hi"

    def test_also_one_that_is_not_available(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y", presence=None)
        joe.send(message("jack@localhost/y"))
        assert jack.bodies() == ["hi"]

    @pytest.mark.parametrize("type", ["normal", "groupchat"])
    def test_one_that_is_not_there_is_an_error_to_some(self, world: World, type: str) -> None:
        # RFC 6121 §8.5.3.2.1
        joe = world.bind("joe@localhost/x")
        world.bind("jack@localhost/z")
        assert refusal(joe, message("jack@localhost/y", type)) == "service-unavailable"

    @pytest.mark.parametrize("type", ["headline", "error"])
    def test_and_nothing_to_others(self, world: World, type: str) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/z")
        joe.send(message("jack@localhost/y", type))
        assert joe.take() == jack.take() == []

    def test_a_chat_goes_to_the_account_instead(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/z")
        joe.send(message("jack@localhost/y"))
        assert jack.bodies() == ["hi"]


EARLY = [f"early {number}" for number in range(9)]


class TestMessagesBehindThoseThatWaitForTheAccount:
    """Messages of one sender come in their order, to whichever of the receiver's addresses (RFC 6120 §10.1)."""

    @pytest.fixture
    def world(self) -> World:
        limits = QueueLimits(cache_entries=2)
        return World(settings(idle=-1), core=Settings(subject=limits))

    @pytest.fixture
    def joe(self, world: World) -> Peer:
        joe = world.bind("joe@localhost/x", sm=True)
        for body in EARLY:
            joe.send(message("jack@localhost", body=body))
        return joe

    def test_one_to_the_resource_comes_behind_them_while_they_are_read(self, world: World, joe: Peer) -> None:
        jack = world.bind("jack@localhost/y", presence=None)
        jack.stream.received(b"<presence/>")
        joe.stream.received(message("jack@localhost/y", body="late").encode())
        world.turn(100)
        assert jack.bodies() == [*EARLY, "late"]
        assert joe.count() == 11

    def test_those_that_repeat_their_address_come_behind_them(self, world: World, joe: Peer) -> None:
        jack = world.bind("jack@localhost/y", presence=None)
        joe.send(message("jack@localhost/y", body="before jack is available"))
        jack.stream.received(b"<presence/>")
        joe.stream.received(message("jack@localhost/y", body="late").encode())
        world.turn(100)
        assert jack.bodies() == ["before jack is available", *EARLY, "late"]

    @pytest.mark.parametrize("type", ["chat", "headline"])
    def test_one_that_is_not_kept_comes_behind_them(self, world: World, joe: Peer, type: str) -> None:
        jack = world.bind("jack@localhost/y", presence=None)
        jack.stream.received(b"<presence/>")
        hint = "<no-store xmlns='urn:xmpp:hints'/>"
        joe.stream.received(message("jack@localhost", type, "late", hint).encode())
        world.turn(100)
        assert jack.bodies() == [*EARLY, "late"]

    @pytest.mark.parametrize("type", ["get", "result"])
    def test_a_request_or_an_answer_comes_behind_them(self, world: World, joe: Peer, type: str) -> None:
        jack = world.bind("jack@localhost/y", presence=None)
        jack.stream.received(b"<presence/>")
        joe.stream.received(f"<iq type='{type}' id='1' to='jack@localhost/y'><q xmlns='urn:q'/></iq>".encode())
        world.turn(100)
        came = [tree for tree in jack.take() if tree.name != "presence"]
        assert [tree.name for tree in came] == [*["message"] * len(EARLY), "iq"]

    def test_one_to_a_resource_that_was_recovered_comes_behind_them(self, world: World) -> None:
        world.bind("joe@localhost/x")
        jack = world.bind("jack@localhost/y", sm=True)
        jack.cut()
        early = "<message from='joe@localhost/x' to='jack@localhost'><body>early</body></message>"
        delivery = world.service.domain.delivery
        envelope = delivery.envelope(world.node.subjects["joe"].receivers[0], "jack", keep=True)
        waiting = Message(world.node.ids.next(), envelope, early.encode())
        assert world.broker.direct.put_waiting(waiting, "jack")
        again = world.crash()
        joe = again.bind("joe@localhost/x")
        joe.send(message("jack@localhost/y", body="late"))
        resumed = again.peer()
        resumed.login("jack")
        came = [tree for tree in resumed.resume(jack.id, jack.h) if tree.name == "message"]
        assert [tree.text_of(ns.CLIENT, "body") for tree in came] == ["early", "late"]

    def test_one_is_refused_where_they_cannot_be_read(
        self, world: World, joe: Peer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jack = world.bind("jack@localhost/y", presence=None)

        def read_entries(*_: object) -> Deferred[None]:
            unreadable = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no disk")
            return deferLater(world.clock, 0, lambda: None).addCallback(lambda _: fail(unreadable))

        monkeypatch.setattr(world.store, "read_entries", read_entries)
        jack.send("<presence/>")
        joe.send(message("jack@localhost/y", body="late"))
        (answer,) = [tree for tree in joe.take() if tree.name == "message"]
        assert condition(answer) == "internal-server-error"
        assert jack.bodies() == EARLY[:2]

    def test_who_gets_one_behind_them_gets_no_copy_of_it(self, world: World, joe: Peer) -> None:
        # XEP-0280 §7
        jack, other = (world.bind(f"jack@localhost/{resource}", presence=None) for resource in "yz")
        for peer in (jack, other):
            peer.send(f"<iq type='set' id='c'><enable xmlns='{ns.CARBONS}'/></iq>")
            peer.take()
        jack.stream.received(b"<presence/>")
        joe.stream.received(message("jack@localhost", body="late").encode())
        world.turn(100)
        came = [tree for tree in jack.take() if tree.name == "message"]
        assert [tree.text_of(ns.CLIENT, "body") for tree in came] == [*EARLY, "late"]
        (copy,) = other.take()
        assert copy.find(ns.CARBONS, "received") is not None

    def test_one_to_another_resource_does_not_wait_for_them(self, world: World, joe: Peer) -> None:
        jack, other = (world.bind(f"jack@localhost/{resource}", presence=None) for resource in "yz")
        jack.stream.received(b"<presence/>")
        other.stream.received(b"<presence/>")
        joe.stream.received(message("jack@localhost/z", body="late").encode())
        world.turn(100)
        assert "late" in other.bodies()


class TestMessagesThatRepeatTheirAddress:
    """What was worked out for the first holds for the next ones only while nothing has changed."""

    @pytest.fixture
    def joe(self, world: World) -> Peer:
        return world.bind("joe@localhost/x")

    @pytest.fixture
    def jack(self, world: World, joe: Peer) -> Peer:
        jack = world.bind("jack@localhost/y")
        joe.send(message("jack@localhost/y"))
        assert jack.bodies() == ["hi"]
        return jack

    def test_the_receiver_may_leave(self, world: World, joe: Peer, jack: Peer) -> None:
        jack.send("</stream:stream>")
        assert refusal(joe, message("jack@localhost/y", "normal")) == "service-unavailable"

    def test_another_may_take_its_place(self, world: World, joe: Peer, jack: Peer) -> None:
        other = world.bind("jack@localhost/y")
        joe.send(message("jack@localhost/y"))
        assert other.bodies() == ["hi"]

    def test_it_may_be_away_for_a_while(self, world: World, joe: Peer) -> None:
        jack = world.bind("jack@localhost/y", sm=True)
        joe.send(message("jack@localhost/y"))
        jack.take()
        jack.cut()
        joe.send(message("jack@localhost/y", body="later"))
        again = world.peer()
        again.login("jack")
        again.resume(jack.id, jack.h)
        assert again.h == jack.h + 1

    @pytest.mark.parametrize(("blocker", "blocked"), [("jack", "joe"), ("joe", "jack")])
    def test_one_may_block_the_other(self, world: World, joe: Peer, jack: Peer, blocker: str, blocked: str) -> None:
        peer = {"joe": joe, "jack": jack}[blocker]
        item = f"<item jid='{blocked}@localhost'/>"
        peer.send(f"<iq type='set' id='b'><block xmlns='{ns.BLOCKING}'>{item}</block></iq>")
        peer.take()
        assert refusal(joe, message("jack@localhost/y")) in ("service-unavailable", "not-acceptable")
        assert jack.take() == []
        peer.send(f"<iq type='set' id='u'><unblock xmlns='{ns.BLOCKING}'>{item}</unblock></iq>")
        joe.send(message("jack@localhost/y"))
        assert jack.bodies() == ["hi"]

    @pytest.mark.parametrize("user", ["joe", "jack"])
    def test_another_resource_may_want_copies(self, world: World, joe: Peer, jack: Peer, user: str) -> None:
        other = world.bind(f"{user}@localhost/2")
        other.send(f"<iq type='set' id='c'><enable xmlns='{ns.CARBONS}'/></iq>")
        other.take()
        for _ in range(2):
            joe.send(message("jack@localhost/y"))
        assert len([tree for tree in other.take() if tree.name == "message"]) == 2
        other.send(f"<iq type='set' id='c'><disable xmlns='{ns.CARBONS}'/></iq>")
        other.take()
        joe.send(message("jack@localhost/y"))
        assert other.take() == []

    def test_each_type_is_routed_for_itself(self, joe: Peer, jack: Peer) -> None:
        # RFC 6121 §8.5.3: of these only the chat waits for the account where the resource is gone
        for type in ("chat", "headline", "normal"):
            joe.send(message("jack@localhost/y", type))
        assert [tree.attributes["type"] for tree in jack.take()] == ["chat", "headline", "normal"]

    @pytest.mark.parametrize("to", ["jack@localhost/y", "jack@localhost"])
    def test_one_of_too_many_elements_to_be_read_is_refused_and_the_stream_goes_on(
        self, joe: Peer, jack: Peer, to: str
    ) -> None:
        forged = f"<stanza-id xmlns='{ns.STABLE_ID}' by='x@y' id='1'/><q xmlns='urn:q'>{'<e/>' * MAX_ELEMENTS}</q>"
        assert refusal(joe, message(to, more=forged)) == "bad-request"
        joe.send(message(to))
        assert jack.bodies() == ["hi"]
        assert not joe.closed

    def test_what_is_not_worth_keeping_has_no_id_and_what_is_has_one(self, joe: Peer, jack: Peer) -> None:
        joe.send(message("jack@localhost/y"))
        joe.send("<message to='jack@localhost/y' type='chat'><no-store xmlns='urn:xmpp:hints'/></message>")
        joe.send(message("jack@localhost/y"))
        ids = [tree.find(ns.STABLE_ID, "stanza-id") is not None for tree in jack.take()]
        assert ids == [True, False, True]

    def test_a_client_with_a_great_many_addresses_keeps_few_routes(self, world: World, joe: Peer, jack: Peer) -> None:
        client = world.service.domain.clients["joe@localhost/x"]
        for index in range(3 * MAX_ROUTES):
            joe.stream.received(message("jack@localhost/y", f"type{index}").encode())
        joe.send(message("jack@localhost/y", "t" * 2 * LONGEST_ADDRESS))
        assert len(jack.take()) == 3 * MAX_ROUTES + 1
        assert 0 < len(client.routes) <= MAX_ROUTES


class TestMessagesToAnAccount:
    @pytest.mark.parametrize("type", ["normal", "chat", "headline"])
    def test_every_available_resource_gets_them(self, world: World, type: str) -> None:
        # RFC 6121 §8.5.2.1.1
        joe = world.bind("joe@localhost/x")
        one, two = world.bind("jack@localhost/1"), world.bind("jack@localhost/2")
        one.take()
        joe.send(message("jack@localhost", type))
        assert one.bodies() == two.bodies() == ["hi"]

    def test_but_not_those_of_negative_priority(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        shy = world.bind("jack@localhost/1", presence="<presence><priority>-1</priority></presence>")
        other = world.bind("jack@localhost/2")
        shy.take()
        joe.send(message("jack@localhost"))
        assert (shy.bodies(), other.bodies()) == ([], ["hi"])

    def test_groupchat_is_refused(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        world.bind("jack@localhost/1")
        assert refusal(joe, message("jack@localhost", "groupchat")) == "service-unavailable"

    @pytest.mark.parametrize("type", ["normal", "chat"])
    def test_without_a_resource_they_wait(self, world: World, type: str) -> None:
        # RFC 6121 §8.5.2.2.1, XEP-0160
        joe = world.bind("joe@localhost/x")
        joe.send(message("jack@localhost", type))
        assert joe.take() == []
        world.advance(5)
        jack = world.bind("jack@localhost/y", presence=None)
        assert jack.take() == []
        (tree,) = jack.come()
        delay = tree.find(ns.DELAY, "delay")
        assert delay is not None
        assert delay.attributes == {"from": "localhost", "stamp": "1970-01-12T13:46:40.000Z"}

    @pytest.mark.parametrize("type", ["headline", "error"])
    def test_or_are_dropped(self, world: World, type: str) -> None:
        joe = world.bind("joe@localhost/x")
        joe.send(message("jack@localhost", type))
        jack = world.bind("jack@localhost/y", presence=None)
        assert joe.take() == jack.come() == []

    @pytest.mark.parametrize(
        "stanza",
        [
            "<message to='jack@localhost' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
            "<message to='jack@localhost' type='chat'><x xmlns='urn:x'/><no-store xmlns='urn:xmpp:hints'/></message>",
        ],
    )
    def test_what_is_of_the_moment_is_not_stored(self, world: World, stanza: str) -> None:
        # XEP-0160 §3, XEP-0334 §4
        joe = world.bind("joe@localhost/x")
        joe.send(stanza)
        jack = world.bind("jack@localhost/y", presence=None)
        assert joe.take() == jack.come() == []

    def test_what_is_not_to_be_stored_and_says_something_is_refused(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        stanza = message("jack@localhost", more="<no-store xmlns='urn:xmpp:hints'/>")
        assert refusal(joe, stanza) == "service-unavailable"

    def test_a_priority_that_rises_brings_what_waits(self, world: World) -> None:
        # R8
        joe = world.bind("joe@localhost/x")
        jack = world.bind("jack@localhost/y", presence="<presence><priority>-1</priority></presence>")
        joe.send(message("jack@localhost"))
        assert jack.take() == []
        jack.send("<presence><priority>0</priority></presence>")
        assert jack.bodies() == ["hi"]

    def test_a_message_to_a_resource_that_sent_no_presence_does_not_wait_for_it(self, world: World) -> None:
        # RFC 6121 §8.5.3.1: it MUST be delivered; what waits for the account waits for presence (§8.5.2.2.1).
        joe = world.bind("joe@localhost/x")
        joe.send(message("jack@localhost", body="1"))
        jack = world.bind("jack@localhost/y", presence=None)
        joe.send(message("jack@localhost/y", body="2"))
        assert jack.bodies() == ["2"]
        joe.send(message("jack@localhost", body="3"))
        jack.send("<presence/>")
        assert jack.bodies() == ["1", "3"]

    def test_what_waits_comes_before_what_is_new(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        for body in "123":
            joe.send(message("jack@localhost", body=body))
        again = world.crash()
        joe = again.bind("joe@localhost/x")
        jack = again.bind("jack@localhost/y", presence=None)
        jack.stream.received(b"<presence/>")
        joe.stream.received(message("jack@localhost", body="4").encode())
        again.turn()
        assert jack.bodies() == ["1", "2", "3", "4"]

    def test_a_connection_that_is_lost_in_the_same_turn_loses_nothing(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.stream.received(message("jack@localhost/y", body="1").encode())
        joe.stream.received(message("jack@localhost", body="2").encode())
        jack.cut()
        again = world.crash()
        jack = again.bind("jack@localhost/y", presence=None)
        jack.send("<presence/>")
        assert jack.bodies() == ["1", "2"]

    def test_neither_does_a_pause_of_the_broker(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        world.bind("jack@localhost/y")
        joe.stream.received(message("jack@localhost/y", body="1").encode())
        world.broker.stop()
        again = world.crash()
        jack = again.bind("jack@localhost/y", presence=None)
        jack.send("<presence/>")
        assert jack.bodies() == ["1"]


class TestOtherAddresses:
    def test_no_address_is_oneself(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        joe.send("<message><body>to me</body></message>")
        assert joe.bodies() == ["to me"]

    @pytest.mark.parametrize(
        ("to", "expected"),
        [
            ("nobody@localhost", "service-unavailable"),
            ("localhost", "service-unavailable"),
            ("joe@elsewhere.example", "remote-server-not-found"),
            ("pubsub.localhost", "service-unavailable"),
            ("@@", "jid-malformed"),
        ],
    )
    def test_where_nobody_is_it_is_refused(self, world: World, to: str, expected: str) -> None:
        joe = world.bind("joe@localhost/x")
        joe.send(message(to))
        tree = joe.one()
        assert condition(tree) == expected
        assert (tree.attributes["from"], tree.attributes["to"], tree.attributes["id"]) == (to, "joe@localhost/x", "m1")

    def test_an_error_is_never_answered_with_an_error(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        joe.send(message("nobody@localhost", "error"))
        joe.send("<iq type='result' id='1' to='nobody@localhost/x'/><iq type='error' id='1' to='nobody@localhost/x'/>")
        assert joe.take() == []


class TestStableIds:
    def test_a_stored_message_has_an_id_of_its_receivers(self, world: World) -> None:
        # XEP-0359
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(message("jack@localhost"))
        mark = jack.one().find(ns.STABLE_ID, "stanza-id")
        assert mark is not None
        assert mark.attributes["by"] == "jack@localhost"

    @pytest.mark.parametrize(
        "forged",
        [
            "<stanza-id xmlns='urn:xmpp:sid&#58;0' by='jack@localhost' id='forged'/>",
            "<s:stanza-id xmlns:s='urn:xmpp:sid&#x3a;0' by='jack@localhost' id='forged'/>",
            "<stanza-id xmlns='urn:xmpp:sid:0' by='JACK@LocalHost' id='forged'/>",
        ],
    )
    def test_ids_that_are_forged_with_care_are_removed_too(self, world: World, forged: str) -> None:
        # XEP-0359 §3.1: addresses are compared in their normal form
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(message("jack@localhost/y", more=forged))
        assert b"forged" not in jack.one().to_bytes()

    def test_what_no_archive_is_to_keep_still_waits_for_its_receiver(self, world: World) -> None:
        # XEP-0334 §3.3, §4.1
        joe = world.bind("joe@localhost/x")
        joe.send(message("jack@localhost", more="<no-permanent-store xmlns='urn:xmpp:hints'/>"))
        assert joe.take() == []
        assert world.bind("jack@localhost/y", presence=None).take() == []
        jack = world.bind("jack@localhost/z", presence=None)
        jack.send("<presence/>")
        assert jack.bodies() == ["hi"]

    def test_a_forged_one_is_removed_and_others_stay(self, world: World) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        forged = "<stanza-id xmlns='urn:xmpp:sid:0' by='jack@localhost' id='forged'/>"
        foreign = "<stanza-id xmlns='urn:xmpp:sid:0' by='room@elsewhere' id='foreign'/>"
        origin = "<origin-id xmlns='urn:xmpp:sid:0' id='origin'/>"
        joe.send(message("jack@localhost", more=forged + foreign + origin))
        data = jack.one().to_bytes()
        assert b"forged" not in data
        assert b"foreign" in data
        assert b"origin" in data

    def test_they_can_be_turned_off(self) -> None:
        world = World(settings(stanza_ids=False))
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(message("jack@localhost"))
        assert jack.one().find(ns.STABLE_ID, "stanza-id") is None


class TestRequests:
    def test_one_to_a_resource_and_its_answer_are_passed_on(self, world: World) -> None:
        # RFC 6121 §8.5.3.1
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send("<iq type='get' id='1' to='jack@localhost/y'><q xmlns='urn:q'/></iq>")
        assert jack.one().attributes["from"] == "joe@localhost/x"
        jack.send("<iq type='result' id='1' to='joe@localhost/x'><a xmlns='urn:q'/></iq>")
        assert joe.one().attributes == {
            "type": "result",
            "id": "1",
            "from": "jack@localhost/y",
            "to": "joe@localhost/x",
        }

    @pytest.mark.parametrize("to", ["", " to='nobody@localhost'", " to='elsewhere.example'"])
    @pytest.mark.parametrize("name", ["ping", "unknown"])
    def test_the_answer_to_one_with_an_empty_id_has_that_id(self, world: World, to: str, name: str) -> None:
        # RFC 6120 §8.1.3: the sender alone decides what an id means.
        joe = world.bind("joe@localhost/x")
        joe.send(f"<iq type='get' id=''{to}><{name} xmlns='{ns.PING}'/></iq>")
        assert joe.one().attributes["id"] == ""

    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            ("<iq type='get' id='1' to='jack@localhost/away'><q xmlns='u'/></iq>", "service-unavailable"),
            ("<iq type='get' id='1' to='jack@localhost'><q xmlns='u'/></iq>", "service-unavailable"),
            ("<iq type='get' id='1'><q xmlns='u'/></iq>", "service-unavailable"),
            ("<iq type='set' id='1' to='localhost'><q xmlns='u'/></iq>", "service-unavailable"),
            ("<iq type='get' id='1' to='elsewhere.example'><q xmlns='u'/></iq>", "remote-server-not-found"),
            ("<iq type='get' id='1' to='joe@elsewhere.example/x'><q xmlns='u'/></iq>", "remote-server-not-found"),
            ("<iq type='get' id='1'/>", "bad-request"),
            ("<iq type='get' id='1'><a xmlns='u'/><b xmlns='u'/></iq>", "bad-request"),
            ("<iq type='ask' id='1'><a xmlns='u'/></iq>", "bad-request"),
            ("<iq type='get'><a xmlns='u'/></iq>", "bad-request"),
            ("<iq type='get' id='1' to='@@'><a xmlns='u'/></iq>", "jid-malformed"),
        ],
    )
    def test_every_request_is_answered(self, world: World, request_: str, expected: str) -> None:
        # RFC 6120 §8.2.3, §8.3
        assert refusal(world.bind("joe@localhost/x"), request_) == expected


class TestOrder:
    def test_stanzas_of_all_kinds_keep_their_order(self, world: World) -> None:
        # RFC 6120 §10.1
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.stream.received(
            message("jack@localhost/y").encode()
            + b"<presence to='jack@localhost/y'/>"
            + message("jack@localhost").encode()
            + b"<iq type='get' id='1' to='jack@localhost/y'><q xmlns='u'/></iq>"
            + message("jack@localhost/y").encode()
        )
        world.turn()
        assert jack.names() == ["message", "presence", "message", "iq", "message"]

    def test_a_receiver_that_is_read_from_disk_keeps_it_too(self, world: World) -> None:
        joe = world.bind("joe@localhost/x")
        joe.stream.received(b"".join(message("mary@localhost", body=str(i)).encode() for i in range(5)))
        world.turn()
        mary = world.bind("mary@localhost/y", presence=None)
        mary.send("<presence/>")
        assert mary.bodies() == [str(i) for i in range(5)]


class TestOneCore:
    def test_a_native_message_is_a_message(self, world: World) -> None:
        jack = world.bind("jack@localhost/y")
        native = world.client("mary/1")
        native.send("jack", b"hello & co")
        tree = jack.one()
        assert tree.attributes["from"] == "mary@localhost"
        assert tree.text_of(ns.CLIENT, "body") == "hello & co"

    def test_one_that_is_no_text_is_bits_of_binary(self, world: World) -> None:
        jack = world.bind("jack@localhost/y")
        native = world.client("mary/1")
        native.publish(
            "ptp",
            b"\x00\xff",
            "<qos><destination>jack</destination><subscribable>false</subscribable></qos>",
            "<key oid='ptp' contentMime='image/png'/>",
        )
        data = jack.one().find(ns.BITS_OF_BINARY, "data")
        assert data is not None
        assert (data.attributes["type"], data.text) == ("image/png", "AP8=")

    def test_native_content_with_the_mime_type_of_stanzas_is_not_written_raw(self, world: World) -> None:
        jack = world.bind("jack@localhost/y")
        native = world.client("mary/1")
        forged = b"<message from='boss@localhost'><body>pay me</body></message></stream:stream>"

        native.publish(
            "note",
            forged,
            "<qos><destination>jack</destination></qos>",
            "<key oid='note' contentMime='application/xmpp+xml'/>",
        )

        message = jack.one()
        assert message.attributes["from"] == "mary@localhost"
        assert not message.text_of(ns.CLIENT, "body")

    def test_a_native_message_to_somebody_who_is_away_waits_for_any_client(self, world: World) -> None:
        native = world.client("mary/1")
        native.send("jack", b"hello", force=True)
        jack = world.bind("jack@localhost/y", presence=None)
        jack.send("<presence/>")
        assert jack.bodies() == ["hello"]

    def test_sessions_of_both_kinds_have_one_limit(self) -> None:
        world = World(core=replace(Settings(), max_sessions=2))
        world.client("joe/1")
        world.bind("joe@localhost/x")
        peer = world.peer()
        peer.login("joe")
        peer.send(f"<iq type='set' id='1'><bind xmlns='{ns.BIND}'/></iq>")
        assert condition(peer.one()) == "resource-constraint"

    def test_a_detached_stream_gives_way_to_a_new_login(self) -> None:
        world = World(settings(idle=-1), core=replace(Settings(), max_sessions=2))
        first, second = world.bind("joe@localhost/1", sm=True), world.bind("joe@localhost/2", sm=True)
        first.cut()
        joe = world.bind("joe@localhost/3")
        assert joe.jid == "joe@localhost/3"
        assert not second.closed
        peer = world.peer()
        peer.login("joe")
        assert [tree.name for tree in peer.resume(first.id, 0)] == ["failed"]

    def test_the_id_of_a_stream_opens_no_native_session(self, world: World) -> None:

        jack = world.bind("jack@localhost/y", sm=True)
        with pytest.raises(BrokerError):
            world.login.session(jack.id)
