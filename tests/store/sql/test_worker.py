"""The one place with a thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.store.sql.worker import SWITCH_INTERVAL, WriterThread


@implementer(IReactorFromThreads)
class Calls:
    """Keeps what a thread asks the reactor to call, until the test calls it."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._calls.put((callable, args))

    def turn(self) -> None:
        call, args = self._calls.get(timeout=10)
        call(*args)


@pytest.fixture
def reactor() -> Calls:
    return Calls()


def test_functions_run_in_one_other_thread_and_in_order(reactor: Calls) -> None:
    worker = WriterThread(reactor)
    ran: list[tuple[int, int]] = []

    def note(number: int) -> None:
        ran.append((number, threading.get_ident()))

    answers = [worker.run(partial(note, number)) for number in range(5)]
    for _ in answers:
        reactor.turn()
    worker.stop()

    assert [number for number, _ in ran] == [0, 1, 2, 3, 4]
    assert len({thread for _, thread in ran}) == 1
    assert ran[0][1] != threading.get_ident()


def test_the_answer_comes_in_the_thread_of_the_reactor(reactor: Calls) -> None:
    worker = WriterThread(reactor)
    answers: list[tuple[int, int]] = []
    worker.run(lambda: 42).addCallback(lambda result: answers.append((result, threading.get_ident())))
    reactor.turn()
    worker.stop()

    assert answers == [(42, threading.get_ident())]


def test_a_busy_reactor_does_not_keep_the_interpreter_for_long(reactor: Calls) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    worker = WriterThread(reactor)
    worker.run(lambda: None)
    worker.stop()
    reactor.turn()
    found = sys.getswitchinterval()
    sys.setswitchinterval(before)

    assert found == pytest.approx(SWITCH_INTERVAL)


def test_what_a_function_raises_is_the_answer(reactor: Calls) -> None:
    worker = WriterThread(reactor)
    failures: list[Failure] = []
    worker.run(lambda: 1 // 0).addErrback(failures.append)
    reactor.turn()
    worker.stop()

    assert failures[0].check(ZeroDivisionError)


def test_what_was_given_before_the_stop_still_runs_and_then_the_thread_ends(reactor: Calls) -> None:
    worker = WriterThread(reactor)
    threads: list[threading.Thread] = []
    worker.run(threading.current_thread).addCallback(threads.append)
    answer = worker.run(lambda: "last")
    worker.stop()
    reactor.turn()
    reactor.turn()
    threads[0].join(10)

    assert answer.result == "last"
    assert not threads[0].is_alive()


def test_a_stopped_worker_can_be_used_again(reactor: Calls) -> None:
    worker = WriterThread(reactor)
    worker.run(lambda: None)
    worker.stop()
    reactor.turn()
    answer = worker.run(lambda: "again")
    reactor.turn()
    worker.stop()

    assert answer.result == "again"
