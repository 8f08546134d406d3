"""Where work that keeps a processor busy is done, so that the reactor thread is not (design D1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class Executor(Protocol):
    """Calls a function somewhere else."""

    def __call__(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Call ``work``; fires in the reactor thread with its result, or fails with what it raised."""


class PoolExecutor:
    """Calls functions in the threads of a pool that somebody else starts and stops."""

    def __init__(self, reactor: IReactorFromThreads, pool: ThreadPool) -> None:
        self._reactor = reactor
        self._pool = pool

    def __call__(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """See :class:`Executor`."""
        return deferToThreadPool(self._reactor, self._pool, work, *args, **kwargs)
