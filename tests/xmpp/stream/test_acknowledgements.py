"""Acknowledgements that the peer is asked for (XEP-0198 §4; spec xmpp §1.6)."""

from __future__ import annotations

from twisted.internet.task import Clock

from broker.xmpp.stream.acknowledgements import Acknowledgements
from broker.xmpp.wire import sm

TIMEOUT = 30


class Asker:
    """One that asks."""

    def __init__(self, *, every: int = 1) -> None:
        self.clock = Clock()
        self.given_up: list[str] = []
        self.acknowledgements = Acknowledgements(self.clock, TIMEOUT, sm.AckPolicy(every=every), self.give_up)

    def give_up(self) -> None:
        self.given_up.append("gone")

    def send(self, stanzas: int = 1, *, full: bool = False) -> bytes:
        return self.acknowledgements.after_sending(stanzas, 100, full=full)


def test_one_question_goes_out_behind_a_burst() -> None:
    asker = Asker()
    assert asker.send() == sm.REQUEST
    assert asker.send() == b""


def test_another_question_goes_out_when_the_first_is_answered_and_more_was_sent() -> None:
    asker = Asker()
    asker.send()
    asker.send()
    assert asker.acknowledgements.answered() == sm.REQUEST
    assert asker.acknowledgements.answered() == b""


def test_a_full_window_is_asked_about_in_any_case() -> None:
    asker = Asker(every=100)
    assert asker.send() == b""
    assert asker.send(full=True) == sm.REQUEST


def test_a_peer_that_does_not_answer_is_given_up() -> None:
    asker = Asker()
    asker.send()
    asker.clock.advance(TIMEOUT - 1)
    assert asker.given_up == []
    asker.clock.advance(1)
    assert asker.given_up == ["gone"]
    assert not asker.clock.getDelayedCalls()


def test_the_last_question_counts() -> None:
    asker = Asker()
    asker.send()
    asker.clock.advance(TIMEOUT - 1)
    asker.send()
    asker.acknowledgements.answered()
    asker.clock.advance(TIMEOUT - 1)
    assert asker.given_up == []
    asker.clock.advance(1)
    assert asker.given_up == ["gone"]


def test_a_peer_that_has_answered_is_kept() -> None:
    asker = Asker()
    asker.send()
    asker.acknowledgements.answered()
    asker.clock.advance(TIMEOUT)
    assert asker.given_up == []
    assert not asker.clock.getDelayedCalls()


def test_no_answer_is_waited_for_after_the_stop() -> None:
    asker = Asker()
    asker.send()
    asker.acknowledgements.stop()
    assert not asker.clock.getDelayedCalls()
