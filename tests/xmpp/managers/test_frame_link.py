"""Clients whose streams a connection manager carries in frames."""

from __future__ import annotations

import base64
from unittest.mock import ANY

import pytest

from broker.auth.scram import Mechanism
from broker.xmpp.wire import ns
from broker.xmpp.wire.frame_values import Open, Opened, Refused, Resume
from tests.campaign.scram_client import ScramClient
from tests.xmpp.managers.framed import Manager, Servers, resumed
from tests.xmpp.world import PASSWORD, World, befriend


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def servers(world: World) -> Servers:
    return Servers(world)


@pytest.fixture
def manager(servers: Servers) -> Manager:
    return servers.manager()


class TestManagedClients:
    def test_a_client_logs_in_and_binds(self, manager: Manager) -> None:
        peer = manager.bind("joe@localhost/x")
        assert peer.jid == "joe@localhost/x"
        assert peer.session.account == "joe"

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
