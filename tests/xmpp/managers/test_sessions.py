"""Clients behind a connection manager that speaks in routes (spec connection-manager §4, §5, §12, §13)."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import ILogObserver, LogLevel, capturedLogs, formatEvent, globalLogPublisher
from zope.interface import implementer

from broker.xml.tree import Tree
from broker.xmpp.managers.handed import MAX_MESSAGES
from broker.xmpp.managers.link import HEARTBEAT, TURNS
from broker.xmpp.managers.manager import EARLY, MAX_EARLY_STANZAS, REMEMBERED
from broker.xmpp.managers.settings import ManagerSettings
from broker.xmpp.wire import ns, routes
from tests.xmpp.managers.world import Link, ManagerWorld, Routed
from tests.xmpp.world import DOMAIN, Peer, befriend, settings


@pytest.fixture
def world() -> ManagerWorld:
    return ManagerWorld(xmpp=settings(idle=-1))


@pytest.fixture
def link(world: ManagerWorld) -> Link:
    return world.link()


def text(client: Routed, to: str, body: str = "hi", more: str = "") -> None:
    """Have a client send a message."""
    client.send(f"<message to='{to}' type='chat'{more}><body>{body}</body></message>")


def error_of(answer: Tree) -> list[str]:
    """The conditions of an answer that refuses."""
    assert answer.attributes["type"] == "error"
    return [child.name for child in answer.children[-1].children if child.name != "text"]


class TestCreate:
    def test_answer_has_the_content_of_the_request_and_its_addresses_exchanged(self, link: Link) -> None:
        answer = link.create("cm1a")
        assert answer.attributes == {"type": "result", "id": "1-1", "from": DOMAIN, "to": link.jid}
        (session,) = answer.children
        assert (session.namespace, session.attributes["id"]) == (routes.PAYLOAD, "cm1a")
        (create,) = session.children
        assert create.find(routes.PAYLOAD, "host") is not None

    def test_it_is_answered_on_the_link_it_came_from(self, world: ManagerWorld) -> None:
        first, second = world.link(), world.link("cm1/2")
        second.create("cm1a")
        first.create("cm1b")

    def test_failed_logins_count_for_the_address_that_the_manager_tells(self, world: ManagerWorld, link: Link) -> None:
        for id, told, counted in (("a", "192.0.2.9", "192.0.2.9"), ("b", "no address", ""), ("c", "", "")):
            client = Routed(link, id, told)
            assert client.log_in("joe", "wrong") == ["failure"]
            assert world.security.failures[-1] == ("joe", counted)

    def test_managers_before_3_5_2_do_not_tell_the_host(self, link: Link) -> None:
        assert link.iq("cm1a", "<create/>").attributes["type"] == "result"

    def test_malformed_name_of_a_host_costs_its_client_alone(self, link: Link) -> None:
        for id, name in (("a", "x&y"), ("b", "a' address='192.0.2.1"), ("c", "<"), ("d", "]]>")):
            link.request(id, f"<create><host name='{name}' address='192.0.2.7'/></create>")
            answer = link.one()
            if answer.attributes["type"] == "error":
                assert answer.attributes["id"] == f"1-{link.count}"
                assert answer.children[0].attributes == {"id": id}
                assert [child.name for child in answer.children[0].children] == ["create"]
        assert link.create("e").attributes["type"] == "result"

    def test_too_many_clients_are_refused_with_the_content_that_makes_the_manager_close_them(self) -> None:
        world = ManagerWorld(ManagerSettings(max_pending=2))
        link = world.link()
        for id in "ab":
            assert link.create(id).attributes["type"] == "result"
        answer = link.create("c")
        assert error_of(answer) == ["resource-constraint"]
        assert answer.children[0].children[0].name == "create"
        client = Routed(link, "a")
        assert client.answer.attributes["type"] == "result"  # in place of the one before

    def test_one_address_cannot_take_all_places(self) -> None:
        link = ManagerWorld(ManagerSettings(max_pending_address=2)).link()
        answers = [link.create(id, "192.0.2.66").attributes["type"] for id in "abc"]
        assert answers == ["result", "result", "error"]
        assert link.create("d", "192.0.2.67").attributes["type"] == "result"

    def test_client_that_does_not_log_in_is_told_so_and_closed(self, world: ManagerWorld, link: Link) -> None:
        client = Routed(link, "a")
        world.advance(61)
        (error,) = client.take()
        assert error.children[0].name == "connection-timeout"
        assert client.closes() == ["a"]
        assert world.managers.links_of("cm1") == 1

    def test_routes_that_overtake_their_session_wait_for_it(self, world: ManagerWorld) -> None:
        first, second = world.link(), world.link("cm1/2")
        client = Routed.__new__(Routed)
        client.link, client.id, client.kept = first, "cm1a", []
        second.route("cm1a", f"<auth xmlns='{ns.SASL}' mechanism='NONE'/>")
        assert second.take() == []
        first.request("cm1a", "<create/>")
        assert client.names() == ["failure"]

    def test_routes_of_a_session_that_is_never_created_are_dropped_and_it_is_closed(self, world: ManagerWorld) -> None:
        _, link = world.link(), world.link("cm1/2")
        link.route("cm1a", "<presence/>")
        assert link.take() == []
        world.advance(EARLY)
        assert link.one().children[0].children[0].name == "close"
        for _ in range(MAX_EARLY_STANZAS + 1):
            link.route("cm1b", "<presence/>")
        assert link.one().children[0].attributes == {"id": "cm1b"}

    @pytest.mark.parametrize(("sessions", "told"), [(0, 0), (1, 1), (3, 1)])
    def test_log_tells_once_what_a_second_link_means_for_sessions_over_routes(
        self, world: ManagerWorld, sessions: int, told: int
    ) -> None:
        lines: list[str] = []

        @implementer(ILogObserver)
        def observe(event: Any) -> None:
            lines.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        try:
            links = [world.link(f"cm1/{number}") for number in range(3)]
            for number in range(sessions):
                links[number].create(f"cm1{number}")
        finally:
            globalLogPublisher.removeObserver(observe)
        assert len([line for line in lines if "out of order" in line]) == told


class TestDomain:
    def test_manager_of_another_domain_gets_no_session(self) -> None:
        link = ManagerWorld().link()
        with capturedLogs() as events:
            link.send(f"<iq type='result' to='example.org' from='{link.jid}' id='1'/>")
            link.send(
                f"<iq type='set' to='example.org' from='{link.jid}' id='2'>"
                f"<session xmlns='{routes.PAYLOAD}' id='cm1a'><create/></session></iq>"
            )
        answer = link.one()
        error = answer.find(routes.NAMESPACE, "error")
        assert error is not None
        assert [child.name for child in error.children] == ["item-not-found", "text"]
        assert error.text_of(ns.STANZAS, "text") == "this server serves localhost"
        assert [child.name for child in answer.children[0].children] == ["create"]
        assert [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn] == [
            "connection manager cm1 takes no clients: its xmpp.domain is example.org, and that of the broker localhost"
        ]

    def test_domain_is_compared_as_domains_are(self) -> None:
        link = ManagerWorld().link()
        link.send(
            f"<iq type='set' to='LocalHost' from='{link.jid}' id='2'>"
            f"<session xmlns='{routes.PAYLOAD}' id='cm1a'><create/></session></iq>"
        )
        assert link.one().attributes["type"] == "result"

    def test_two_links_of_one_address_are_warned_of_once(self) -> None:
        world = ManagerWorld()
        with capturedLogs() as events:
            for _ in range(3):
                world.link("cm1/Connection Worker - 1")
            world.link("cm1/Connection Worker - 2")
        (warning,) = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
        assert warning.startswith("two links of the connection manager cm1 are called cm1/Connection Worker - 1: ")


class TestRequests:
    def test_session_without_id_is_refused(self, link: Link) -> None:
        assert error_of(link.iq("", "<create/>")) == ["bad-request", "id-required"]

    def test_what_is_not_known_is_refused(self, link: Link) -> None:
        assert error_of(link.iq("a", "<destroy/>")) == ["bad-request"]
        assert error_of(link.iq("a", "")) == ["bad-request"]
        link.send("<iq type='get' id='1' from='cm1/x'><query xmlns='jabber:iq:version'/></iq>")
        assert error_of(link.one()) == ["service-unavailable"]

    def test_route_without_id_is_refused(self, link: Link) -> None:
        link.send("<route to='localhost'><message/></route>")
        route = link.one()
        assert route.attributes == {"from": DOMAIN, "to": link.jid, "type": "error"}
        assert [child.name for child in route.children[0].children] == ["bad-request", "id-required"]

    def test_unknown_session_is_closed(self, link: Link) -> None:
        link.route("who", "<message/>")
        request = link.one()
        assert request.attributes["type"] == "set"
        assert request.attributes["to"] == "cm1"
        assert request.children[0].attributes == {"id": "who"}
        assert [child.name for child in request.children[0].children] == ["close"]

    def test_closing_an_unknown_session_is_refused(self, link: Link) -> None:
        assert error_of(link.iq("who", "<close/>")) == ["item-not-found"]


class TestStanzas:
    def test_messages_go_both_ways(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        text(joe, "jack@localhost/y", "to")
        jack.send("<message to='joe@localhost/x' type='chat'><body>fro</body></message>")
        assert (jack.bodies(), joe.bodies()) == (["to"], ["fro"])

    @pytest.mark.parametrize("namespace", ["", f" xmlns='{ns.CLIENT}'", f" xmlns='{routes.NAMESPACE}'"])
    def test_stanza_is_of_a_client_whatever_it_says(self, world: ManagerWorld, namespace: str) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        text(joe, "jack@localhost/y", "hi<x xmlns='urn:x'><y/></x>", namespace)
        message = jack.one()
        body = message.find(ns.CLIENT, "body")
        assert (message.namespace, body is not None) == (ns.CLIENT, True)
        assert body is not None
        assert [(child.namespace, child.children[0].namespace) for child in body.children] == [("urn:x", "urn:x")]

    def test_each_route_has_one_element(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        jack.send("".join(f"<message to='joe@localhost/x'><body>{n}</body><x xmlns='u'/></message>" for n in range(5)))
        data = joe.link.transport.data
        assert data.count(b"<route ") == data.count(b"</route>") == 5
        assert joe.bodies() == list("01234")

    def test_element_called_route_can_be_in_a_stanza(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send("<message to='jack@localhost/y'><body>1</body><route xmlns='urn:r'><route/></route></message>")
        text(joe, "jack@localhost/y", "2")
        assert jack.bodies() == ["1", "2"]

    @pytest.mark.parametrize(
        "malformed",
        [
            "<message><body>&#1;</body></message>",
            "<message><!-- comment --><body/></message>",
            "<message><body></message>",
            "<message",
            "<message to='a><body/></message>",
            "<message><x:body/></message>",
            "<message>&unknown;</message>",
            "<?pi?>",
            "text",
            "<a>" * 100 + "</a>" * 100,
        ],
    )
    def test_malformed_stanza_ends_one_session_and_not_the_others(self, world: ManagerWorld, malformed: str) -> None:
        link = world.link()
        joe, mary = world.routed("joe@localhost/x", link, "a"), world.routed("mary@localhost/z", link, "b")
        jack = world.bind("jack@localhost/y")
        joe.send(malformed)
        joe.send("<message to='jack@localhost/y'><body>after</body></message>")
        assert joe.names() == ["error"]
        assert joe.closes() == ["a"]
        assert jack.bodies() == []
        text(mary, "jack@localhost/y", "fine")
        assert jack.bodies() == ["fine"]
        assert not link.transport.closed

    def test_end_tag_of_a_stream_in_a_route_ends_that_clients_stream(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        joe.send("</stream:stream>")
        assert joe.names() == []
        assert joe.closes() == ["cm1a"]
        assert not joe.link.transport.closed

    def test_bytes_that_are_not_utf8_end_one_session(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        joe.link.send(b"<route streamid='cm1a'><message><body>\xff</body></message></route>")
        assert joe.names() == ["error"]
        assert joe.closes() == ["cm1a"]

    def test_stanza_that_is_too_long_ends_one_session(self, world: ManagerWorld) -> None:
        link = world.link()
        joe, mary = world.routed("joe@localhost/x", link, "a"), world.routed("mary@localhost/z", link, "b")
        for size in (world.xmpp.max_stanza, 3 * world.xmpp.max_stanza):
            client = joe if size == world.xmpp.max_stanza else mary
            text(client, "jack@localhost", "x" * size)
            (error,) = client.take()
            assert error.children[0].name == "policy-violation"
            assert client.closes() == [client.id]
        assert link.create("c").attributes["type"] == "result"

    def test_what_came_before_a_stanza_that_is_too_long_is_handled(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        first = "<message to='jack@localhost/y'><body>first</body></message>"
        long = f"<message><body>{'x' * 2 * world.xmpp.max_stanza}</body></message>"
        joe.link.send(f"<route streamid='cm1a'>{first}</route><route streamid='cm1a'>{long}</route>")
        assert jack.bodies() == ["first"]
        assert joe.names() == ["error"]

    def test_stanza_of_a_stranger_may_be_short_only(self, world: ManagerWorld, link: Link) -> None:
        client = Routed(link, "a")
        client.send(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{'x' * world.xmpp.max_stanza_before_login}</auth>")
        (error,) = client.take()
        assert error.children[0].name == "policy-violation"

    def test_forged_sender_ends_the_session_as_on_a_connection(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        text(joe, "jack@localhost", "hi", " from='mary@localhost'")
        (error,) = joe.take()
        assert error.children[0].name == "invalid-from"
        assert joe.closes() == ["cm1a"]

    def test_session_of_another_manager_cannot_be_named(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        other = world.link("cm2/1")
        other.route("cm1a", "<message to='jack@localhost/y'><body>forged</body></message>")
        other.iq("cm1a", "<close/>")
        assert jack.bodies() == []
        jack.send("<message to='joe@localhost/x'><body>hi</body></message>")
        assert joe.bodies() == ["hi"]

    def test_starttls_in_a_route_ends_the_session(self, link: Link) -> None:
        client = Routed(link, "a")
        client.send(f"<starttls xmlns='{ns.TLS}'/>")
        client.take()
        assert client.closes() == ["a"]

    def test_client_that_was_idle_is_served_as_before(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        for number in range(3):
            world.advance(HEARTBEAT)
            joe.link.send(" ")
            text(joe, "jack@localhost/y", str(number), " xml:lang='de'")
        assert jack.bodies() == list("012")

    def test_what_waits_for_one_client_is_bounded_and_others_go_on(self) -> None:
        world = ManagerWorld(ManagerSettings(max_waiting=100_000))
        link = world.link()
        joe, mary = world.routed("joe@localhost/x", link, "a"), world.routed("mary@localhost/z", link, "b")
        session = link.link._manager.sessions["a"]  # type: ignore[union-attr]
        session.hold("a test")
        for _ in range(11):
            joe.send(f"<message to='jack@localhost'><body>{'x' * 10_000}</body></message>")
        (error,) = joe.take()
        assert error.children[0].name == "policy-violation"
        assert joe.closes() == ["a"]
        mary.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert mary.one().attributes["type"] == "result"

    def test_what_waits_for_all_clients_that_are_held_is_bounded(self) -> None:
        world = ManagerWorld(ManagerSettings(max_waiting_total=100_000))
        link = world.link()
        users = ("joe", "jack", "mary")
        clients = [world.routed(f"{user}@localhost/x", link, user) for user in users]
        for user in users:
            link.link._manager.sessions[user].hold("a test")  # type: ignore[union-attr]
        for client in clients:
            client.send(f"<message to='jack@localhost'><body>{'x' * 45_000}</body></message>")
        assert [client.names() for client in clients[:2]] == [[], []]
        assert clients[0].closes() + clients[1].closes() + clients[2].closes() == ["mary"]

    def test_link_is_not_read_while_too_much_waits_for_turns(self, world: ManagerWorld) -> None:
        link = world.link()
        clients = [world.routed(f"{user}@localhost/x", link, user) for user in ("joe", "jack", "mary")]
        message = f"<message to='nobody@elsewhere'><body>{'x' * 1_000_000}</body></message>"
        for _ in range(3):
            for client in clients:
                link.link.received(f"<route streamid='{client.id}'>{message}</route>".encode())
        assert link.transport.held == {TURNS}
        world.turn()
        assert link.transport.held == set()

    def test_what_waited_is_handled_in_order(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        session = joe.link.link._manager.sessions["cm1a"]  # type: ignore[union-attr]
        text(joe, "jack@localhost/y", "1")
        session.hold("a test")
        text(joe, "jack@localhost/y", "2")
        text(joe, "jack@localhost/y", "3")
        assert jack.bodies() == ["1"]
        session.release("a test")
        text(joe, "jack@localhost/y", "4")
        assert jack.bodies() == ["2", "3", "4"]

    def test_clients_of_a_link_that_is_full_get_nothing_until_it_has_room(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.link.link.set_writable(False)
        jack.send("<message to='joe@localhost/x'><body>hi</body></message>")
        assert joe.bodies() == []
        joe.link.link.set_writable(True)
        world.turn()
        assert joe.bodies() == ["hi"]


class TestEnds:
    def friends(self, world: ManagerWorld, link: Link | None = None) -> tuple[Routed, Peer]:
        joe, jack = world.routed("joe@localhost/x", link), world.bind("jack@localhost/y")
        jack.send("<presence type='subscribe' to='joe@localhost'/>")
        joe.send("<presence type='subscribed' to='jack@localhost'/>")
        joe.take()
        jack.take()
        return joe, jack

    def test_close_is_answered_with_its_content_and_the_client_is_gone_once(self, world: ManagerWorld) -> None:
        joe, jack = self.friends(world)
        answer = joe.link.iq("cm1a", "<close/>")
        assert answer.attributes["type"] == "result"
        assert answer.children[0].children[0].name == "close"
        assert [tree.attributes.get("type") for tree in jack.take()] == ["unavailable"]
        world.advance(100)
        assert jack.take() == []

    def test_close_of_the_manager_behind_the_servers_own_is_answered(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        joe.send("<message from='mary@localhost'/>")
        joe.take()
        assert joe.closes() == ["cm1a"]
        assert joe.link.iq("cm1a", "<close/>").attributes["type"] == "result"

    def test_what_has_come_before_the_close_is_handled(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        session = f"<session xmlns='{routes.PAYLOAD}' id='cm1a'><close/></session>"
        joe.link.send(
            "<route streamid='cm1a'><message to='jack@localhost/y'><body>last</body></message></route>"
            f"<iq type='set' id='c'>{session}</iq>"
        )
        assert jack.bodies() == ["last"]

    def test_resource_that_is_bound_again_is_told_and_closed(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        world.bind("joe@localhost/x")
        (error,) = joe.take()
        assert (error.namespace, error.children[0].name) == (ns.STREAM, "conflict")
        assert joe.closes() == ["cm1a"]

    def test_lost_link_moves_its_clients_to_another_one(self, world: ManagerWorld) -> None:
        first, second = world.link(), world.link("cm1/2")
        joe, jack = self.friends(world, first)
        first.cut()
        joe.link = second
        jack.send("<message to='joe@localhost/x'><body>hi</body></message>")
        assert joe.bodies() == ["hi"]
        assert jack.take() == []

    def test_client_stays_on_its_link_whatever_link_its_stanzas_come_over(self, world: ManagerWorld) -> None:
        first, second = world.link(), world.link("cm1/2")
        joe, jack = self.friends(world, first)
        second.route("cm1a", "<message to='jack@localhost/y'><body>over the second</body></message>")
        assert jack.bodies() == ["over the second"]
        jack.send("<message to='joe@localhost/x'><body>over the first</body></message>")
        assert joe.bodies() == ["over the first"]
        assert second.take() == []

    def test_clients_wait_for_a_link_of_their_manager(self, world: ManagerWorld) -> None:
        joe, jack = self.friends(world)
        joe.link.cut()
        jack.send("<message to='joe@localhost/x'><body>hi</body></message>")
        world.advance(59)
        world.link("cm2/1")
        handshake, configuration, route = Link(world).log_in()
        assert (handshake.name, configuration.name, route.attributes["streamid"]) == ("handshake", "iq", "cm1a")
        assert route.children[0].attributes["from"] == "jack@localhost/y"
        assert jack.take() == []
        world.advance(100)
        assert jack.take() == []

    def test_clients_are_lost_once_when_their_manager_does_not_come_back(self, world: ManagerWorld) -> None:
        joe, jack = self.friends(world)
        joe.link.cut()
        world.advance(59)
        assert jack.take() == []
        world.advance(2)
        assert [tree.attributes.get("type") for tree in jack.take()] == ["unavailable"]
        jack.send("<message to='joe@localhost' type='chat'><body>later</body></message>")
        assert world.bind("joe@localhost/x").take() == []

    def test_what_came_before_the_link_was_lost_is_answered_over_the_next_one(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        joe.link.link.received(
            b"<route streamid='cm1a'><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq></route>"
        )
        joe.link.cut()
        answer = Link(world).log_in()[-1]
        assert [child.attributes["id"] for child in answer.children] == ["p"]

    def test_ids_that_a_restarted_manager_gives_again_are_of_new_clients(self, world: ManagerWorld) -> None:
        joe, jack = self.friends(world)
        joe.link.cut()
        link = world.link()
        client = Routed(link, "cm1a")
        assert [tree.attributes.get("type") for tree in jack.take()] == ["unavailable"]
        assert client.log_in("mary") == ["success"]


class TestFailed:
    MESSAGE = "<message from='jack@localhost/y' to='joe@localhost/x' type='chat'><body>lost</body></message>"

    def failed(self, joe: Routed, content: str = MESSAGE) -> Tree:
        return joe.link.iq("cm1a", f"<failed>{content}</failed>")

    def handed(self, world: ManagerWorld, messages: str = MESSAGE) -> tuple[Routed, list[str]]:
        """A client that is gone, and the messages that its manager was handed."""
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y", presence=None)
        jack.send(messages)
        came = self.texts(joe)
        joe.link.iq("cm1a", "<close/>")
        return joe, came

    def texts(self, joe: Routed) -> list[str]:
        """The messages that have come."""
        return [tree.to_bytes(ns.CLIENT).decode() for tree in joe.take()]

    def kept(self, world: ManagerWorld) -> list[str]:
        """What waits for the account."""
        peer = world.peer()
        peer.login("joe")
        peer.bind("z")
        return [tree.text_of(ns.CLIENT, "body") for tree in peer.come()]

    def test_message_behind_the_close_waits_for_the_account(self, world: ManagerWorld) -> None:
        joe, (message,) = self.handed(world)
        answer = self.failed(joe, message)
        assert answer.attributes["type"] == "result"
        assert answer.children[0].children[0].name == "failed"
        peer = world.peer()
        peer.login("joe")
        peer.bind("z")
        (kept,) = peer.come()
        assert kept.text_of(ns.CLIENT, "body") == "lost"
        assert kept.attributes["from"] == "jack@localhost/y"
        assert kept.find(ns.DELAY, "delay") is not None

    def test_message_survives_a_crash_behind_the_answer(self, world: ManagerWorld) -> None:
        joe, (message,) = self.handed(world)
        self.failed(joe, message)
        after = world.restarted()
        peer = after.peer()
        peer.login("joe")
        peer.bind("z")
        assert [tree.text_of(ns.CLIENT, "body") for tree in peer.come()] == ["lost"]

    def test_answer_comes_when_the_message_is_on_disk(self, world: ManagerWorld) -> None:
        joe, (message,) = self.handed(world)
        session = f"<session xmlns='{routes.PAYLOAD}' id='cm1a'><failed>{message}</failed></session>"
        joe.link.link.received(f"<iq type='set' id='f'>{session}</iq>".encode())
        assert joe.link.take() == []
        assert world.store.position > world.store.committed
        world.turn()
        assert joe.link.one().attributes["id"] == "f"

    def test_message_goes_to_another_client_of_the_account_at_once(self, world: ManagerWorld) -> None:
        joe, (message,) = self.handed(world)
        other = world.bind("joe@localhost/z")
        other.take()
        self.failed(joe, message)
        assert other.bodies() == ["lost"]

    def test_session_whose_message_could_not_be_delivered_is_gone(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        jack.send(self.MESSAGE)
        (message,) = self.texts(joe)
        assert self.failed(joe, message).attributes["type"] == "result"
        assert "joe@localhost/x" not in world.service.domain.clients

    def test_message_of_a_resumable_stream_is_not_doubled(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(f"<enable xmlns='{ns.SM}' resume='true'/>")
        (enabled,) = [tree for tree in joe.take() if tree.name == "enabled"]
        jack.send(self.MESSAGE)
        joe.take()
        joe.link.iq("cm1a", "<close/>")
        assert self.failed(joe).attributes["type"] == "result"
        again = Routed(joe.link, "cm1b")
        again.log_in("joe")
        again.send(f"<resume xmlns='{ns.SM}' h='0' previd='{enabled.attributes['id']}'/>")
        assert again.bodies() == ["lost"]
        other = world.bind("joe@localhost/z", presence=None)
        other.send("<presence/>")
        assert other.bodies() == []

    def test_what_is_not_worth_keeping_is_not_kept(self, world: ManagerWorld) -> None:
        headline = self.MESSAGE.replace("chat", "headline")
        joe, (message,) = self.handed(world, headline)
        assert self.failed(joe, message).attributes["type"] == "result"
        assert self.kept(world) == []

    @pytest.mark.parametrize(
        ("said", "forged"),
        [
            ("jack@localhost/y", "boss@localhost"),
            (" from='jack@localhost/y'", ""),
            ("lost", "pay"),
            ("<body>", "<body/><body>"),
            ("joe@localhost/x", "joe@localhost"),
        ],
    )
    def test_message_that_the_manager_was_not_handed_is_refused(
        self, world: ManagerWorld, said: str, forged: str
    ) -> None:
        joe, (message,) = self.handed(world)
        assert said in message
        with capturedLogs() as events:
            assert error_of(self.failed(joe, message.replace(said, forged))) == ["item-not-found"]
        assert "it gives back a message that it was not handed" in str(formatEvent(events[0]))
        assert self.kept(world) == []

    def test_message_of_another_client_of_the_manager_is_refused(self, world: ManagerWorld) -> None:
        joe, (message,) = self.handed(world)
        other = world.routed("jack@localhost/z", joe.link, "cm1b")
        answer = other.link.iq("cm1b", f"<failed>{message}</failed>")
        assert error_of(answer) == ["item-not-found"]

    def test_message_is_given_back_once(self, world: ManagerWorld) -> None:
        joe, (message,) = self.handed(world)
        assert self.failed(joe, message).attributes["type"] == "result"
        assert error_of(self.failed(joe, message)) == ["item-not-found"]
        assert self.kept(world) == ["lost"]

    def test_message_may_be_written_anew(self, world: ManagerWorld) -> None:
        joe, (message,) = self.handed(
            world, "<message to='joe@localhost/x'><body>a &amp; b</body><x xmlns='urn:x'><z a='&quot;'/></x></message>"
        )
        anew = message.replace("&amp;", "<![CDATA[&]]>").replace("<message", "<message xmlns='jabber:client'")
        anew = anew.replace("<x xmlns='urn:x'><z a='&quot;'/></x>", "<q:x xmlns:q='urn:x'><q:z a='&#34;'></q:z></q:x>")
        assert "q:z" in anew
        assert self.failed(joe, anew).attributes["type"] == "result"
        assert self.kept(world) == ["a & b"]

    def test_only_so_many_messages_are_remembered(self, world: ManagerWorld) -> None:
        texts = [self.MESSAGE.replace("lost", str(number)) for number in range(MAX_MESSAGES + 1)]
        joe, handed = self.handed(world, "".join(texts))
        assert error_of(self.failed(joe, handed[0])) == ["item-not-found"]
        assert self.failed(joe, handed[1]).attributes["type"] == "result"

    def test_anything_but_one_message_is_refused(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        assert error_of(self.failed(joe, "")) == ["bad-request", "invalid-payload"]
        assert error_of(self.failed(joe, "<message/><message/>")) == ["bad-request", "invalid-payload"]
        assert error_of(self.failed(joe, "<presence/>")) == ["bad-request", "unknown-stanza"]

    def test_session_that_is_unknown_or_long_gone_is_refused(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        joe.link.iq("cm1a", "<close/>")
        world.advance(REMEMBERED)
        assert error_of(self.failed(joe)) == ["item-not-found"]

    def test_session_that_had_not_logged_in_is_refused(self, link: Link) -> None:
        client = Routed(link, "cm1a")
        assert error_of(self.failed(client)) == ["item-not-found"]

    def test_request_that_the_manager_bounces_is_answered(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.link.iq("cm1a", "<close/>")
        error = "<error type='wait'><unexpected-request/></error>"
        joe.send(f"<iq from='mary@localhost/z' to='jack@localhost/y' type='error' id='q'>{error}</iq>")
        assert jack.take() == []
        joe.send(f"<iq from='joe@localhost/x' to='jack@localhost/y' type='error' id='q'>{error}</iq>")
        answer = jack.one()
        assert (answer.attributes["id"], answer.attributes["from"]) == ("q", "joe@localhost/x")
        assert error_of(answer) == ["service-unavailable"]


class TestStreamManagement:
    def test_a_stream_is_resumed_over_another_manager_and_directly(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(f"<enable xmlns='{ns.SM}' resume='true'/>")
        id = joe.one().attributes["id"]
        joe.send(f"<r xmlns='{ns.SM}'/>")
        assert joe.one().attributes == {"h": "0"}
        joe.link.iq("cm1a", "<close/>")
        jack.send("<message to='joe@localhost/x'><body>1</body></message>")
        again = Routed(world.link("cm2/1"), "b")
        again.log_in("joe")
        again.send(f"<resume xmlns='{ns.SM}' h='0' previd='{id}'/>")
        assert [tree.name for tree in again.take()][:2] == ["resumed", "message"]
        peer = world.peer()
        peer.login("joe")
        assert [tree.name for tree in peer.resume(id, 1)] == ["resumed"]
        (error,) = again.take()
        assert error.children[0].name == "conflict"
        assert again.closes() == ["b"]

    @pytest.mark.parametrize("other_link", [True, False])
    def test_a_stream_whose_link_is_lost_must_be_resumed(self, world: ManagerWorld, other_link: bool) -> None:
        # given a message that is lost on its way over the link
        first = world.link()
        second = world.link("cm1/2") if other_link else None
        joe, jack = world.routed("joe@localhost/x", first), world.bind("jack@localhost/y")
        joe.send(f"<enable xmlns='{ns.SM}' resume='true'/>")
        id = joe.one().attributes["id"]
        jack.send("<message to='joe@localhost/x'><body>1</body></message>")
        # when
        first.cut()
        trees = second.take() if second is not None else Link(world).log_in()[2:]
        # then nothing of what follows is counted in its place
        error, request = trees
        assert error.children[0].children[0].name == "connection-timeout"
        assert request.children[0].attributes == {"id": "cm1a"}
        jack.send("<message to='joe@localhost/x'><body>2</body></message>")
        peer = world.peer()
        peer.login("joe")
        peer.resume(id, 0)
        peer.send(f"<r xmlns='{ns.SM}'/>")
        assert peer.h == 2
        world.advance(100)
        assert "joe@localhost/x" in world.service.domain.clients

    def test_a_stream_is_resumed_after_a_crash(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(f"<enable xmlns='{ns.SM}' resume='true'/>")
        id = joe.one().attributes["id"]
        jack.send("<message to='joe@localhost/x' type='chat'><body>1</body></message>")
        assert [tree.name for tree in joe.take()][:1] == ["message"]
        after = world.restarted()
        again = Routed(after.link(), "b")
        again.log_in("joe")
        again.send(f"<resume xmlns='{ns.SM}' h='0' previd='{id}'/>")
        assert [tree.name for tree in again.take()][:2] == ["resumed", "message"]


class TestShutdown:
    def test_what_is_on_its_way_goes_out_before_the_manager_is_told(self, world: ManagerWorld) -> None:
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(f"<enable xmlns='{ns.SM}' resume='true'/>")
        id = joe.one().attributes["id"]
        joe.link.link.received(
            b"<route streamid='cm1a'><message to='jack@localhost/y'><body>last</body></message></route>"
        )
        joe.link.link.shut_down()
        world.turn()
        assert jack.bodies() == ["last"]
        trees = joe.link.take()
        assert [tree.name for tree in trees] == ["route", "error"]
        assert trees[0].children[0].attributes == {"h": "1"}
        assert trees[1].children[0].name == "system-shutdown"
        assert joe.link.closed
        peer = world.peer()
        peer.login("joe")
        assert [tree.name for tree in peer.resume(id, 0)] == ["resumed"]

    def test_link_without_clients_is_told_at_once_and_no_more_come(self, world: ManagerWorld) -> None:
        link = world.link()
        client = Routed(link, "a")
        client.log_in("joe")
        link.link.shut_down()
        world.turn()
        names = [tree.name for tree in link.take()]
        assert names[-1] == "error"
        assert link.transport.closed

    def test_clients_without_a_link_are_lost_at_once(self, world: ManagerWorld) -> None:
        joe = world.routed("joe@localhost/x")
        joe.link.cut()
        world.managers.stop()
        assert "joe@localhost/x" not in world.service.domain.clients


def test_befriended_clients_behind_two_managers_see_each_other(world: ManagerWorld) -> None:
    joe, mary = world.routed("joe@localhost/x"), world.routed("mary@localhost/z", world.link("cm2/1"), "cm2a")
    befriend(joe, mary)  # type: ignore[arg-type]
    mary.send("<presence><show>away</show></presence>")
    (presence,) = joe.take()
    assert presence.text_of(ns.CLIENT, "show") == "away"


def test_thousands_of_creates_are_bounded_and_others_are_served(world: ManagerWorld) -> None:
    small = ManagerWorld(ManagerSettings(max_pending=100))
    flooder = small.link("flooder/1")
    for number in range(1000):
        session = f"<session xmlns='{routes.PAYLOAD}' id='{number}'><create/></session>"
        flooder.link.received(f"<iq type='set' id='{number}'>{session}</iq>".encode())
    answers = flooder.take()
    assert [tree.attributes["type"] for tree in answers].count("result") == 100
    joe = small.routed("joe@localhost/x")
    joe.send("<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert joe.one().attributes["type"] == "result"
    before = small.timers
    flooder.cut()
    small.advance(61)
    assert small.timers < before
    assert small.managers.links_of("flooder") == 0
