"""Looks whether certificates and keys have become others, and has them read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall

from broker.net.tls import ServerContext, Stamps
from broker.timers import cancel

T = TypeVar("T")


class TlsWatch(Generic[T]):
    """Looks at files from time to time.

    Args:
        clock: an ``IReactorTime``.
        contexts: those that there are now, each with whose it is.
        reload: reads the files of an owner again; what it cannot use is looked at again when it is another file.
    """

    def __init__(
        self, clock: Any, contexts: Callable[[], Iterable[tuple[T, ServerContext]]], reload: Callable[[T], object]
    ) -> None:
        self._clock = clock
        self._contexts = contexts
        self._reload = reload
        self._tried: dict[ServerContext, Stamps] = {}
        self._seconds = 0
        self._call: IDelayedCall | None = None

    def start(self, seconds: int) -> None:
        """Look so often from now on; with 0 no more."""
        if seconds == self._seconds:
            return
        self.stop()
        self._seconds = seconds
        self._wait()

    def stop(self) -> None:
        """Look no more."""
        cancel(self._call)
        self._call = None
        self._seconds = 0

    def look(self) -> None:
        """Look now."""
        changed: list[T] = []
        tried: dict[ServerContext, Stamps] = {}
        for owner, context in self._contexts():
            stamps = context.stamps_now()
            if stamps != context.stamps and stamps != self._tried.get(context):
                changed.append(owner)
            tried[context] = stamps
        self._tried = tried
        done: list[T] = []
        for owner in changed:
            if not any(owner is each for each in done):
                done.append(owner)
                self._reload(owner)

    def _wait(self) -> None:
        if self._seconds:
            self._call = self._clock.callLater(self._seconds, self._again)

    def _again(self) -> None:
        self._wait()
        self.look()
