"""How often the log tells of refusals: the first, then one line a minute with a count."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock

from broker.logs.limit import QUIET, LogLimit, NamedLogLimits


class OnePeer:
    """The refusals of one peer, and the lines about them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.refusals = LogLimit(self.clock.seconds)

    def refuse(self, *reasons: str) -> None:
        for reason in reasons:
            self.refusals.tell(self.lines.append, said(reason))


class ManyPeers:
    """The refusals of peers with names, at most two of them at a time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.refusals = NamedLogLimits(self.clock.seconds, self.lines.append, "requests", most=2)

    def refuse(self, *names: str) -> None:
        for name in names:
            self.refusals.tell(name, said(f"{name} refused"))


def said(text: str) -> Callable[[], str]:
    return lambda: text


class TestOfOnePeer:
    def test_the_first_is_told_at_once_and_the_others_are_not(self) -> None:
        peer = OnePeer()
        peer.refuse("a", "b", "c")
        assert peer.lines == ["a"]

    def test_the_first_after_a_minute_is_told_with_their_number(self) -> None:
        peer = OnePeer()
        peer.refuse("a", "b", "c")
        peer.clock.advance(QUIET)
        peer.refuse("d", "e")
        assert peer.lines == ["a", "d (and 2 more since the last line)"]

    def test_the_number_is_left_out_where_there_were_no_others(self) -> None:
        peer = OnePeer()
        peer.refuse("a")
        peer.clock.advance(QUIET)
        peer.refuse("b")
        assert peer.lines == ["a", "b"]

    def test_a_peer_without_pause_costs_one_line_a_minute(self) -> None:
        peer = OnePeer()
        for _ in range(6000):
            peer.refuse("a")
            peer.clock.advance(0.1)
        assert len(peer.lines) == 10

    def test_those_that_nobody_was_told_of_are_told_once_when_the_peer_has_gone(self) -> None:
        peer = OnePeer()
        peer.refuse("a", "b", "c")
        for _ in range(2):
            peer.refusals.end(peer.lines.append, "joe", "requests")
        assert peer.lines == ["a", "joe: 2 more requests since the last line"]

    def test_a_peer_that_was_refused_once_leaves_without_a_word(self) -> None:
        peer = OnePeer()
        peer.refuse("a")
        peer.refusals.end(peer.lines.append, "joe", "requests")
        assert peer.lines == ["a"]

    def test_a_text_that_is_not_told_is_not_made(self) -> None:
        peer = OnePeer()
        made: list[str] = []

        def text() -> str:
            made.append("text")
            return "text"

        for _ in range(3):
            peer.refusals.tell(peer.lines.append, text)
        assert made == ["text"]


class TestOfManyPeers:
    def test_each_name_has_its_own_line(self) -> None:
        peers = ManyPeers()
        peers.refuse("ann", "joe", "ann", "joe")
        assert peers.lines == ["ann refused", "joe refused"]

    def test_a_name_is_told_again_after_a_minute(self) -> None:
        peers = ManyPeers()
        peers.refuse("ann", "ann")
        peers.clock.advance(QUIET)
        peers.refuse("ann")
        assert peers.lines == ["ann refused", "ann refused (and 1 more since the last line)"]

    def test_after_a_minute_the_next_of_anybody_tells_what_is_not_told_and_forgets_it(self) -> None:
        peers = ManyPeers()
        peers.refuse("ann", "ann", "ann")
        peers.clock.advance(QUIET)
        peers.refuse("joe")
        assert peers.lines == ["ann refused", "joe refused", "ann: 2 more requests since the last line"]
        assert len(peers.refusals) == 1

    def test_what_is_not_told_of_a_name_is_told_when_it_ends(self) -> None:
        peers = ManyPeers()
        peers.refuse("ann", "ann", "joe")
        for name in ("ann", "ann", "joe", "jim"):
            peers.refusals.end(name)
        assert peers.lines == ["ann refused", "joe refused", "ann: 1 more requests since the last line"]
        assert not len(peers.refusals)

    def test_of_too_many_names_the_one_told_longest_ago_is_forgotten(self) -> None:
        peers = ManyPeers()
        peers.refuse("ann", "ann", "joe", "jim")
        assert peers.lines == ["ann refused", "joe refused", "jim refused", "ann: 1 more requests since the last line"]
        assert len(peers.refusals) == 2
