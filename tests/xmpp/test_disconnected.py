"""Clients that an administrator disconnects: RFC 6120 §4.9.3.14, XEP-0198 §5."""

from __future__ import annotations

import pytest

from broker.core.asker import Asker
from broker.core.sessions import Session
from broker.xmpp.wire import ns
from tests.xmpp.test_stream_management import chat, logged_in, texts
from tests.xmpp.world import Peer, World

BOSS = Asker("boss")
JACK = "jack@localhost/x"


def disconnected(world: World, *, sm: bool) -> tuple[Peer, Session]:
    """jack, whose connection an administrator has closed."""
    jack = world.bind(JACK, sm=sm)
    (session,) = world.node.subjects["jack"].sessions.values()
    world.broker.control.disconnect(BOSS, session)
    world.turn()
    return jack, session


@pytest.mark.parametrize("sm", [True, False])
def test_client_is_told_why_its_stream_ends(sm: bool) -> None:
    jack, _ = disconnected(World(), sm=sm)
    (error,) = [each for each in jack.take() if each.name == "error"]
    assert error.find(ns.STREAM_ERRORS, "policy-violation") is not None
    assert error.text_of(ns.STREAM_ERRORS, "text") == "an administrator disconnected the client"
    assert jack.closed


def test_session_waits_and_loses_nothing() -> None:
    world = World()
    jack, session = disconnected(world, sm=True)
    assert not session.ended
    chat(world.bind("joe@localhost/y"), JACK, "1", "2")
    again = logged_in(world)
    resumed, *rest = again.resume(jack.id, jack.h)
    assert resumed.name == "resumed"
    assert texts([*rest, *again.take()]) == ["1", "2"]


def test_session_that_cannot_be_resumed_ends() -> None:
    _, session = disconnected(World(), sm=False)
    assert session.ended
