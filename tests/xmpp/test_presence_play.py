"""Whatever resources do, each that is available sees who else is, itself included (RFC 6121 §4)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.xmpp.wire import ns
from tests.xmpp.test_presence import friends
from tests.xmpp.world import Peer, World
from tests.xmpp.world import settings as service

JIDS = ("joe@localhost/1", "joe@localhost/2", "jack@localhost/1", "mary@localhost/1")
"""Joe and jack see each other; mary is a stranger to both."""
SHOWS = ("away", "dnd", "")


def visible(watcher: str, other: str) -> bool:
    names = {watcher.partition("@")[0], other.partition("@")[0]}
    return len(names) == 1 or names == {"joe", "jack"}


class Play:
    """Resources that come and go, and what each of them has been told."""

    def __init__(self) -> None:
        self.world = World(service(idle=-1))
        for peer in friends(self.world, "joe@localhost/x", "jack@localhost/x"):
            peer.send("</stream:stream>")
        self.peers: dict[str, Peer] = {}
        self.shows: dict[str, str] = {}
        self.views: dict[str, dict[str, str]] = {}

    def come(self, jid: str, show: str) -> None:
        """Send available presence, after a login where there is none."""
        peer = self.peers.get(jid)
        if peer is None:
            peer = self.peers[jid] = self.world.bind(jid, presence=None)
        if jid not in self.shows:
            self.views[jid] = {}
        self.shows[jid] = show
        peer.send(f"<presence><show>{show}</show></presence>" if show else "<presence/>")
        self.look()

    def leave(self, jid: str) -> None:
        """Send unavailable presence."""
        peer = self.peers.get(jid)
        if peer is not None:
            self.shows.pop(jid, None)
            peer.send("<presence type='unavailable'/>")
            self.look()

    def end(self, jid: str, *, cut: bool) -> None:
        """End the stream, or lose the connection."""
        peer = self.peers.pop(jid, None)
        if peer is not None:
            self.shows.pop(jid, None)
            if cut:
                peer.cut()
            else:
                peer.send("</stream:stream>")
            self.look()

    def look(self) -> None:
        """Take note of what everybody is told."""
        for jid, peer in self.peers.items():
            for tree in peer.take():
                from_ = tree.attributes["from"]
                if tree.attributes.get("type") == "unavailable":
                    self.views.setdefault(jid, {}).pop(from_, None)
                else:
                    assert "type" not in tree.attributes
                    self.views.setdefault(jid, {})[from_] = tree.text_of(ns.CLIENT, "show")

    def check(self) -> None:
        """Each one that is available sees exactly who is."""
        for watcher in self.shows:
            expected = {other: show for other, show in self.shows.items() if visible(watcher, other)}
            assert self.views[watcher] == expected


STEPS = st.tuples(
    st.sampled_from(JIDS), st.sampled_from(["come", "come", "come", "leave", "end", "cut"]), st.sampled_from(SHOWS)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_each_available_resource_sees_who_is_available(steps: list[tuple[str, str, str]]) -> None:
    play = Play()
    for jid, step, show in steps:
        match step:
            case "come":
                play.come(jid, show)
            case "leave":
                play.leave(jid)
            case _:
                play.end(jid, cut=step == "cut")
        play.check()
