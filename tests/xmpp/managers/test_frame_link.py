"""Clients whose streams a connection manager carries in frames."""

from __future__ import annotations

import base64
from unittest.mock import ANY

import pytest
from twisted.internet.defer import fail
from twisted.logger import LogLevel, capturedLogs, formatEvent

from broker.auth.scram import Mechanism
from broker.errors import BrokerError, Code
from broker.net.limits import Limits
from broker.xmpp.managers.resumption import AGAIN
from broker.xmpp.wire import frames, ns
from broker.xmpp.wire.frame_values import BrokerHello, Goodbye, ManagerHello, Open, Opened, Refused, Resume, Tls
from broker.xmpp.wire.frames import Type
from tests.campaign.scram_client import ScramClient
from tests.logs.audit_lines import audit_lines
from tests.xmpp.managers.framed import SECURE, Manager, Servers, Wire, resumed
from tests.xmpp.world import PASSWORD, World, befriend


class TestManagedClients:
    def test_a_client_logs_in_and_binds(self, manager: Manager) -> None:
        peer = manager.bind("joe@localhost/x")
        assert peer.jid == "joe@localhost/x"
        assert peer.session.account == "joe"

    @pytest.mark.parametrize(
        ("tls", "told"),
        [
            (Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", "chat"), " tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 sni=chat"),
            (Tls("TLSv1.2"), " tls=TLSv1.2"),
            (Tls("x" * 10_000, "\u2028", "\x7f"), ""),
            (None, " tls=TLSv1.3"),
        ],
    )
    def test_the_audit_has_what_the_manager_tells_of_its_clients_tls(
        self, manager: Manager, tls: Tls | None, told: str
    ) -> None:
        with capturedLogs() as events:
            peer = manager.peer(Open("10.0.0.1", tls=tls))
            if tls is None:
                peer.open()
                peer.send(f"<starttls xmlns='{ns.TLS}'/>")
                peer.take()
            peer.login("joe")
        assert audit_lines(events) == [f"login principal=joe via=xmpp peer=10.0.0.1 mechanism=PLAIN{told}"]

    def test_messages_go_both_ways_between_managed_and_direct_clients(self, world: World, manager: Manager) -> None:
        joe, jack = manager.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send("<message to='jack@localhost/y'><body>hello</body></message>")
        assert jack.bodies() == ["hello"]
        jack.send("<message to='joe@localhost/x'><body>hi</body></message>")
        manager.pump()
        assert joe.bodies() == ["hi"]

    def test_they_see_each_other(self, manager: Manager) -> None:
        joe, jack = manager.bind("joe@localhost/x"), manager.bind("jack@localhost/y")
        befriend(joe, jack)
        jack.send("<presence><show>away</show></presence>")
        (presence,) = joe.take()
        assert presence.text_of(ns.CLIENT, "show") == "away"

    def test_a_client_starts_tls(self, world: World, manager: Manager) -> None:
        peer = manager.peer(Open("10.0.0.1"))
        (features,) = peer.open()
        assert [child.name for child in features.children][:1] == ["starttls"]
        assert not features.find(ns.SASL, "mechanisms")
        peer.send(f"<starttls xmlns='{ns.TLS}'/>")
        assert peer.names() == ["proceed"]
        peer.login("joe")
        assert peer.bind("x") == "joe@localhost/x"
        assert peer.session.opened == Opened(None)

    def test_a_login_is_bound_to_the_tls_channel_of_the_manager(self, manager: Manager) -> None:
        peer = manager.peer()
        (features,) = peer.open()
        assert "tls-exporter" in str(features)
        client = ScramClient(Mechanism.SHA_256, "joe", PASSWORD, binding=("tls-exporter", b"exported"))
        first = base64.b64encode(client.first()).decode()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-256-PLUS'>{first}</auth>")
        final = client.final(base64.b64decode(peer.one().text))
        peer.send(f"<response xmlns='{ns.SASL}'>{base64.b64encode(final).decode()}</response>")
        assert peer.names() == ["success"]


class TestRestartedServer:
    """A manager goes on with the streams of its clients, without their noticing."""

    def test_a_stream_goes_on_with_what_its_client_has_not_got(self, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        joe.send("<message to='jack@localhost'><body>before</body></message>")
        h = joe.h
        after = servers.crash()
        jack = after.world.bind("jack@localhost/y", presence=None)
        jack.send("<presence/>")
        jack.send("<message to='joe@localhost/x'><body>meanwhile</body></message>")
        again = resumed(after, after.manager(), "joe", joe.id, h)
        assert again.session.opened == Opened(2)
        assert again.bodies() == ["meanwhile"]
        again.send("<message to='jack@localhost/y'><body>after</body></message>")
        assert jack.bodies() == ["before", "after"]

    def test_a_stream_goes_on_once_the_store_can_be_read(
        self, servers: Servers, manager: Manager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        jack = servers.world.bind("jack@localhost/y", presence=None)
        jack.send("<message to='joe@localhost/x'><body>before</body></message>")
        after = servers.crash()
        unreadable = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no disk")
        with monkeypatch.context() as broken:
            broken.setattr(after.world.store, "read_entries", lambda *_: fail(unreadable))
            again = resumed(after, after.manager(), "joe", joe.id, joe.h)
            again.manager.pump()
            assert (again.session.opened, again.session.refused) == (None, None)
        after.world.advance(AGAIN)
        again.manager.pump()
        assert again.session.opened is not None
        assert again.bodies() == ["before"]

    def test_a_stream_that_was_given_up_meanwhile_is_not_taken_over(
        self, servers: Servers, manager: Manager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        after = servers.crash()
        unreadable = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no disk")
        with monkeypatch.context() as broken:
            broken.setattr(after.world.security, "exists", lambda *_: fail(unreadable))
            again = resumed(after, after.manager(), "joe", joe.id, joe.h)
            again.cut()
        direct = after.world.peer()
        direct.login("joe")
        assert direct.resume(joe.id, joe.h)[0].name == "resumed"
        after.world.advance(AGAIN)
        again.manager.pump()
        assert not direct.closed

    @pytest.mark.parametrize("account", ["jack", "nobody", "", "@"])
    def test_a_stream_of_another_account_does_not(self, servers: Servers, manager: Manager, account: str) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        again = resumed(servers, manager, account, joe.id, joe.h)
        assert again.session.refused == Refused("reset", ANY)
        assert joe.session.number in manager.sessions
        assert again.channel is None

    def test_a_stream_that_is_not_known_is_refused(self, servers: Servers, manager: Manager) -> None:
        again = resumed(servers, manager, "joe", "unknown", 0)
        assert again.session.refused == Refused("reset", ANY)

    def test_a_client_cannot_have_more_than_was_sent(self, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        again = resumed(servers, manager, "joe", joe.id, joe.h + 5)
        assert again.session.refused == Refused("undefined-condition", ANY)

    def test_a_header_that_is_none_is_refused(self, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        resume = Resume("joe", joe.id, joe.h, "<message/>")
        again = manager.peer(Open("10.0.0.1", resume=resume))
        assert again.session.refused == Refused("reset", ANY)


class TestLostLinks:
    def test_sessions_are_kept_for_the_grace_time(self, world: World, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x")
        manager.wires[0].cut()
        world.advance(servers.settings.grace - 1)
        assert joe.channel is not None
        world.advance(1)
        assert joe.channel is None
        assert "joe@localhost/x" not in world.service.domain.clients

    def test_the_grace_time_begins_with_the_last_loss(self, world: World, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x")
        for _ in range(3):
            manager.wires[0].cut()
            world.advance(servers.settings.grace - 1)
            manager.dial()
            manager.reattach()
            manager.pump()
        assert joe.channel is not None

    def test_sessions_of_another_link_are_not_touched(self, world: World, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x")
        manager.dial()
        jack = manager.bind("jack@localhost/y")
        manager.wires[0].cut()
        world.advance(servers.settings.grace)
        assert (joe.channel, jack.channel is None) == (None, False)

    def test_what_is_for_a_client_meanwhile_comes_when_there_is_a_link(self, world: World, manager: Manager) -> None:
        joe, jack = manager.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        manager.wires[0].cut()
        for number in range(3):
            jack.send(f"<message to='joe@localhost/x'><body>{number}</body></message>")
        manager.dial()
        manager.reattach()
        manager.pump()
        assert joe.bodies() == ["0", "1", "2"]

    def test_a_manager_that_drains_has_its_sessions_lost_at_once(
        self, world: World, servers: Servers, manager: Manager
    ) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        manager.wires[0].send(Type.GOODBYE, payload=Goodbye("drain").encode())
        manager.pump()
        assert len(servers.sessions) == 0
        other = servers.manager("cm2").peer()
        other.login("joe")
        assert other.resume(joe.id, joe.h)[0].name == "resumed"

    def test_one_that_says_goodbye_otherwise_has_not(self, servers: Servers, manager: Manager) -> None:
        manager.bind("joe@localhost/x")
        manager.wires[0].send(Type.GOODBYE, payload=Goodbye("error").encode())
        manager.pump()
        assert len(servers.sessions) == 1

    def test_a_silent_manager_is_asked_and_then_given_up(self, world: World, servers: Servers) -> None:
        manager = servers.manager()
        (wire,) = manager.wires
        world.advance(150)
        assert wire.to_manager == frames.encode(Type.PING)
        world.advance(75)
        world.advance(75)
        assert wire.closed == "aborted"

    def test_one_that_answers_is_not(self, world: World, servers: Servers, manager: Manager) -> None:
        for _ in range(20):
            world.advance(75)
            manager.pump()
        assert not manager.wires[0].closed

    def test_a_ping_is_answered(self, manager: Manager) -> None:
        (wire,) = manager.wires
        wire.send(Type.PING, payload=b"hello")
        manager.pump()
        assert wire.frames[-1] == frames.Frame(Type.PONG, 0, b"hello")


class TestHello:
    def test_the_server_tells_what_it_permits(self, servers: Servers, manager: Manager) -> None:
        hello = manager.wires[0].hello
        assert hello is not None
        assert hello == BrokerHello(servers.sessions.run, (1 << 20) + 65_536, 100_000, 300)

    def test_it_says_nothing_before_the_manager_does(self, servers: Servers) -> None:
        wire = Wire(Manager(servers))
        wire.link.connected()
        servers.world.advance(160)
        wire.deliver()
        assert wire.frames == []

    @pytest.mark.parametrize("domain", ["", "localhost", "LOCALHOST"])
    def test_a_manager_of_its_domain_is_welcome(self, servers: Servers, domain: str) -> None:
        assert servers.manager(domain=domain).wires[0].hello is not None

    @pytest.mark.parametrize("domain", ["example.org", "joe@", "\u200b"])
    def test_a_manager_of_another_domain_is_told_which_one_is_served(self, servers: Servers, domain: str) -> None:
        with capturedLogs() as events:
            for _ in range(2):
                manager = servers.manager(domain=domain)
                (wire,) = manager.gone
                assert wire.hello is None
                text = f"the broker serves localhost, and this manager {domain}: set its xmpp.domain to localhost"
                assert wire.goodbye == Goodbye("refused", text)
        assert servers.sessions.managers == {}
        assert [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn] == [
            f"10.9.9.9:1: the connection manager cm1 is refused: its xmpp.domain is {domain}, and that of the broker"
            " localhost"
        ]

    def test_a_second_process_of_a_name_is_told_and_warned_of(self, servers: Servers) -> None:
        with capturedLogs() as events:
            one, other = servers.manager(), servers.manager()
            other.dial()
        assert [wire.hello and wire.hello.others for wire in one.wires + other.wires] == [0, 1, 1]
        (warning,) = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
        assert warning.startswith(
            "10.9.9.9:1: another process is linked as the connection manager cm1, from 10.9.9.9:1: each needs a name"
        )
        assert one.bind("joe@localhost/x").jid and other.bind("jack@localhost/x").jid

    @pytest.mark.parametrize("leaves", [True, False])
    def test_a_manager_that_was_restarted_is_no_second_process(self, servers: Servers, leaves: bool) -> None:
        before = servers.manager()
        before.bind("joe@localhost/x")
        if leaves:
            before.wires[0].send(Type.GOODBYE, payload=Goodbye("drain").encode())
            before.wires[0].deliver()
        else:
            before.wires[0].cut()
        after = servers.manager()
        assert after.wires[0].hello is not None
        assert after.wires[0].hello.others == 0

    @pytest.mark.parametrize(
        "first",
        [
            frames.encode(Type.PING),
            frames.encode(Type.OPEN, 1, Open("10.0.0.1").encode()),
            frames.encode(Type.HELLO, payload=ManagerHello("x" * 32, version=2).encode()),
            frames.encode(Type.HELLO, payload=ManagerHello("x" * 15).encode()),
            frames.encode(Type.HELLO, payload=ManagerHello("x" * 129).encode()),
        ],
        ids=["ping", "open", "version", "short", "long"],
    )
    def test_a_link_that_begins_otherwise_is_broken_off(self, servers: Servers, first: bytes) -> None:
        manager = Manager(servers)
        wire = Wire(manager)
        wire.link.connected()
        wire.to_broker = first
        wire.deliver()
        wire.deliver()
        assert wire.goodbye is not None
        assert wire.goodbye.reason == "error"
        assert servers.sessions.managers == {}


class TestLimits:
    def test_a_manager_has_a_limit_of_clients(self, world: World) -> None:
        servers = Servers(world, limits=Limits(rate=0, max_connections=2))
        manager, other = servers.manager(), servers.manager("cm2")
        first, _, third, elsewhere = manager.peer(), manager.peer(), manager.peer(), other.peer()
        assert third.session.refused == Refused("resource-constraint", ANY)
        assert elsewhere.session.refused is None
        first.cut()
        assert manager.peer().session.refused is None

    def test_two_processes_of_a_manager_have_one_limit(self, world: World) -> None:
        servers = Servers(world, limits=Limits(rate=0, max_connections=1))
        servers.manager().peer()
        assert servers.manager().peer().session.refused is not None

    def test_clients_of_one_address_that_have_not_logged_in_have_a_limit(self, world: World) -> None:
        servers = Servers(world, limits=Limits(rate=0, max_pending=2))
        manager = servers.manager()
        first, second = manager.peer(), manager.peer()
        assert manager.peer().session.refused is not None
        assert manager.peer(Open("10.0.0.2", tls=SECURE)).session.refused is None
        first.login("joe")
        first.bind("x")
        assert manager.peer().session.refused is None
        assert second.session.refused is None

    def test_how_often_an_address_may_connect_has_a_limit(self, world: World) -> None:
        manager = Servers(world, limits=Limits(rate=1, burst=2)).manager()
        assert [manager.peer().session.refused is None for _ in range(3)] == [True, True, False]

    @pytest.mark.parametrize("address", ["", "localhost", "10.0.0.1'/><x", "10.0.0.1/8"])
    def test_what_is_no_address_is_that_of_nobody(self, manager: Manager, address: str) -> None:
        assert manager.peer(Open(address, tls=SECURE)).channel.host == ""

    def test_a_stranger_that_does_not_log_in_is_ended(self, world: World, manager: Manager) -> None:
        peer = manager.peer()
        world.advance(11)
        manager.pump()
        assert "connection-timeout" in str(peer.take())
        assert peer.session.closed == "closed"


class TestShutdown:
    def test_the_last_acknowledgements_and_a_goodbye_are_sent(self, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        (wire,) = manager.wires
        joe.send("<message to='jack@localhost'><body>1</body></message>")
        assert joe.session.out
        wire.link.shut_down()
        manager.pump()
        assert not joe.session.out
        assert not joe.closed
        assert wire.goodbye == Goodbye("shutdown", ANY)
        assert len(servers.sessions) == 0

    def test_streams_go_on_with_the_next_server(self, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        manager.wires[0].link.shut_down()
        manager.pump()
        after = servers.crash()
        again = resumed(after, after.manager(), "joe", joe.id, joe.h)
        assert again.session.opened == Opened(1)

    def test_strangers_are_told(self, manager: Manager) -> None:
        peer = manager.peer()
        peer.open()
        (wire,) = manager.wires
        wire.link.shut_down()
        manager.pump()
        assert "system-shutdown" in str(peer.take())
        assert peer.session.close_at is not None

    def test_what_was_being_handled_is_handled_first(self, servers: Servers, manager: Manager) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        (wire,) = manager.wires
        stream = joe.channel.stream
        stream._busy = True
        joe.send("<message to='joe@localhost/x'><body>1</body></message>")
        wire.link.shut_down()
        manager.pump()
        assert not wire.closed
        stream._work_done(None, None)
        manager.pump()
        assert wire.goodbye is not None
        assert not joe.session.out
        assert joe.bodies() == ["1"]

    def test_a_link_without_sessions_says_goodbye_at_once(self, manager: Manager) -> None:
        (wire,) = manager.wires
        wire.link.shut_down()
        manager.pump()
        assert wire.goodbye is not None

    def test_sessions_without_a_link_are_lost_when_the_server_stops(self, servers: Servers, manager: Manager) -> None:
        manager.bind("joe@localhost/x", sm=True)
        manager.wires[0].cut()
        before = servers.world.timers
        servers.sessions.stop()
        assert len(servers.sessions) == 0
        assert servers.world.timers <= before

    def test_a_stream_that_is_about_to_go_on_is_left_to_the_next_server(
        self, world: World, servers: Servers, manager: Manager
    ) -> None:
        joe = manager.bind("joe@localhost/x", sm=True)
        manager.wires[0].cut()
        other = servers.manager("cm2")
        world.store.held = True
        again = resumed(servers, other, "joe", joe.id, joe.h)
        other.wires[0].link.shut_down()
        world.store.held = False
        world.store.commit()
        other.pump()
        assert (again.session.refused, again.session.close_at) == (None, None)
        assert len(servers.sessions.managers["cm1"].processes) == 1


class TestSessionsThatMove:
    def test_what_comes_over_the_link_before_is_passed_over(self, world: World, manager: Manager) -> None:
        joe, jack = manager.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        (first,) = manager.wires
        second = manager.dial()
        joe.session.give(b"<message to='jack@localhost/y'><body>1</body></message>")
        joe.session.attach(second)
        second.deliver()
        manager.pump()
        assert jack.bodies() == ["1"]
        assert (first.closed, second.closed) == ("", "")
