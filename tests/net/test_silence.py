"""A peer of which nothing is heard (spec xmpp §2.5 R1, R2)."""

from __future__ import annotations

from twisted.internet.task import Clock

from broker.net.silence import Silence

IDLE = 60


class Peer:
    """One that may be silent."""

    def __init__(self, idle: int = IDLE) -> None:
        self.clock = Clock()
        self.heard = 0.0
        self.told: list[str] = []
        self.silence = Silence(
            self.clock, idle, lambda: self.heard, lambda: self.told.append("asked"), lambda: self.told.append("gone")
        )
        self.silence.watch()

    def speak(self) -> None:
        self.heard = self.clock.seconds()


def test_a_silent_peer_is_asked_once_and_given_up_at_the_end() -> None:
    peer = Peer()
    peer.clock.pump([1] * (IDLE // 2))
    assert peer.told == ["asked"]
    peer.clock.pump([1] * (IDLE // 2 - 1))
    assert peer.told == ["asked"]
    peer.clock.advance(1)
    assert peer.told == ["asked", "gone"]
    assert not peer.clock.getDelayedCalls()


def test_a_peer_that_answers_is_kept_and_asked_anew() -> None:
    peer = Peer()
    for _ in range(3):
        peer.clock.pump([1] * (IDLE // 2 + 1))
        peer.speak()
    peer.clock.pump([1] * (IDLE // 2 - 1))
    assert set(peer.told) == {"asked"}
    assert len(peer.told) >= 2


def test_a_peer_that_speaks_is_never_asked() -> None:
    peer = Peer()
    for _ in range(100):
        peer.clock.advance(5)
        peer.speak()
    assert peer.told == []


def test_silence_is_not_measured_where_there_is_no_limit() -> None:
    assert not Peer(idle=-1).clock.getDelayedCalls()


def test_silence_is_not_measured_after_the_stop() -> None:
    peer = Peer()
    peer.silence.stop()
    assert not peer.clock.getDelayedCalls()
