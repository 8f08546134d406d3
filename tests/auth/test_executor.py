from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.threadpool import ThreadPool

from broker.auth.executor import Executor, PoolExecutor
from tests.auth.support import error_of, result_of


class Turn:
    """A reactor of which only the calls from threads are used; they are run when the test says so."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.called = threading.Event()

    def callFromThread(self, call: Any, *args: Any) -> None:
        self.calls.append((call, args))
        self.called.set()

    def run(self) -> None:
        assert self.called.wait(30)
        for call, args in self.calls:
            call(*args)


@pytest.fixture
def turn() -> Turn:
    return Turn()


@pytest.fixture
def run(turn: Turn, request: pytest.FixtureRequest) -> Executor:
    pool = ThreadPool(1, 1)
    pool.start()
    request.addfinalizer(pool.stop)
    return PoolExecutor(cast("IReactorFromThreads", turn), pool)


def test_work_is_done_in_a_thread_and_its_result_comes_in_a_turn_of_the_reactor(run: Executor, turn: Turn) -> None:
    deferred = run(threading.get_ident)
    assert not deferred.called

    turn.run()
    assert result_of(deferred) != threading.get_ident()


def test_what_work_raises_is_the_failure(run: Executor, turn: Turn) -> None:
    deferred = run(int, "x")

    turn.run()
    assert isinstance(error_of(deferred), ValueError)
