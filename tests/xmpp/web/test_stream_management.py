"""Stream management over WebSocket: the cases of TCP but for those that look at bytes (XEP-0198, RFC 7395 §3.10)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.xmpp import test_stream_management as tcp
from tests.xmpp.test_stream_management import *  # noqa: F403
from tests.xmpp.web.peer import WebSocketPeer
from tests.xmpp.world import World

del TestNothingStays  # noqa: F821 - it looks at the socket of TCP


class TestRequests(tcp.TestRequests):  # type: ignore[no-redef]
    """Without what looks at the socket of TCP."""

    test_an_answer_that_does_not_come_tells_of_a_dead_connection = None  # type: ignore[assignment]


class TestResumption(tcp.TestResumption):  # type: ignore[no-redef]
    """Without what writes bytes of TCP to the stream."""

    test_36_everything_may_be_pipelined = None  # type: ignore[assignment]
    test_32_a_message_amid_the_hand_over_is_delivered = None  # type: ignore[assignment]
    test_b5_a_stanza_that_is_being_handled_is_counted_before_the_stream_is_resumed = None  # type: ignore[assignment]


def over_websocket(world: World, **options: Any) -> WebSocketPeer:
    """A new connection."""
    return WebSocketPeer(world, **options)


@pytest.fixture(autouse=True)
def _peers_come_over_websocket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "peer", over_websocket)
