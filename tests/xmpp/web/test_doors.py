"""The paths of the plugin WEB: who may upgrade, and host-meta (XEP-0156 §4)."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.errors import BrokerError
from broker.net.http.exchange import Call, Peer, refusal_without_body
from broker.net.limits import Limits
from broker.net.listener import Listener
from broker.net.transport import TransportSettings
from broker.net.turns import Turns
from broker.xml.tree import parse_tree
from broker.xmpp.bosh.sessions import BoshSessions
from broker.xmpp.bosh.settings import BoshSettings
from broker.xmpp.settings import TlsPolicy
from broker.xmpp.web.bosh_door import BoshDoor
from broker.xmpp.web.entrance import Entrance, client_of
from broker.xmpp.web.host_meta import host_meta_routes, links_of
from broker.xmpp.web.settings import PUBLIC_URL, web_settings_of
from broker.xmpp.web.websocket_door import WebSocketDoor
from broker.xmpp.wire import ns
from tests.net.http.conversation import Connection, Conversation, Received, request
from tests.net.http.websocket.client import ClientSide
from tests.xmpp.web.test_websocket import OPEN
from tests.xmpp.world import World, settings

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "xmpp",
}
LINKS = links_of("https://chat.example/xmpp")


class Site(Conversation):
    """A site with the doors.

    Args:
        world: that is behind them.
        loopback: it can be reached from this machine only.
        origins: whose pages may connect.
        bosh_origins: whose pages may use BOSH.
        proxies: that are believed.
        links: of host-meta.
        limits: of connections that are upgraded.
    """

    def __init__(
        self,
        world: World,
        *,
        loopback: bool = True,
        origins: Collection[str] = (),
        bosh_origins: Collection[str] = (),
        proxies: Collection[str] = (),
        links: dict[str, str] = LINKS,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
    ) -> None:
        terms = TransportSettings(world.clock, Turns(world.clock, world.clock.seconds), limits)
        self.listener = Listener(None, terms)
        self.world = world
        entrance = Entrance(world.service, proxies=proxies, loopback=loopback)
        door = WebSocketDoor(entrance, world.service, self.listener, origins=origins)
        over_bosh = BoshDoor(entrance, BoshSessions(world.service, BoshSettings(), terms.turns), origins=bosh_origins)
        super().__init__([door.route(), *over_bosh.routes(), *host_meta_routes(links)])
        self.site.refuse = refusal_without_body

    def upgrade(self, **headers: str) -> Connection:
        """A connection on which a handshake was sent."""
        connection = self.connected()
        connection.send(handshake(**headers))
        return connection


def handshake(**headers: str) -> bytes:
    """The request that upgrades a connection."""
    return request("/ws", "GET", b"", **{**HANDSHAKE, **headers})


@pytest.fixture
def site(quiet: World) -> Site:
    return Site(quiet)


def head(connection: Connection) -> bytes:
    """The header of the answer."""
    return bytes(connection.transport.value()).partition(b"\r\n\r\n")[0]


def test_a_connection_is_upgraded_and_belongs_to_the_listener(site: Site) -> None:
    connection = site.upgrade()
    assert head(connection).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"sec-websocket-protocol: xmpp" in head(connection).lower()
    assert len(site.listener.connections) == 1
    assert not site.site.channels
    assert site.answered == [101]


@pytest.mark.parametrize("piece", [1, 0])
def test_what_is_sent_behind_the_handshake_is_the_stream(site: Site, piece: int) -> None:
    client = ClientSide()
    connection = site.connected()
    connection.send(handshake() + client.text(OPEN), piece)
    site.world.turn()
    _, _, frames = bytes(connection.transport.value()).partition(b"\r\n\r\n")
    opened, features = client.receive(frames)
    assert opened.startswith(b"<open ")
    assert features.startswith(b"<stream:features ")


def test_the_end_of_a_connection_is_told_to_the_stream(site: Site) -> None:
    connection = site.upgrade()
    (upgraded,) = site.listener.connections
    connection.lose()
    assert not site.listener.connections
    assert upgraded.stream.messages.stream.ending.is_lost  # type: ignore[attr-defined]


def test_upgraded_connections_are_not_closed_with_the_idle_ones_of_http(site: Site) -> None:
    connection = site.upgrade()
    site.clock.advance(10 * site.site.limits.idle_timeout)
    assert not connection.is_closed()


def test_no_more_are_upgraded_than_the_listener_takes(quiet: World) -> None:
    site = Site(quiet, limits=Limits(max_connections=1))
    assert b" 101 " in head(site.upgrade())
    assert b" 503 " in head(site.upgrade())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_WebSocket_Protocol": "mqtt", "Sec-WebSocket-Protocol": ""}, 400),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Upgrade": ""}, 426),
        ({"Origin": "https://elsewhere.example"}, 403),
    ],
)
def test_refusals_have_a_status_and_no_body(site: Site, headers: dict[str, str], status: int) -> None:
    (answer,) = site.upgrade(**headers).answers()
    assert (answer.status, answer.body) == (status, b"")
    assert not site.listener.connections


def test_unknown_paths_have_no_body_that_repeats_them(site: Site) -> None:
    answer = site.ask("/nowhere")
    assert (answer.status, answer.body) == (404, b"")


def test_pages_of_listed_origins_may_connect(quiet: World) -> None:
    site = Site(quiet, origins=["https://elsewhere.example"])
    assert b" 101 " in head(site.upgrade(Origin="https://elsewhere.example"))


@pytest.mark.parametrize(
    ("policy", "loopback", "status"),
    [
        (TlsPolicy.AUTO, True, b"101"),
        (TlsPolicy.AUTO, False, b"403"),
        (TlsPolicy.REQUIRED, True, b"403"),
        (TlsPolicy.OPTIONAL, False, b"101"),
        (TlsPolicy.OFF, False, b"101"),
    ],
)
def test_without_tls_it_is_as_for_tcp(policy: TlsPolicy, loopback: bool, status: bytes) -> None:
    site = Site(World(settings(tls=policy)), loopback=loopback)
    assert head(site.upgrade()).split()[1] == status


def test_tls_up_to_a_proxy_that_is_trusted_is_tls(quiet: World) -> None:
    world = World(settings(tls=TlsPolicy.REQUIRED))
    site = Site(world, proxies=["192.0.2.7"])
    connection = site.upgrade(X_Forwarded_Proto="https", X_Forwarded_For="10.0.0.1, 198.51.100.9")
    assert b" 101 " in head(connection)
    (upgraded,) = site.listener.connections
    assert upgraded.host == "198.51.100.9"
    assert not upgraded.secure


def call(host: str, **headers: str) -> Call:
    """A request."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call("1", "GET", {}, {}, names, b"", Peer(host))


@pytest.mark.parametrize(
    ("forwarded", "host"),
    [
        ("", "127.0.0.1"),
        ("198.51.100.9", "198.51.100.9"),
        ("10.9.9.9, 198.51.100.9, 127.0.0.1", "198.51.100.9"),
        ("198.51.100.9, nonsense", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_of_forwarded_addresses_the_last_counts_that_is_no_proxy(forwarded: str, host: str) -> None:
    assert client_of(call("127.0.0.1", x_forwarded_for=forwarded), {"127.0.0.1"}) == (host, False)


def test_nobody_else_is_believed() -> None:
    asked = call("192.0.2.1", x_forwarded_for="127.0.0.1", x_forwarded_proto="https")
    assert client_of(asked, {"127.0.0.1"}) == ("192.0.2.1", False)


def test_host_meta_tells_the_same_as_xml_and_as_json_to_pages_of_all_hosts(site: Site) -> None:
    as_xml, as_json = site.ask("/.well-known/host-meta"), site.ask("/.well-known/host-meta.json")
    assert as_xml.headers["content-type"] == "application/xrd+xml"
    assert as_json.headers["content-type"] == "application/json"
    for answer in (as_xml, as_json):
        assert answer.headers["access-control-allow-origin"] == "*"
    for link in as_json.json["links"]:
        assert f"<Link rel='{link['rel']}' href='{link['href']}'/>".encode() in as_xml.body
    assert as_json.json["links"][0] == {
        "rel": "urn:xmpp:alt-connections:websocket",
        "href": "wss://chat.example/xmpp/ws",
    }


def test_host_meta_answers_head(site: Site) -> None:
    answer = site.ask("/.well-known/host-meta", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_there_is_no_host_meta_where_nobody_has_said_how_clients_reach_it(quiet: World) -> None:
    site = Site(quiet, links=links_of(""))
    assert [site.ask(f"/.well-known/host-meta{suffix}").status for suffix in ("", ".json")] == [404, 404]


@pytest.mark.parametrize(
    ("given", "read"),
    [("", ""), ("https://chat.example/", "https://chat.example"), ("http://127.0.0.1:5280", "http://127.0.0.1:5280")],
)
def test_the_public_address_is_secure_or_of_this_machine(given: str, read: str) -> None:
    assert web_settings_of(Properties([Setting(PUBLIC_URL.name, given, "test")])).public_url == read


@pytest.mark.parametrize(
    "given", ["http://chat.example", "chat.example", "ftp://a", "https://", "https://a?b", "http://[", "https://a#b"]
)
def test_other_public_addresses_are_refused(given: str) -> None:
    with pytest.raises(BrokerError, match=PUBLIC_URL.name):
        web_settings_of(Properties([Setting(PUBLIC_URL.name, given, "test")]))


class TestBosh:
    """The path of BOSH (XEP-0124 §5)."""

    FIRST = f"<body xmlns='{ns.BOSH}' rid='1' to='localhost' hold='1' wait='60'/>".encode()

    def post(self, site: Site, body: bytes, **headers: str) -> Received:
        """The answer to a request that is answered at once."""
        connection = self.sent(site, body, **headers)
        (answer,) = connection.answers()
        return answer

    def sent(self, site: Site, body: bytes, **headers: str) -> Connection:
        """A connection on which a request was sent."""
        connection = site.connected()
        connection.send(request("/http-bind", "POST", body, **headers))
        site.world.turn()
        return connection

    def test_a_session_begins_and_is_answered_as_xml(self, site: Site) -> None:
        answer = self.post(site, self.FIRST, Content_Type="text/plain")
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert parse_tree(answer.body).attributes["sid"]

    def test_the_client_may_choose_the_type_of_the_answers(self, site: Site) -> None:
        first = self.FIRST.replace(b" to=", b" content='text/html; charset=utf-8' to=")
        assert self.post(site, first).headers["content-type"] == "text/html; charset=utf-8"

    def test_a_connection_that_is_lost_takes_no_answer_along(self, site: Site) -> None:
        sid = parse_tree(self.post(site, self.FIRST).body).attributes["sid"]
        written = f"<body xmlns='{ns.BOSH}' rid='2' sid='{sid}'/>".encode()
        self.sent(site, written).lose()
        again = self.sent(site, written)
        assert not again.transport.value()
        site.world.advance(60)
        assert again.answers()[0].body == f"<body xmlns='{ns.BOSH}'/>".encode()

    @pytest.mark.parametrize("body", [b"", b"hello", b"<body/>", FIRST[:-1]])
    def test_what_is_no_body_of_bosh_is_refused(self, site: Site, body: bytes) -> None:
        answer = self.post(site, body)
        assert (answer.status, answer.body) == (400, b"")

    def test_nothing_is_unpacked(self, site: Site) -> None:
        assert self.post(site, self.FIRST, Content_Encoding="gzip").status == 415

    def test_a_session_that_is_not_there_is_told_in_a_body(self, site: Site) -> None:
        answer = self.post(site, f"<body xmlns='{ns.BOSH}' rid='2' sid='nobody'/>".encode())
        assert answer.status == 200
        assert parse_tree(answer.body).attributes["condition"] == "item-not-found"

    def test_it_must_come_over_tls_as_tcp_must(self, quiet: World) -> None:
        world = World(settings(tls=TlsPolicy.REQUIRED))
        assert self.post(Site(world), self.FIRST).status == 403
        proxied = Site(world, proxies=["192.0.2.7"])
        assert self.post(proxied, self.FIRST, X_Forwarded_Proto="https").status == 200

    def test_other_methods_are_not_served(self, site: Site) -> None:
        assert site.ask("/http-bind").status == 405

    @pytest.mark.parametrize(
        ("allowed", "told"), [((), None), (["https://a.example"], "https://a.example"), ("*", "https://a.example")]
    )
    def test_pages_of_other_hosts_may_read_the_answers_where_they_are_listed(
        self, quiet: World, allowed: Collection[str], told: str | None
    ) -> None:
        site = Site(quiet, bosh_origins=allowed)
        headers = self.post(site, self.FIRST, Origin="https://a.example").headers
        assert headers.get("access-control-allow-origin") == told
        assert "access-control-allow-credentials" not in headers
        preflight = site.ask("/http-bind", "OPTIONS", Origin="https://a.example")
        assert preflight.status == 204
        assert preflight.headers.get("access-control-allow-origin") == told
        methods = "POST, OPTIONS" if told else None
        assert preflight.headers.get("access-control-allow-methods") == methods
        assert preflight.headers.get("access-control-allow-headers") == ("Content-Type" if told else None)

    def test_host_meta_names_it_behind_websocket(self, site: Site) -> None:
        links = site.ask("/.well-known/host-meta.json").json["links"]
        assert links[1] == {"rel": "urn:xmpp:alt-connections:xbosh", "href": "https://chat.example/xmpp/http-bind"}
