"""What the targets of XMPP have in common."""

from __future__ import annotations

from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xmpp.wire import ns
from tests.fuzz.store import check_store
from tests.fuzz.support import require
from tests.xmpp.world import Peer, World

LONGEST_ANSWER = 16 * 1024
LONG_AFTER = 10**6
"""Seconds after which nothing of a client can be left."""
_HEADER = f"<stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}'>".encode()


def written(data: bytes) -> list[Stanza]:
    """The elements that the service wrote, over several streams; all of it must be well-formed."""
    stanzas: list[Stanza] = []
    for each in data.split(b"<?xml version='1.0'?>"):
        start = each.find(b"<stream:stream")
        reader = StreamReader(1 << 24, stepwise=False)
        events = reader.feed(each if start >= 0 else _HEADER + each)
        require(reader.error is None, f"the service wrote {each[:2000]!r}: {reader.error}")
        found = [event for event in events if isinstance(event, Stanza)]
        for stanza in found:
            stanza.tree()
        stanzas += found
    return stanzas


def ended(world: World, peer: Peer, timers: int) -> None:
    """The connection goes, time passes, and nothing is left of it."""
    stream = peer.stream
    peer.cut()
    require(not stream.inbox.events and not stream.inbox.later, "it keeps what came")
    for _ in range(3):
        world.advance(LONG_AFTER)
    require(not world.service.domain.clients, "a client is left")
    require(not [each for each in world.node.sessions.values() if each.kind.name == "xmpp"], "a session is left")
    require(world.timers <= timers, f"{world.timers} timers are left, and {timers} there were")
    check_store(world.store)
