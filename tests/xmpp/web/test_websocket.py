"""A client's stream over WebSocket, message by message (RFC 7395)."""

from __future__ import annotations

import base64

import pytest

from broker.net.http.websocket.codec import CloseCode
from broker.xmpp.settings import TlsPolicy
from broker.xmpp.stream.message_framing import CLOSE
from broker.xmpp.wire import ns
from tests.xmpp.web.peer import WebSocketPeer
from tests.xmpp.world import World, bound, settings

OPEN = f"<open xmlns='{ns.FRAMING}' to='localhost' version='1.0'/>"
TOKEN = base64.b64encode(b"\0joe\0secret").decode()
AUTH = f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{TOKEN}</auth>"


@pytest.fixture
def peer(quiet: World) -> WebSocketPeer:
    return WebSocketPeer(quiet)


@pytest.fixture
def joe(quiet: World) -> WebSocketPeer:
    return bound(WebSocketPeer(quiet), "joe@localhost/x", presence="<presence/>", sm=True)


def test_the_stream_is_opened_by_an_element_and_its_features_stand_alone(peer: WebSocketPeer) -> None:
    opened, features = peer.answers(OPEN)
    assert opened.startswith(f"<open xmlns='{ns.FRAMING}' version='1.0'".encode())
    assert b" from='localhost'" in opened
    assert opened.endswith(b"/>")
    assert features.startswith(b"<stream:features ")
    assert f"xmlns:stream='{ns.STREAM}'".encode() in features.partition(b">")[0]


def test_starttls_is_not_offered_and_asking_for_it_fails(peer: WebSocketPeer) -> None:
    assert not [each for each in peer.answers(OPEN) if b"starttls" in each]
    failure, end = peer.answers(f"<starttls xmlns='{ns.TLS}'/>")
    assert failure == f"<failure xmlns='{ns.TLS}'/>".encode()
    assert end == CLOSE


def test_a_new_stream_is_opened_behind_the_login_without_closing_the_old_one(peer: WebSocketPeer) -> None:
    peer.answers(OPEN)
    (success,) = peer.answers(AUTH)
    assert success.startswith(b"<success ")
    opened, features = peer.answers(OPEN)
    assert opened.startswith(b"<open ")
    assert ns.BIND.encode() in features


def test_clients_log_in_with_scram(peer: WebSocketPeer) -> None:
    final = peer.begin_scram("joe")
    (success,) = peer.answers(final)
    assert success.startswith(b"<success ")


def test_each_stanza_is_a_message_with_its_namespace(joe: WebSocketPeer) -> None:
    body = f"<message xmlns='{ns.CLIENT}' to='joe@localhost/x' type='chat'><body>hi</body></message>"
    joe.say(body)
    joe.say(body)
    joe.client_takes()
    stanzas = [each for each in joe.messages if b"<body>hi" in each]
    assert len(stanzas) == 2
    for each in stanzas:
        assert each.startswith(b"<message ")
        assert b" xmlns='jabber:client'" in each.partition(b">")[0]


@pytest.mark.parametrize(
    ("message", "condition"),
    [
        ("<message to='joe@localhost'/>", "invalid-namespace"),
        ("<message xmlns='jabber:client'/><message xmlns='jabber:client'/>", "not-well-formed"),
        ("<message xmlns='jabber:client'/>\0<message xmlns='jabber:client'/>", "not-well-formed"),
        ("<message xmlns='jabber:client'>", "not-well-formed"),
        ("<stream:error/>", "bad-namespace-prefix"),
        (" ", "not-well-formed"),
    ],
)
def test_what_is_not_one_stanza_that_stands_alone_ends_the_stream(
    joe: WebSocketPeer, message: str, condition: str
) -> None:
    *_, error, end = joe.answers(message)
    assert error.startswith(b"<stream:error ")
    assert condition.encode() in error
    assert end == CLOSE
    assert joe.closed_with is CloseCode.NORMAL


def test_close_is_answered_and_ends_the_session(joe: WebSocketPeer) -> None:
    assert joe.answers(CLOSE)[-1] == CLOSE
    assert joe.closed_with is CloseCode.NORMAL
    assert not joe.world.service.domain.clients


def test_the_frame_that_closes_without_the_element_leaves_the_stream_to_be_resumed(joe: WebSocketPeer) -> None:
    joe.websocket.received(joe.client.close())
    joe.cut()
    again = WebSocketPeer(joe.world)
    again.login("joe")
    assert again.resume(joe.id, joe.h)[0].name == "resumed"


def test_a_stream_goes_on_over_tcp_and_back(joe: WebSocketPeer) -> None:
    joe.cut()
    tcp = joe.world.peer()
    tcp.login("joe")
    assert tcp.resume(joe.id, joe.h)[0].name == "resumed"
    back = WebSocketPeer(joe.world)
    back.login("joe")
    assert back.resume(tcp.id, tcp.h)[0].name == "resumed"
    assert tcp.names() == ["error", "/"]


def test_a_stream_is_resumed_after_the_broker_was_killed(joe: WebSocketPeer) -> None:
    world = joe.world.crash()
    again = WebSocketPeer(world)
    again.login("joe")
    assert again.resume(joe.id, joe.h)[0].name == "resumed"


def test_at_a_shutdown_the_connection_goes_away_without_an_end_of_the_stream(joe: WebSocketPeer) -> None:
    joe.messages.clear()
    joe.websocket.shut_down()
    joe.world.turn()
    assert joe.closed_with is CloseCode.GOING_AWAY
    assert CLOSE not in joe.messages


def test_a_silent_client_is_asked_by_a_ping_of_websocket_and_lives_by_its_pong() -> None:
    world = World(settings(idle_websocket=100, idle=1))
    joe = bound(WebSocketPeer(world), "joe@localhost/x", presence=None, sm=False)
    for _ in range(5):
        world.advance(60)
        joe.client_takes()
        joe.websocket.received(joe.client.pong())
    assert joe.client.pings >= 4
    assert joe.closed_with is None
    world.advance(110)
    assert joe.closed_with is CloseCode.NORMAL


def test_strangers_may_send_short_messages_and_clients_long_ones(quiet: World, peer: WebSocketPeer) -> None:
    stanza = "<message xmlns='jabber:client' to='jack@localhost'><body>{}</body></message>"
    joe = bound(peer, "joe@localhost/x", presence=None, sm=False)
    joe.say(stanza.format("x" * 20_000))
    assert joe.closed_with is None
    stranger = WebSocketPeer(quiet)
    stranger.say(stanza.format("x" * 20_000))
    assert stranger.closed_with is CloseCode.TOO_BIG


def test_a_password_in_clear_is_for_tls_or_the_own_machine() -> None:
    world = World(settings(plain_without_tls=False, tls=TlsPolicy.OPTIONAL))
    for secure in (False, True):
        peer = WebSocketPeer(world, secure=secure)
        (features,) = [each for each in peer.answers(OPEN) if b"features" in each]
        assert (b"<mechanism>PLAIN</mechanism>" in features) is secure


def test_channel_binding_is_not_offered_where_tls_ends_at_a_proxy(quiet: World) -> None:
    proxied = WebSocketPeer(quiet, secure=True)
    assert not [each for each in proxied.answers(OPEN) if b"-PLUS" in each or b"sasl-channel-binding" in each]
    direct = WebSocketPeer(quiet, secure=True)
    direct.transport.bindings = {"tls-exporter": b"x"}
    assert [each for each in direct.answers(OPEN) if b"SCRAM-SHA-256-PLUS" in each]


def test_the_login_and_a_resumption_may_be_pipelined(joe: WebSocketPeer) -> None:
    joe.cut()
    again = WebSocketPeer(joe.world)
    for message in (OPEN, AUTH, OPEN, f"<resume xmlns='{ns.SM}' previd='{joe.id}' h='{joe.h}'/>"):
        again.websocket.received(again.client.text(message))
    joe.world.turn()
    again.client_takes()
    names = [each[1:].partition(b" ")[0].decode() for each in again.messages]
    assert names == ["open", "stream:features", "success", "open", "stream:features", "resumed"]
