"""Clients whose streams a connection manager carries in frames."""

from __future__ import annotations

import base64

import pytest

from broker.auth.scram import Mechanism
from broker.xmpp.wire import ns
from broker.xmpp.wire.frame_values import Open
from tests.campaign.scram_client import ScramClient
from tests.xmpp.managers.framed import Manager, Servers
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
