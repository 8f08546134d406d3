"""In front of a server that speaks routes only, the manager answers headers and features itself."""

from __future__ import annotations

import pytest
from twisted.logger import capturedLogs, formatEvent

from broker.xml.tree import Tree
from broker.xmpp.wire import ns, routes
from tests.manager.fake_server import DOMAIN, FakeServer, configuration
from tests.manager.world import AUTH, ENABLE, HEADER, SUCCESS, Person, World, message

START_TLS = f"<starttls xmlns='{ns.TLS}'/>".encode()
HELLO = "<message from='jane@example.test/x' to='joe@example.test'><body>hi</body></message>"


def world() -> World:
    return World(xmpp_domain=DOMAIN)


def session(server: FakeServer) -> tuple[Person, str]:
    """A client that has begun its stream."""
    person = server.world.person()
    person.send(HEADER)
    return person, server.create()


def logged_in(server: FakeServer) -> tuple[Person, str]:
    """A client that has logged in."""
    person, id = session(server)
    person.send(AUTH)
    server.route(id, SUCCESS.decode())
    person.send(HEADER)
    server.routed()
    person.take()
    return person, id


class TestBegin:
    def test_the_server_is_asked_with_the_address_of_the_client(self) -> None:
        server = FakeServer(world())
        server.world.person().send(HEADER)
        (iq,) = server.take("iq")
        assert (iq.attributes["type"], iq.attributes["to"], iq.attributes["from"]) == ("set", DOMAIN, "cm1/link-1")
        create = iq.children[0].find(routes.PAYLOAD, "create")
        assert create is not None
        assert create.children[0].attributes == {"name": "198.51.100.7", "address": "198.51.100.7"}

    def test_ids_of_sessions_begin_with_the_managers_name_and_cannot_be_guessed(self) -> None:
        server = FakeServer(world())
        ids = {session(server)[1] for _ in range(10)}
        assert len(ids) == 10
        assert all(id.startswith("cm1") and len(id) >= len("cm1") + 32 for id in ids)

    def test_the_client_is_answered_when_the_server_has_consented(self) -> None:
        server = FakeServer(world())
        person = server.world.person()
        person.send(HEADER + AUTH)
        assert not person.take()
        id = server.create()
        told = person.take().decode()
        assert f"id='{id}' from='{DOMAIN}'" in told
        mechanisms = f"<mechanisms xmlns='{ns.SASL}'><mechanism>PLAIN</mechanism></mechanisms>"
        assert told.endswith(f"<stream:features>{mechanisms}</stream:features>")
        assert [each.name for each in server.routed()] == ["auth"]

    def test_a_server_that_does_not_answer_costs_the_client_a_stream_error(self) -> None:
        server = FakeServer(world())
        person = server.world.person()
        person.send(HEADER)
        server.world.wait(server.world.settings.patience)
        told = person.take()
        assert told.startswith(b"<?xml version='1.0'?><stream:stream ")
        assert b"<remote-connection-failed" in told
        person.leave()
        assert [what for what, _ in server.requests()] == ["create", "close"]

    def test_the_log_tells_once_why_a_server_refuses_clients(self) -> None:
        server = FakeServer(world())
        with capturedLogs() as events:
            for _ in range(3):
                server.world.person().send(HEADER)
                ((_, id),) = [each for each in server.requests() if each[0] == "create"]
                server.answer(id, "item-not-found", "this server serves localhost")
        assert [formatEvent(event) for event in events] == [
            "server:5262 refuses a client: item-not-found (this server serves localhost)"
        ]

    def test_a_server_that_refuses_a_client_is_told_by_a_stream_error(self) -> None:
        server = FakeServer(world())
        person = server.world.person()
        person.send(HEADER)
        ((_, id),) = server.requests()
        server.answer(id, "not-allowed")
        assert b"<policy-violation" in person.take()

    @pytest.mark.parametrize(
        ("header", "condition"),
        [
            (HEADER.replace(b" version='1.0'", b""), b"<unsupported-version"),
            (HEADER.replace(ns.CLIENT.encode(), b"jabber:server"), b"<invalid-namespace"),
        ],
    )
    def test_streams_of_another_kind_are_refused(self, header: bytes, condition: bytes) -> None:
        server = FakeServer(world())
        person = server.world.person()
        person.send(header)
        assert condition in person.take()


class TestTls:
    def test_it_is_the_managers_and_the_server_is_not_told(self) -> None:
        server = FakeServer(world(), tls=" ")
        person, _ = session(server)
        assert START_TLS in person.take()
        person.send(START_TLS)
        assert person.take() == f"<proceed xmlns='{ns.TLS}'/>".encode()
        assert person.socket.starts_tls
        person.finish_tls()
        person.send(HEADER)
        assert b"<starttls" not in person.take()
        assert not server.routed()

    def test_nothing_comes_before_it_where_the_server_requires_it(self) -> None:
        server = FakeServer(world(), tls="<required/>")
        person, _ = session(server)
        told = person.take()
        assert b"<required/>" in told
        assert b"<mechanisms" not in told
        person.send(AUTH)
        assert b"<policy-violation" in person.take()
        assert not server.routed()

    def test_it_fails_where_it_is_not_offered(self) -> None:
        person, _ = session(FakeServer(world()))
        person.take()
        person.send(START_TLS)
        assert person.take() == f"<failure xmlns='{ns.TLS}'/></stream:stream>".encode()
        assert person.socket.end == "closed"


class TestLogin:
    def test_the_stream_begins_anew_without_the_server(self) -> None:
        server = FakeServer(world())
        person, id = session(server)
        person.send(AUTH)
        person.take()
        server.routed()
        server.route(id, SUCCESS.decode())
        assert person.take() == SUCCESS
        person.send(HEADER)
        assert person.take().endswith(
            f"<stream:features><bind xmlns='{ns.BIND}'/><session xmlns='{ns.SESSION}'/></stream:features>".encode()
        )
        assert not server.requests()
        assert not server.routed()

    def test_answers_that_are_written_as_text_are_read(self) -> None:
        server = FakeServer(world())
        person, id = session(server)
        person.send(AUTH)
        person.take()
        server.route(id, SUCCESS.decode().replace("<", "&lt;"))
        assert person.take() == SUCCESS

    def test_a_client_may_try_again(self) -> None:
        server = FakeServer(world())
        person, id = session(server)
        person.send(AUTH)
        server.route(id, f"<failure xmlns='{ns.SASL}'><not-authorized/></failure>")
        person.send(AUTH)
        assert len(server.routed()) == 2


class TestStanzas:
    def test_those_of_the_client_are_written_anew(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        person.send(b"<message to='jane@example.test'\n><body><![CDATA[<x>]]></body></message >")
        (route,) = server.take("route")
        assert route.attributes == {"to": DOMAIN, "from": "cm1/link-1", "streamid": id}
        assert route.children == [
            Tree(ns.CLIENT, "message", {"to": "jane@example.test"}, [Tree(ns.CLIENT, "body", {}, ["<x>"])])
        ]

    @pytest.mark.parametrize("declared", ["", f" xmlns='{ns.CLIENT}'", f" xmlns='{routes.NAMESPACE}'"])
    def test_those_of_the_server_are_the_clients_whatever_they_declare(self, declared: str) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        server.route(id, HELLO.replace("<message", f"<message{declared}"))
        assert person.take() == HELLO.encode()

    def test_a_stream_error_of_the_server_comes_as_one(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        server.route(id, f"<stream:error><conflict xmlns='{ns.STREAM_ERRORS}'/></stream:error>")
        assert person.take() == (
            f"<stream:error><conflict xmlns='{ns.STREAM_ERRORS}'/></stream:error></stream:stream>".encode()
        )

    @pytest.mark.parametrize("content", ["", "text", "&lt;a"])
    def test_a_route_without_an_element_costs_nothing(self, content: str) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        server.route(id, content)
        server.route(id, HELLO)
        assert person.take() == HELLO.encode()

    @pytest.mark.parametrize(
        ("conditions", "told"),
        [
            (["item-not-found"], b"<reset"),
            (["bad-request", "unknown-stanza"], b"<unsupported-stanza-type"),
            (["internal-server-error"], b"<internal-server-error"),
        ],
    )
    def test_an_error_route_is_never_passed_on(self, conditions: list[str], told: bytes) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        server.refuse(id, *conditions)
        data = person.take()
        assert data.startswith(b"<stream:error>" + told)
        assert data.endswith(b"</stream:stream>")

    def test_a_server_without_stream_management_lets_the_client_go_on(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        person.send(ENABLE)
        server.refuse(id, "bad-request", "unknown-stanza")
        assert person.take().startswith(f"<failed xmlns='{ns.SM}'>".encode())
        assert not person.socket.end


class TestEnd:
    def test_the_server_is_told(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        person.send(b"</stream:stream>")
        assert person.take() == b"</stream:stream>"
        person.leave()
        assert server.requests() == [("close", id)]

    def test_a_client_whose_session_the_server_closes_is_let_go_of(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        server.close(id)
        assert person.take() == b"</stream:stream>"
        person.leave()
        assert server.requests() == [("close", id)]

    def test_a_client_that_counts_stanzas_must_resume_its_stream_when_its_link_is_lost(self) -> None:
        server = FakeServer(world())
        other = FakeServer(server.world)
        person, id = logged_in(server)
        person.send(ENABLE)
        server.route(id, f"<enabled xmlns='{ns.SM}' resume='true' id='1'/>")
        person.take()
        server.lose()
        assert person.socket.end == "closed"
        assert not person.take()
        person.send(message())
        person.leave()
        assert other.routed() == []
        assert other.requests() == [("close", id)]

    def test_a_client_that_may_not_count_stanzas_goes_on_over_another_link(self) -> None:
        server = FakeServer(world())
        other = FakeServer(server.world)
        person, id = logged_in(server)
        person.send(ENABLE)
        server.route(id, f"<failed xmlns='{ns.SM}'/>")
        server.lose()
        assert not person.socket.end
        person.send(message())
        assert [stanza.name for stanza in other.routed()] == ["message"]

    def test_messages_for_a_client_that_is_gone_go_back(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        person.leave()
        server.requests()
        server.route(id, HELLO)
        (iq,) = server.take("iq")
        failed = iq.children[0].children[0]
        assert (iq.children[0].attributes["id"], failed.name) == (id, "failed")
        assert failed.children[0].text_of(ns.CLIENT, "body") == "hi"

    def test_messages_for_a_client_whose_stream_is_over_go_back(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        person.send(b"</stream:stream>")  # its connection is closed, which takes a while
        server.route(id, HELLO)
        assert person.take() == b"</stream:stream>"
        assert server.requests() == [("failed", id)]

    def test_messages_that_a_client_has_not_taken_go_back_before_its_end(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        server.route(id, HELLO)
        person.client.set_writable(False)
        server.route(id, HELLO)
        person.leave()
        assert server.requests() == [("failed", id), ("close", id)]

    def test_requests_for_a_client_that_is_gone_are_answered(self) -> None:
        server = FakeServer(world())
        person, id = logged_in(server)
        person.leave()
        server.route(id, "<iq from='x@example.test/r' to='joe@example.test/x' type='get' id='q1'><q xmlns='q'/></iq>")
        (iq,) = server.routed()
        assert iq.attributes == {"type": "error", "id": "q1", "from": "joe@example.test/x", "to": "x@example.test/r"}

    def test_a_silent_client_is_let_go_of(self) -> None:
        server = FakeServer(World(xmpp_domain=DOMAIN, xmpp_client_idle="100s"))
        person, _ = logged_in(server)
        server.world.wait(90)
        person.send(b" ")
        server.world.wait(90)
        assert not person.take()
        server.world.wait(15)
        assert b"<connection-timeout" in person.take()


class TestLink:
    def test_a_client_stays_on_its_link(self) -> None:
        some = world()
        one, two = FakeServer(some), FakeServer(some)
        first, _ = logged_in(one)
        second, _ = logged_in(two)
        for number in range(5):
            first.send(message(str(number)))
            second.send(message(str(number)))
        assert len(one.routed()) == len(two.routed()) == 5

    def test_what_is_for_a_client_may_come_over_any_link_of_its_server(self) -> None:
        some = world()
        one, two, foreign = FakeServer(some), FakeServer(some), FakeServer(some, host="another")
        person = some.person()
        person.send(HEADER)
        (server,) = [each for each in (one, two, foreign) if each.take("iq")]
        id = next(iter(some.routed))
        other = two if server is one else one
        other.answer(id)
        assert b"<stream:features>" in person.take()
        other.route(id, HELLO)
        foreign.route(id, HELLO)
        assert person.take() == HELLO.encode()

    def test_nothing_is_left_of_clients_that_have_gone(self) -> None:
        some = world()
        server = FakeServer(some)
        first, _ = logged_in(server)
        first.leave()
        server.requests()
        second, _ = logged_in(server)
        server.lose()
        second.leave()
        some.wait(some.settings.grace)
        assert not some.routed

    def test_a_client_goes_on_over_the_next_link_to_the_same_server(self) -> None:
        some = world()
        server = FakeServer(some)
        person, id = logged_in(server)
        server.lose()
        assert person.socket.reasons
        again = FakeServer(some)
        assert not person.socket.reasons
        person.send(message())
        (route,) = again.take("route")
        assert route.attributes["streamid"] == id

    def test_a_client_cannot_go_on_with_another_server(self) -> None:
        some = world()
        server = FakeServer(some)
        person, _ = logged_in(server)
        server.lose()
        FakeServer(some, host="another")
        assert b"<system-shutdown" in person.take()

    def test_the_next_link_tells_of_a_client_that_has_gone_meanwhile(self) -> None:
        some = world()
        server = FakeServer(some)
        person, id = logged_in(server)
        server.lose()
        person.leave()
        assert FakeServer(some).requests() == [("close", id)]

    def test_clients_are_told_when_the_server_does_not_come_back(self) -> None:
        some = world()
        server = FakeServer(some)
        person, _ = logged_in(server)
        server.lose()
        some.wait(some.settings.grace)
        assert b"<remote-connection-failed" in person.take()

    def test_clients_are_told_when_the_server_stops(self) -> None:
        server = FakeServer(world())
        person, _ = logged_in(server)
        server.say(f"<stream:error><system-shutdown xmlns='{ns.STREAM_ERRORS}'/></stream:error></stream:stream>")
        assert b"<system-shutdown" in person.take()

    def test_clients_are_not_read_while_the_link_is_full(self) -> None:
        server = FakeServer(world())
        person, _ = logged_in(server)
        server.connection.pauseProducing()
        assert person.socket.reasons
        server.connection.resumeProducing()
        assert not person.socket.reasons

    def test_the_manager_shows_life_and_leaves_a_silent_server(self) -> None:
        server = FakeServer(world())
        server.world.wait(31)
        assert server.transport.value() == b" "
        server.world.wait(300)
        assert server.transport.disconnected

    def test_new_clients_see_what_the_server_has_configured_last(self) -> None:
        server = FakeServer(world())
        mechanisms = f'<mechanisms xmlns="{ns.SASL}"><mechanism>SCRAM-SHA-1</mechanism></mechanisms>'
        server.say(configuration(mechanisms=mechanisms))
        server.take("iq")
        person, _ = session(server)
        assert b"<mechanism>SCRAM-SHA-1</mechanism>" in person.take()
