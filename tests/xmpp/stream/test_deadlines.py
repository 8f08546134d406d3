"""How long a stranger may take (spec xmpp §2.5 R3)."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from broker.xmpp.stream.deadlines import HEADER_TIMEOUT, Deadlines

BIND_TIMEOUT = 60


class Stranger:
    """One that has deadlines."""

    def __init__(self, bind_timeout: int = BIND_TIMEOUT) -> None:
        self.clock = Clock()
        self.opened = False
        self.overdue: list[str] = []
        self.deadlines = Deadlines(self.clock, bind_timeout, lambda: self.opened, self.overdue.append)
        self.deadlines.start()


@pytest.fixture
def stranger() -> Stranger:
    return Stranger()


def test_the_stream_must_be_opened_in_time(stranger: Stranger) -> None:
    stranger.clock.advance(HEADER_TIMEOUT - 1)
    assert stranger.overdue == []
    stranger.clock.advance(1)
    assert stranger.overdue == ["no stream header in time"]
    assert not stranger.clock.getDelayedCalls()


def test_the_time_to_bind_counts_from_the_beginning(stranger: Stranger) -> None:
    stranger.opened = True
    stranger.clock.advance(HEADER_TIMEOUT)
    stranger.clock.advance(BIND_TIMEOUT - HEADER_TIMEOUT - 1)
    assert stranger.overdue == []
    stranger.clock.advance(1)
    assert stranger.overdue == ["no login in time"]


def test_tls_gives_no_more_time_to_bind(stranger: Stranger) -> None:
    stranger.opened = True
    stranger.clock.advance(BIND_TIMEOUT - 5)
    stranger.deadlines.stop()
    stranger.deadlines.await_opening()
    stranger.clock.advance(HEADER_TIMEOUT)
    stranger.clock.advance(0)
    assert stranger.overdue == ["no login in time"]


@pytest.mark.parametrize(("opened", "reason"), [(False, "no stream header in time"), (True, "no login in time")])
def test_a_time_to_bind_that_is_shorter_than_that_to_open_holds(opened: bool, reason: str) -> None:
    stranger = Stranger(bind_timeout=3)
    stranger.opened = opened
    stranger.clock.advance(2)
    assert stranger.overdue == []
    stranger.clock.advance(1)
    stranger.clock.advance(0)
    assert stranger.overdue == [reason]


def test_there_is_none_after_the_stop(stranger: Stranger) -> None:
    stranger.deadlines.stop()
    assert not stranger.clock.getDelayedCalls()
