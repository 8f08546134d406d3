"""Stream management over WebSocket: the cases of TCP but for those that look at bytes (XEP-0198, RFC 7395 §3.10)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.xmpp.test_stream_management import *  # noqa: F403
from tests.xmpp.web.peer import WebSocketPeer
from tests.xmpp.world import World

OF_TCP = {
    "test_36_everything_may_be_pipelined",
    "test_32_a_message_amid_the_hand_over_is_delivered",
    "test_after_all_of_it_nothing_is_left",
    "test_an_answer_that_does_not_come_tells_of_a_dead_connection",
    "test_b5_a_stanza_that_is_being_handled_is_counted_before_the_stream_is_resumed",
}
"""They write bytes of TCP to the stream, or look at the socket."""


def over_websocket(world: World, **options: Any) -> WebSocketPeer:
    """A new connection."""
    return WebSocketPeer(world, **options)


@pytest.fixture(autouse=True)
def _peers_come_over_websocket(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.node.originalname in OF_TCP:
        pytest.skip("it looks at bytes of TCP")
    monkeypatch.setattr(World, "peer", over_websocket)
