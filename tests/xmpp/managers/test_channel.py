"""One client's connection in the frames of its manager: what is acknowledged, sent again, waited for and given up."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from broker.core.quotas import QuotaLimits
from broker.net.limits import Limits
from broker.net.store_pressure import StorePressure
from broker.xmpp.wire import frames, ns
from broker.xmpp.wire.frame_values import Open, Secured, Tls
from broker.xmpp.wire.frames import Type
from tests.core.world import DEFAULTS
from tests.net.test_store_pressure import Store
from tests.xmpp.managers.framed import ManagedPeer, Manager, Servers
from tests.xmpp.world import HEADER, World, settings

MESSAGE = "<message to='jack@localhost'><body>{}</body></message>"


@pytest.fixture
def joe(manager: Manager) -> ManagedPeer:
    manager.servers.world.bind("jack@localhost/first")
    peer = manager.bind("joe@localhost/x", sm=True)
    peer.acknowledged()
    assert not peer.session.out
    return peer


def goodbye(manager: Manager) -> str:
    """Why the link was broken off."""
    (wire,) = manager.wires or manager.gone
    assert wire.goodbye is not None
    return wire.goodbye.reason


class TestAcknowledgements:
    def test_what_a_client_sends_is_acknowledged_when_it_is_on_disk(self, world: World, joe: ManagedPeer) -> None:
        world.store.held = True
        joe.send(MESSAGE.format(1))
        joe.acknowledged()
        assert joe.session.out
        world.store.commit()
        joe.manager.pump()
        assert not joe.session.out

    def test_with_it_is_how_much_was_handled(self, servers: Servers, joe: ManagedPeer) -> None:
        joe.send(MESSAGE.format(1))
        joe.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
        joe.acknowledged()
        assert not joe.session.out
        after = servers.world.crash(committed=False)
        peer = after.peer()
        peer.login("joe")
        peer.resume(joe.id, joe.h)
        assert peer.count() == 3  # with its presence

    def test_an_element_that_is_not_whole_is_not_acknowledged(self, joe: ManagedPeer) -> None:
        whole, part = MESSAGE.format(1), MESSAGE.format(2)[:-3]
        joe.send(whole + part)
        joe.acknowledged()
        assert joe.session.out == part.encode()

    def test_an_element_that_is_being_handled_is_not_acknowledged(self, joe: ManagedPeer) -> None:
        joe.channel.stream._busy = True
        joe.send(MESSAGE.format(1))
        joe.acknowledged()
        assert joe.session.out
        joe.channel.stream._work_done(None, None)
        joe.acknowledged()
        assert not joe.session.out

    def test_many_elements_have_one_acknowledgement(self, joe: ManagedPeer) -> None:
        wire = joe.manager.wires[0]
        wire.frames.clear()
        for number in range(10):
            joe.send(MESSAGE.format(number))
        joe.acknowledged()
        assert [frame.type for frame in wire.frames].count(Type.ACK) == 1

    def test_when_half_of_the_window_is_used_they_come_at_once(self) -> None:
        world = World(settings(max_stanza=10_000))
        peer = Servers(world).manager().bind("joe@localhost/x", sm=True)
        for _ in range(10):
            peer.send(MESSAGE.format("x" * 5000))
        assert peer.session.out
        world.advance(0.02)
        peer.manager.pump()
        assert not peer.session.out

    def test_a_client_that_sends_without_end_is_handled_to_the_end(self) -> None:
        world = World(settings(max_stanza=10_000))
        manager = Servers(world).manager()
        joe, jack = manager.bind("joe@localhost/x", sm=True), manager.bind("jack@localhost/y")
        joe.session.give(b"".join([MESSAGE.format(number).encode() for number in range(5000)]))
        for _ in range(100):
            manager.pump()
            world.advance(0.02)
        assert not joe.session.out
        assert jack.bodies() == [str(number) for number in range(5000)]


class TestData:
    def test_what_came_before_is_left_out(self, world: World, joe: ManagedPeer) -> None:
        jack = world.bind("jack@localhost/y")
        data = MESSAGE.format(1).encode()
        joe.send(data[:20])
        start, wire = joe.session.base, joe.manager.wires[0]
        for end in (10, 20, 40, len(data)):
            wire.to_broker += frames.encode_data(joe.session.number, start, data[:end])
        joe.session.sent = start + len(data)
        joe.session.out = data
        joe.manager.pump()
        assert jack.bodies() == ["1"]

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda channel: frames.encode_data(channel.number, channel._received + 1, b"<"),
            lambda channel: frames.encode_offset(Type.ACK, channel.number, channel._outgoing.sent + 1),
            lambda channel: frames.encode_offset(Type.ATTACH, channel.number, channel._outgoing.sent + 1),
            lambda channel: frames.encode_offset(Type.ATTACH, channel.number, channel._outgoing.acknowledged - 1),
            lambda channel: frames.encode(Type.OPEN, channel.number, Open("10.0.0.1").encode()),
            lambda channel: frames.encode(Type.OPEN, 999, b"{}"),
            lambda channel: frames.encode(Type.HELLO, payload=b"{}"),
            lambda channel: frames.encode(Type.LOGGED_IN, channel.number, b"{}"),
        ],
        ids=["gap", "ack", "attach ahead", "attach behind", "open again", "open", "hello", "direction"],
    )
    def test_what_cannot_be_breaks_off_the_link_and_no_session(self, joe: ManagedPeer, wrong: Any) -> None:
        manager = joe.manager
        manager.wires[0].to_broker += wrong(joe.channel)
        manager.pump()
        assert goodbye(manager) == "error"
        manager.dial()
        manager.reattach()
        manager.pump()
        joe.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert joe.one().attributes["type"] == "result"

    def test_more_than_the_window_breaks_off_the_link(self, joe: ManagedPeer) -> None:
        manager, channel = joe.manager, joe.channel
        channel.stream._busy = True
        window = manager.servers.settings.window
        for size in (window // 2, window - window // 2, 1):
            assert not manager.gone
            manager.wires[0].to_broker += frames.encode_data(channel.number, channel._received, b" " * size)
            manager.pump()
        assert goodbye(manager) == "error"

    def test_frames_of_sessions_that_are_not_there_are_ignored(self, manager: Manager) -> None:
        wire = manager.wires[0]
        wire.to_broker += frames.encode_data(77, 5, b"x")
        wire.offset(Type.ACK, 77, 5)
        manager.pump()
        assert wire.goodbye is None

    def test_a_session_that_is_not_there_is_unknown(self, manager: Manager) -> None:
        wire = manager.wires[0]
        wire.offset(Type.ATTACH, 77, 0)
        manager.pump()
        assert wire.frames[-1] == frames.Frame(Type.UNKNOWN, 77, b"")

    @pytest.mark.parametrize(("name", "instance"), [("cm2", "same"), ("cm1", "other")])
    def test_another_manager_or_process_cannot_name_a_session(
        self, servers: Servers, joe: ManagedPeer, name: str, instance: str
    ) -> None:
        other = Manager(servers, name, joe.manager.instance if instance == "same" else "")
        wire = other.dial()
        wire.offset(Type.ATTACH, joe.session.number, 0)
        wire.to_broker += frames.encode(Type.CLOSED, joe.session.number, b"{}")
        other.pump()
        assert [frame.type for frame in wire.frames[1:]] == [Type.UNKNOWN, Type.UNKNOWN]
        assert joe.channel is not None


class TestSlowClients:
    def test_a_client_that_does_not_read_gets_no_more_than_the_window_and_loses_nothing(self, world: World) -> None:
        world = World(settings(max_stanza=10_000))
        manager = Servers(world, limits=Limits(rate=0, room=0)).manager()
        jack, joe = manager.bind("jack@localhost/y", sm=True), manager.bind("joe@localhost/x")
        jack.session.reads = False
        bodies = [f"{number} {'x' * 5000}" for number in range(60)]
        for body in bodies:
            joe.send(f"<message to='{jack.jid}'><body>{body}</body></message>")
            world.advance(0.3)
        assert len(jack.session.unread) <= manager.servers.settings.window
        assert not jack.channel.stream.writable
        found = []
        for _ in range(20):
            jack.session.read()
            manager.pump()
            found += jack.bodies()
            jack.ack()
            joe.acknowledged()
        assert found == bodies
        assert jack.channel.stream.writable

    def test_what_it_sends_waits_meanwhile(self, world: World, manager: Manager) -> None:
        jack, joe = manager.bind("jack@localhost/y"), world.bind("joe@localhost/x")
        jack.session.reads = False
        channel = jack.channel
        channel.write(b"<message><body>" + b"x" * 300_000 + b"</body></message>")
        jack.session.give(MESSAGE.replace("jack", "joe").format("later").encode())
        manager.pump()
        world.advance(1)
        manager.pump()
        assert (joe.bodies(), bool(jack.session.out)) == ([], True)
        jack.session.read()
        manager.pump()
        assert joe.bodies() == ["later"]

    def test_one_that_reads_nothing_for_too_long_is_given_up(self, world: World, servers: Servers) -> None:
        manager = servers.manager()
        jack = manager.bind("jack@localhost/y")
        jack.session.reads = False
        jack.channel.write(b"x" * 300_000)
        world.advance(servers.settings.limits.write_timeout + 1)
        manager.pump()
        assert jack.session.closed == "aborted"
        assert "taken nothing" in servers.notes[-1]
        assert len(servers.sessions) == 0

    def test_one_that_reads_slowly_is_not(self, world: World, servers: Servers) -> None:
        manager = servers.manager()
        jack = manager.bind("jack@localhost/y")
        jack.session.reads = False
        jack.channel.write(b" " * 300_000)
        for _ in range(5):
            manager.pump()
            jack.session.read(10)
            manager.pump()
            world.advance(servers.settings.limits.write_timeout)
        assert not jack.closed

    def test_one_whose_link_is_gone_is_not(self, world: World) -> None:
        servers = Servers(world, grace=1000.0)
        manager = servers.manager()
        jack = manager.bind("jack@localhost/y")
        jack.session.reads = False
        jack.channel.write(b" " * 300_000)
        manager.wires[0].cut()
        world.advance(servers.settings.limits.write_timeout + 1)
        assert jack.channel is not None

    def test_one_for_which_too_much_waits_is_given_up(self, world: World) -> None:
        manager = Servers(world, limits=Limits(rate=0, max_unread=400_000)).manager()
        jack = manager.bind("jack@localhost/y")
        jack.session.reads = False
        jack.channel.write(b" " * 400_001)
        manager.pump()
        assert jack.session.closed == "aborted"

    def test_clients_of_an_account_share_what_they_may_leave_unread(self) -> None:
        world = World(settings(), core=replace(DEFAULTS, quotas=QuotaLimits(unread_bytes=200_000)))
        servers = Servers(world, limits=Limits(rate=0, room=100_000))
        manager = servers.manager()
        one, other, joe = (manager.bind(name) for name in ("jack@localhost/1", "jack@localhost/2", "joe@localhost/1"))
        usage = world.node.quotas.of("jack")
        for peer in (one, other, joe):
            peer.session.reads = False
            peer.channel.write(b" " * 280_000)
        manager.pump()
        assert [peer.session.closed for peer in (one, other, joe)] == ["", "aborted", ""]
        assert 100_000 < usage.unread_bytes < 200_000
        assert "the connections of jack have not taken" in servers.notes[-1]
        one.session.read()
        manager.pump()
        assert usage.unread_bytes == 0

    def test_all_clients_of_a_manager_have_a_limit_together(self, world: World) -> None:
        servers = Servers(world, max_bytes=1000)
        manager = servers.manager()
        jack, joe = manager.bind("jack@localhost/y"), manager.bind("joe@localhost/x")
        jack.session.reads = joe.session.reads = False
        jack.channel.write(b" " * 1001)
        joe.channel.write(b" ")
        assert not joe.channel.stream.writable
        manager.pump()
        joe.session.read()
        manager.pump()
        assert joe.channel.stream.writable

    def test_a_link_that_has_no_room_gets_nothing_and_then_everything(self, manager: Manager, joe: ManagedPeer) -> None:
        wire = manager.wires[0]
        wire.link.set_writable(False)
        joe.send(MESSAGE.replace("jack@localhost", joe.jid).format(1))
        assert joe.bodies() == []
        wire.link.set_writable(True)
        manager.pump()
        assert joe.bodies() == ["1"]


class TestSlowServer:
    def test_what_comes_while_the_store_is_behind_waits(self, world: World) -> None:
        store = Store()
        manager = Servers(world, pressure=StorePressure(store, 1, 0)).manager()
        joe, jack = manager.bind("joe@localhost/x", sm=True), world.bind("jack@localhost/y")
        joe.send(MESSAGE.format("first"))
        joe.acknowledged()
        jack.take()
        store.backlog = 2
        joe.send(MESSAGE.format(1))
        joe.send(MESSAGE.format(2))
        joe.send(MESSAGE.format(3))
        joe.acknowledged()
        assert len(jack.bodies()) == 1
        store.commit(0)
        joe.acknowledged()
        assert jack.bodies() == ["2", "3"]
        assert not joe.session.out


class TestTls:
    def test_what_came_in_clear_behind_the_request_counts_no_more(self, manager: Manager) -> None:
        peer = manager.peer(Open("10.0.0.1"))
        peer.open()
        peer.session.give(f"<starttls xmlns='{ns.TLS}'/>{HEADER.decode()}<auth>".encode())
        manager.pump()
        assert peer.names() == ["proceed"]
        assert len(peer.open()) == 1

    def test_the_handshake_begins_again_over_another_link(self, manager: Manager) -> None:
        peer = manager.peer(Open("10.0.0.1"))
        peer.open()
        peer.session.reads = False
        peer.send(f"<starttls xmlns='{ns.TLS}'/>")
        manager.wires[0].cut()
        manager.dial()
        manager.reattach()
        peer.session.reads = True
        manager.pump()
        peer.session.read()
        manager.pump()
        assert peer.names() == ["proceed"]
        assert len(peer.open()) == 1

    def test_a_handshake_that_takes_too_long_ends_the_session(self, world: World, manager: Manager) -> None:
        peer = manager.peer(Open("10.0.0.1"))
        peer.open()
        peer.session.reads = False
        peer.send(f"<starttls xmlns='{ns.TLS}'/>")
        world.advance(16)
        manager.pump()
        assert peer.session.closed == "aborted"

    @pytest.mark.parametrize("offset", [0, 1 << 40])
    def test_a_handshake_that_nobody_asked_for_breaks_off_the_link(self, manager: Manager, offset: int) -> None:
        peer = manager.peer(Open("10.0.0.1"))
        peer.open()
        manager.wires[0].send(Type.SECURED, peer.session.number, Secured(offset, Tls()).encode())
        manager.pump()
        assert goodbye(manager) == "error"

    def test_bindings_of_other_types_are_not_offered(self, manager: Manager) -> None:
        tls = Tls(bindings={"tls-unique": b"x", "'/><x a='": b"x", "tls-exporter": b"", "tls-server-end-point": b"y"})
        peer = manager.peer(Open("10.0.0.1", tls=tls))
        (features,) = peer.open()
        (bindings,) = [child for child in features.children if child.name == "sasl-channel-binding"]
        assert [child.attributes["type"] for child in bindings.children] == ["tls-server-end-point"]


def certificate(name: str) -> bytes:
    """In DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime(2020, 1, 1)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


class TestCertificates:
    @pytest.mark.parametrize(("trusted", "offered"), [(True, True), (False, False)])
    def test_one_that_the_manager_has_verified_logs_in_where_managers_may_say_so(
        self, world: World, trusted: bool, offered: bool
    ) -> None:
        manager = Servers(world, certificates=trusted).manager()
        peer = manager.peer(Open("10.0.0.1", tls=Tls(certificate=certificate("joe@localhost"))))
        (features,) = peer.open()
        mechanisms = features.find(ns.SASL, "mechanisms")
        assert mechanisms is not None
        assert ("EXTERNAL" in [child.text for child in mechanisms.children]) is offered
        if offered:
            peer.send(f"<auth xmlns='{ns.SASL}' mechanism='EXTERNAL'>=</auth>")
            assert peer.names() == ["success"]

    def test_one_that_cannot_be_read_is_none(self, world: World) -> None:
        servers = Servers(world, certificates=True)
        peer = servers.manager().peer(Open("10.0.0.1", tls=Tls(certificate=b"x")))
        assert "EXTERNAL" not in str(peer.open())
        assert "certificate" in servers.notes[-1]


class TestEnds:
    def test_a_stream_that_ends_has_the_client_closed_behind_its_end(self, servers: Servers, joe: ManagedPeer) -> None:
        joe.send("</stream:stream>")
        assert joe.names() == ["a", "/"]
        assert joe.session.closed == "closed"
        assert len(servers.sessions) == 0
        assert "joe@localhost/x" not in servers.world.service.domain.clients

    def test_a_client_that_is_gone_is_confirmed_when_all_that_came_of_it_is_on_disk(
        self, world: World, joe: ManagedPeer
    ) -> None:
        world.store.held = True
        joe.session.give(MESSAGE.format(1).encode())
        joe.cut()
        assert joe.channel is not None
        world.store.commit()
        joe.manager.pump()
        assert joe.session.confirmed
        assert joe.channel is None

    def test_one_whose_link_is_lost_with_the_news_is_confirmed_over_the_next(self, joe: ManagedPeer) -> None:
        manager, session = joe.manager, joe.session
        session.lose_client()
        manager.wires[0].cut()
        manager.dial()
        manager.reattach()
        manager.pump()
        assert session.confirmed
        assert joe.channel is None

    def test_one_whose_confirmation_is_lost_is_unknown_afterwards(self, joe: ManagedPeer) -> None:
        manager, session = joe.manager, joe.session
        session.lose_client()
        wire = manager.wires[0]
        wire.deliver(to_manager=0)
        manager.servers.world.turn()
        wire.cut()
        manager.dial()
        manager.reattach()
        manager.pump()
        assert session.unknown

    def test_it_may_resume_its_stream_through_another_manager(self, servers: Servers, joe: ManagedPeer) -> None:
        joe.cut()
        other = servers.manager("cm2").peer()
        other.login("joe")
        answer, *_ = other.resume(joe.id, joe.h)
        assert answer.name == "resumed"

    def test_a_resource_that_is_taken_over_closes_the_other_client(self, servers: Servers, joe: ManagedPeer) -> None:
        servers.manager("cm2").bind("joe@localhost/x")
        joe.manager.pump()
        assert joe.names()[-2:] == ["error", "/"]
        assert joe.closed

    def test_a_client_that_is_not_closed_in_time_is_forgotten(self, servers: Servers, joe: ManagedPeer) -> None:
        joe.session.reads = False
        joe.send("</stream:stream>")
        servers.world.advance(servers.settings.limits.close_timeout + 1)
        joe.manager.pump()
        assert joe.session.closed == "aborted"
        assert len(servers.sessions) == 0

    def test_what_comes_behind_the_end_is_dropped(self, joe: ManagedPeer) -> None:
        joe.session.reads = False
        joe.send("</stream:stream>")
        joe.send(MESSAGE.format(1))
        assert joe.manager.wires[0].goodbye is None

    def test_a_failure_costs_one_client_its_connection(
        self, servers: Servers, joe: ManagedPeer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jack = joe.manager.bind("jack@localhost/y")
        channel = joe.channel

        def fail(data: bytes) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(type(channel.stream), "received", lambda stream, data: fail(data))
        joe.send(" ")
        monkeypatch.undo()
        assert joe.session.closed == "aborted"
        jack.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert jack.one().attributes["type"] == "result"

    def test_nothing_is_left_of_clients_that_are_gone(self, world: World, servers: Servers) -> None:
        manager = servers.manager()
        before = world.timers
        for _ in range(3):
            peer = manager.bind("joe@localhost/x")
            peer.cut()
        manager.wires[0].cut()
        world.advance(100)
        assert (len(servers.sessions), servers.sessions.managers) == (0, {})
        assert world.timers < before


class TestIdleClients:
    def test_a_stream_that_is_idle_keeps_no_parser_and_goes_on(self, world: World, joe: ManagedPeer) -> None:
        reader = joe.channel._framing._reader
        assert reader._expat is not None
        for _ in range(3):
            world.advance(1)
        assert reader._expat is None
        joe.send(MESSAGE.replace("jack@localhost", joe.jid).format(1))
        assert joe.bodies() == ["1"]

    def test_a_stream_whose_stanza_is_not_whole_keeps_it(self, world: World, joe: ManagedPeer) -> None:
        data = MESSAGE.replace("jack@localhost", joe.jid).format(1)
        joe.send(data[:30])
        for _ in range(3):
            world.advance(1)
        joe.send(data[30:])
        assert joe.bodies() == ["1"]
