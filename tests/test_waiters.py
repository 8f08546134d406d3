"""Waiting for the next entry of a queue."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from broker.waiters import Waiters


def test_all_who_wait_are_told_once() -> None:
    # given two waiters
    arrivals = Waiters()
    told: list[str] = []
    arrivals.next().addCallback(lambda _: told.append("joe"))
    arrivals.next().addCallback(lambda _: told.append("jack"))
    # when two entries arrive
    arrivals.tell()
    arrivals.tell()
    # then each heard of the first
    assert told == ["joe", "jack"]
    assert not arrivals


def test_who_is_told_may_wait_for_the_next() -> None:
    arrivals = Waiters()
    again: list[Deferred[None]] = []
    arrivals.next().addCallback(lambda _: again.append(arrivals.next()))
    arrivals.tell()
    assert not again[0].called
    assert arrivals


def test_who_gave_up_is_not_waited_for() -> None:
    arrivals = Waiters()
    waiting = arrivals.next().addErrback(lambda _: None)
    waiting.cancel()
    assert not arrivals
    arrivals.tell()


def test_who_is_told_may_call_off_another_waiter() -> None:
    # given
    arrivals = Waiters()
    ended: list[str] = []
    first = arrivals.next()
    second = arrivals.next().addErrback(lambda _: ended.append("called off"))
    first.addCallback(lambda _: second.cancel())
    # when
    arrivals.tell()
    # then
    assert ended == ["called off"]
