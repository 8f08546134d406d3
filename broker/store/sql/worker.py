"""The writer thread (design D1)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

T = TypeVar("T")

SWITCH_INTERVAL = 0.0005
"""Seconds for which the reactor may keep the interpreter from the writer.

A commit takes the interpreter lock back after every statement. With Python's 5 ms a busy reactor holds each group of
100 messages up for 50 ms, and commits fall behind what is published: 7,000 rows a second instead of 45,000.
"""


class Worker(Protocol):
    """Runs functions elsewhere, one after the other, in order."""

    def run(self, function: Callable[[], T]) -> Deferred[T]:
        """Run a function; the Deferred fires in the reactor thread with what it returns or raises."""

    def stop(self) -> None:
        """Run nothing any more; what was given before still runs."""


class WriterThread:
    """One thread of its own, started with the first function and ended by :meth:`stop`.

    Args:
        reactor: where answers go.
        name: of the thread.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str = "store writer") -> None:
        self._reactor = reactor
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._running = False

    def run(self, function: Callable[[], T]) -> Deferred[T]:
        """See :class:`Worker`."""
        deferred: Deferred[T] = Deferred()

        def job() -> None:
            try:
                result: T | Failure = function()
            except Exception:  # noqa: BLE001 - whatever it was, it is handed on
                result = Failure()
            self._reactor.callFromThread(deferred.callback, result)

        if not self._running:
            self._running = True
            sys.setswitchinterval(min(SWITCH_INTERVAL, sys.getswitchinterval()))
            # A daemon, because a database that does not answer must not keep the process from ending.
            Thread(target=self._work, name=self._name, daemon=True).start()
        self._jobs.put(job)
        return deferred

    def stop(self) -> None:
        """See :class:`Worker`."""
        if self._running:
            self._running = False
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
