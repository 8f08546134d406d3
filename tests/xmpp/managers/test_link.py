"""Opening a link of a connection manager, and what ends it (spec connection-manager §2, §3, §9)."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from broker.xml.tree import Tree
from broker.xmpp.managers.compression import MAX_INFLATED
from broker.xmpp.managers.link import HEARTBEAT, MAX_EARLY_REQUESTS, UNREAD
from broker.xmpp.managers.settings import ManagerSettings, Secrets
from broker.xmpp.settings import TlsPolicy
from broker.xmpp.wire import ns, routes
from broker.xmpp.wire.frame_values import ManagerHello
from broker.xmpp.wire.frames import FROM_BROKER, FrameReader, Type, encode
from broker.xmpp.wire.stanza import element
from tests.net.handshakes import client_certificate
from tests.xmpp.managers.world import SECRET, Link, ManagerWorld, Routed
from tests.xmpp.world import DOMAIN, settings


def condition(link: Link) -> str:
    """The stream error that the link has ended with."""
    error = link.take()[-1]
    assert (error.namespace, error.name) == (ns.STREAM, "error")
    assert link.closed
    assert link.transport.closed
    return error.children[0].name


def configured(tree: Tree) -> dict[str, Any]:
    """What a configuration says."""
    (configuration,) = tree.children
    mechanisms = configuration.find(ns.SASL, "mechanisms")
    tls = configuration.find(ns.TLS, "starttls")
    assert mechanisms is not None
    return {
        "mechanisms": [child.text for child in mechanisms.children],
        "tls": None if tls is None else [child.name for child in tls.children],
    }


class TestOpening:
    def test_header_names_the_link_as_the_manager_did_and_has_features_behind_it(self) -> None:
        link = Link(ManagerWorld())
        features = link.open()
        assert [tree.name for tree in features] == ["features"]
        assert len(link.id) >= 16

    def test_link_with_the_right_digest_is_open_and_told_the_configuration(self) -> None:
        link = Link(ManagerWorld())
        handshake, request = link.log_in()
        assert (handshake.name, handshake.children) == ("handshake", [])
        assert request.attributes["type"] == "set"
        assert configured(request)["mechanisms"]

    def test_digest_may_be_in_capitals(self) -> None:
        link = Link(ManagerWorld())
        link.open()
        link.send(f"<handshake>{routes.digest(link.id, SECRET).upper()}</handshake>")
        assert [tree.name for tree in link.take()] == ["handshake", "iq"]

    @pytest.mark.parametrize("digest", ["", "0" * 40, "é", "x" * 5000])
    def test_wrong_digest_is_refused(self, digest: str) -> None:
        link = Link(ManagerWorld())
        link.open()
        link.send(f"<handshake>{digest}</handshake>")
        assert condition(link) == "not-authorized"

    def test_digest_of_one_link_does_not_open_another(self) -> None:
        world = ManagerWorld()
        one, other = Link(world), Link(world)
        one.open()
        other.open()
        other.send(f"<handshake>{routes.digest(one.id, SECRET)}</handshake>")
        assert condition(other) == "not-authorized"

    @pytest.mark.parametrize(("common", "is_let_in"), [("cm1", True), ("cm2", False), ("", False)])
    def test_certificate_must_be_for_the_name_of_the_manager(
        self, tmp_path: Path, common: str, is_let_in: bool
    ) -> None:
        link = Link(ManagerWorld(ManagerSettings(authorities="authorities.pem")))
        link.transport.secure = True
        if common:
            pem = client_certificate(tmp_path / "manager.pem", [], common)
            link.transport.certificate = x509.load_pem_x509_certificate(pem.read_bytes())
        names = [tree.name for tree in link.log_in()]
        assert names == (["handshake", "iq"] if is_let_in else ["error"])

    def test_manager_with_a_secret_of_its_own_is_not_let_in_with_the_common_one(self) -> None:
        world = ManagerWorld(secrets=Secrets(SECRET, {"cm1": "own"}))
        link = Link(world)
        link.log_in()
        assert link.transport.closed
        assert [tree.name for tree in Link(world).log_in("own")] == ["handshake", "iq"]
        assert [tree.name for tree in Link(world, "cm2/1").log_in()] == ["handshake", "iq"]

    def test_manager_without_any_secret_is_not_let_in(self) -> None:
        link = Link(ManagerWorld(secrets=Secrets("", {"cm1": "own"})), "cm2/1")
        link.open()
        link.send(f"<handshake>{routes.digest(link.id, '')}</handshake>")
        assert condition(link) == "not-authorized"

    def test_name_is_compared_in_lower_case(self) -> None:
        world = ManagerWorld(ManagerSettings(names=frozenset({"cm1"})))
        assert [tree.name for tree in Link(world, "CM1/x").log_in()] == ["handshake", "iq"]

    def test_name_or_address_that_is_not_allowed_is_refused(self) -> None:
        for allowed in (ManagerSettings(names=frozenset({"cm9"})), ManagerSettings(addresses=frozenset({"192.0.2.1"}))):
            link = Link(ManagerWorld(allowed), host="192.0.2.2")
            link.open()
            link.send(f"<handshake>{routes.digest(link.id, SECRET)}</handshake>")
            assert condition(link) == "not-authorized"
        world = ManagerWorld(ManagerSettings(addresses=frozenset({"192.0.2.1"})))
        assert len(Link(world, host="::ffff:192.0.2.1").log_in()) == 2

    def test_header_without_a_name_is_refused(self) -> None:
        for jid in ("", "/worker"):
            link = Link(ManagerWorld(), jid)
            link.send(f"<stream:stream xmlns:stream='{ns.STREAM}' to='{jid}'>")
            assert b"<bad-format" in link.transport.data
            assert link.transport.closed

    def test_link_that_is_not_opened_in_time_is_closed(self) -> None:
        world = ManagerWorld()
        silent, greeted = Link(world), Link(world)
        greeted.open()
        world.advance(11)
        assert silent.transport.closed
        assert condition(greeted) == "connection-timeout"

    def test_too_many_links_of_one_manager_are_refused(self) -> None:
        world = ManagerWorld(ManagerSettings(max_links=2))
        first = world.link()
        world.link("cm1/2")
        third = Link(world, "cm1/3")
        third.open()
        third.send(f"<handshake>{routes.digest(third.id, SECRET)}</handshake>")
        assert condition(third) == "resource-constraint"
        first.cut()
        world.link("cm1/3")


class TestBeforeTheHandshake:
    def test_requests_and_routes_are_refused_and_the_link_stays_open(self) -> None:
        world = ManagerWorld()
        link = Link(world)
        link.open()
        answer = link.create("cm1a")
        assert answer.attributes["type"] == "error"
        assert [child.name for child in answer.children] == ["session", "error"]
        link.route("cm1a", "<message/>")
        route = link.one()
        assert route.attributes["type"] == "error"
        assert route.children[0].children[0].name == "not-authorized"
        assert not link.transport.closed

    def test_a_link_that_is_not_open_gets_nothing_of_its_name(self) -> None:
        world = ManagerWorld()
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        stranger = Link(world, "cm1/stranger")
        stranger.open()
        joe.link.cut()
        jack.send("<message to='joe@localhost/x'><body>secret</body></message>")
        assert stranger.take() == []

    def test_they_end_the_link_where_there_are_too_many(self) -> None:
        link = Link(ManagerWorld())
        link.open()
        for _ in range(MAX_EARLY_REQUESTS + 1):
            link.route("cm1a", "<message/>")
        assert condition(link) == "policy-violation"

    def test_stanza_outside_of_a_route_ends_the_link(self) -> None:
        for world_link in (Link(ManagerWorld()), ManagerWorld().link()):
            if not world_link.id:
                world_link.open()
            world_link.send("<message to='joe@localhost'/>")
            assert condition(world_link) == "unsupported-stanza-type"


class TestTls:
    def test_tls_is_offered_and_the_id_stays_behind_it(self) -> None:
        link = Link(ManagerWorld())
        (features,) = link.open()
        assert features.find(ns.TLS, "starttls") is not None
        first = link.id
        link.send(f"<starttls xmlns='{ns.TLS}'/><iq in='clear'/>")
        assert link.one().name == "proceed"
        assert link.transport.starting_tls
        link.transport.secure = True
        link.link.secured()
        (features,) = link.open()
        assert features.find(ns.TLS, "starttls") is None
        assert link.id == first
        assert [tree.name for tree in self.handshake(link)] == ["handshake", "iq"]

    def test_second_header_has_the_same_id(self) -> None:
        link = Link(ManagerWorld())
        link.open()
        first, link.id = link.id, ""
        link.send(f"<starttls xmlns='{ns.TLS}'/>")
        link.take()
        link.transport.secure = True
        link.link.secured()
        link.open()
        assert link.id == first

    def test_handshake_without_tls_is_refused_where_tls_is_required(self) -> None:
        link = Link(ManagerWorld(), tls_required=True)
        (features,) = link.open()
        tls = features.find(ns.TLS, "starttls")
        assert tls is not None
        assert [child.name for child in tls.children] == ["required"]
        self.handshake_sent(link)
        assert condition(link) == "policy-violation"

    def test_tls_that_was_not_offered_is_refused(self) -> None:
        link = Link(ManagerWorld(), tls=False)
        link.open()
        link.send(f"<starttls xmlns='{ns.TLS}'/>")
        assert [tree.name for tree in link.take()] == ["failure"]
        assert link.transport.closed

    @staticmethod
    def handshake_sent(link: Link) -> None:
        link.send(f"<handshake>{routes.digest(link.id, SECRET)}</handshake>")

    def handshake(self, link: Link) -> list[Tree]:
        self.handshake_sent(link)
        return link.take()


class TestCompression:
    def link(self, **changes: Any) -> Link:
        link = Link(ManagerWorld(ManagerSettings(compression=True, **changes)))
        link.transport.secure = True
        (features,) = link.open()
        assert features.find(routes.COMPRESS_FEATURE, "compression") is not None
        link.send(f"<compress xmlns='{routes.COMPRESS}'><method>zlib</method></compress>")
        assert link.one().name == "compressed"
        link.inflater, link.deflater = zlib.decompressobj(), zlib.compressobj()
        return link

    def test_link_goes_on_compressed_and_keeps_its_id(self) -> None:
        link = self.link()
        (features,) = link.open()
        assert features.children == []
        link.send(f"<handshake>{routes.digest(link.id, SECRET)}</handshake>")
        assert [tree.name for tree in link.take()] == ["handshake", "iq"]
        client = Routed(link, "cm1a")
        assert client.log_in("joe") == ["success"]

    def test_compression_is_offered_with_tls_only(self) -> None:
        link = Link(ManagerWorld(ManagerSettings(compression=True)))
        (features,) = link.open()
        assert features.find(routes.COMPRESS_FEATURE, "compression") is None
        link.send(f"<compress xmlns='{routes.COMPRESS}'><method>zlib</method></compress>")
        assert link.one().name == "failure"
        assert not link.transport.closed

    def test_bomb_costs_the_link(self) -> None:
        link = self.link()
        link.open()
        link.send(b" " * (MAX_INFLATED + 1))
        assert link.transport.closed

    def test_slow_bomb_costs_the_link(self) -> None:
        link = self.link()
        link.open()
        for _ in range(10):
            link.send(b" " * (MAX_INFLATED // 2))
        assert link.transport.closed

    def test_garbage_costs_the_link(self) -> None:
        link = self.link()
        link.deflater = None
        link.send(b"<stream:stream>")
        assert link.transport.closed


class TestConfiguration:
    def test_only_what_needs_no_tls_of_the_client_here_is_offered(self) -> None:
        _, request = Link(ManagerWorld()).log_in()
        found = configured(request)
        assert found == {"mechanisms": ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"], "tls": ["required"]}

    def test_passwords_are_not_offered_where_managers_need_not_see_to_tls(self) -> None:
        managers = ManagerSettings(client_tls=TlsPolicy.OPTIONAL)
        _, request = Link(ManagerWorld(managers, xmpp=settings(plain_without_tls=False))).log_in()
        assert configured(request) == {"mechanisms": ["SCRAM-SHA-256", "SCRAM-SHA-1"], "tls": []}
        _, request = Link(ManagerWorld(ManagerSettings(client_tls=TlsPolicy.OFF))).log_in()
        assert configured(request)["tls"] is None

    def test_password_is_refused_all_the_same_where_it_is_not_offered(self) -> None:
        managers = ManagerSettings(client_tls=TlsPolicy.OPTIONAL)
        world = ManagerWorld(managers, xmpp=settings(plain_without_tls=False))
        client = Routed(world.link(), "cm1a")
        assert client.log_in("joe") == ["failure"]

    def test_every_link_is_told_what_has_changed_and_only_that(self) -> None:
        world = ManagerWorld()
        links = [world.link(), world.link("cm2/1")]
        world.managers.reload(Secrets(SECRET))
        assert [link.take() for link in links] == [[], []]
        world.security.offers_scram = False
        world.managers.reload(Secrets("another"))
        assert [configured(link.one())["mechanisms"] for link in links] == [["PLAIN"], ["PLAIN"]]
        assert [tree.name for tree in Link(world).log_in("another")] == ["handshake", "iq"]


class TestFrames:
    def test_link_goes_on_in_frames_where_the_manager_asks_for_it(self) -> None:
        world = ManagerWorld(frames=True)
        link = Link(world)
        (features,) = link.open()
        assert features.find(routes.FRAMES, "frames") is not None
        link.send(f"<handshake>{routes.digest(link.id, SECRET)}</handshake>")
        link.take()
        hello = encode(Type.HELLO, payload=ManagerHello("0123456789abcdef0123456789abcdef").encode())
        link.send(f"<frames xmlns='{routes.FRAMES}'/>".encode() + hello + encode(Type.PING, payload=b"there?"))
        answer = element("frames", routes.FRAMES)
        assert link.transport.data.startswith(answer)
        reader = FrameReader(FROM_BROKER)
        frames = reader.feed(link.transport.data[len(answer) :])
        assert [frame.type for frame in frames] == [Type.HELLO, Type.PONG]
        assert world.managers.links_of("cm1") == 1
        link.cut()
        assert world.managers.links_of("cm1") == 0

    def test_frames_that_are_not_offered_end_the_link(self) -> None:
        link = ManagerWorld().link()
        link.send(f"<frames xmlns='{routes.FRAMES}'/>")
        assert condition(link) == "unsupported-stanza-type"


class TestTurns:
    def test_link_is_not_read_while_what_has_come_waits_for_a_turn(self) -> None:
        world = ManagerWorld()
        link = world.link()
        link.transport.turn_is_over = True
        requests = [f"<iq type='get' id='{number}'/>" for number in range(5)]
        link.link.received("".join(requests).encode())
        assert len(link.take()) == 1
        assert link.transport.held == {UNREAD}
        world.turn()
        assert [tree.attributes["id"] for tree in link.take()] == ["1", "2", "3", "4"]
        assert link.transport.held == set()

    @pytest.mark.parametrize("end", ["lost", "shut_down"])
    def test_what_has_come_is_handled_where_the_link_ends_before_its_turn(self, end: str) -> None:
        world = ManagerWorld()
        joe, jack = world.routed("joe@localhost/x"), world.bind("jack@localhost/y")
        link = joe.link
        link.transport.turn_is_over = True
        messages = [f"<message to='jack@localhost/y'><body>{number}</body></message>" for number in range(3)]
        link.link.received("".join(f"<route streamid='cm1a'>{each}</route>" for each in messages).encode())
        if end == "lost":
            link.cut()
            world.advance(61)
        else:
            link.link.shut_down()
            world.turn()
        assert jack.bodies() == ["0", "1", "2"]


class TestLiveness:
    def test_blanks_are_sent_in_both_directions(self) -> None:
        world = ManagerWorld()
        link = world.link()
        link.take()
        world.advance(HEARTBEAT)
        assert link.transport.data == b" "
        link.send(" ")

    def test_silent_link_is_closed(self) -> None:
        world = ManagerWorld()
        silent, lively = world.link(), world.link("cm2/1")
        for _ in range(11):
            world.advance(HEARTBEAT)
            lively.send(" ")
        assert condition(silent) == "connection-timeout"
        assert not lively.transport.closed

    def test_manager_that_says_goodbye_gets_the_end_of_the_stream(self) -> None:
        for last in ("</stream:stream>", f"<stream:error><system-shutdown xmlns='{ns.STREAM_ERRORS}'/></stream:error>"):
            link = ManagerWorld().link()
            link.send(last)
            link.take()
            assert link.closed
            assert link.transport.closed

    def test_nothing_is_left_of_a_link_that_is_gone(self) -> None:
        world = ManagerWorld()
        before = world.timers
        link = world.link()
        link.cut()
        assert world.managers.links_of("cm1") == 0
        assert world.timers == before

    def test_answer_of_the_manager_to_the_configuration_is_taken(self) -> None:
        link = ManagerWorld().link()
        link.send(f"<iq type='result' id='x' to='{DOMAIN}'><configuration xmlns='{routes.PAYLOAD}'/></iq>")
        assert link.take() == []
