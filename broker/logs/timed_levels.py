"""Levels of the log that were changed while the program runs, some of them for a while only."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from broker.logs.levels import LogLevels
from broker.logs.settings import Level
from broker.timers import cancel


@dataclass(slots=True)
class _Override:
    former: Level | None
    call: IDelayedCall | None
    until: float | None


@dataclass(frozen=True, slots=True)
class PartLevel:
    """The level of a part.

    Args:
        namespace: of the part; empty for everything else.
        level: that holds.
        changed: while the program runs.
        until: when the former level returns, in seconds since 1970; ``None``: it does not.
    """

    namespace: str
    level: Level
    changed: bool
    until: float | None


class TimedLevels:
    """Changes levels, and lets former ones return.

    Args:
        levels: of the log.
        reactor: waits.
        wall: seconds since 1970; the clock of the reactor may be another.

    Attributes:
        on_return: told the namespace of a part whose former level has returned.
    """

    def __init__(self, levels: LogLevels, reactor: Any, wall: Callable[[], float] = time.time) -> None:
        self.on_return: Callable[[str], None] = lambda namespace: None
        self._levels = levels
        self._reactor = reactor
        self._wall = wall
        self._overrides: dict[str, _Override] = {}

    def of(self, namespace: str) -> Level:
        """The level that holds for a part."""
        return self._levels.of(namespace)

    def all(self) -> list[PartLevel]:
        """Those that were set, by their namespaces."""
        overrides = self._overrides
        return [
            PartLevel(
                namespace, level, namespace in overrides, overrides[namespace].until if namespace in overrides else None
            )
            for namespace, level in sorted(self._levels.by_namespace.items())
        ]

    def set(self, namespace: str, level: Level, seconds: float | None = None) -> None:
        """Change the level of a part, and of what is below it.

        Args:
            namespace: of the part.
            level: that holds from now on.
            seconds: until the level returns that was configured; ``None``: it does not.
        """
        known = self._overrides.pop(namespace, None)
        if known is not None:
            cancel(known.call)
        former = self._levels.by_namespace.get(namespace) if known is None else known.former
        self._levels.set(namespace, level)
        call = until = None
        if seconds is not None:
            until = self._wall() + seconds
            call = self._reactor.callLater(seconds, self._return, namespace)
        self._overrides[namespace] = _Override(former, call, until)

    def reset(self, namespace: str) -> None:
        """Let the level of a part be again what was configured, where it was changed."""
        known = self._overrides.get(namespace)
        if known is not None:
            cancel(known.call)
            self._return(namespace)

    def configure(self, namespace: str, level: Level) -> None:
        """The configuration has another level now, which holds once what was set for a while is over."""
        known = self._overrides.get(namespace)
        if known is not None and known.until is not None:
            known.former = level
        else:
            self._overrides.pop(namespace, None)
            self._levels.set(namespace, level)

    def _return(self, namespace: str) -> None:
        known = self._overrides.pop(namespace)
        if known.former is None:
            self._levels.unset(namespace)
        else:
            self._levels.set(namespace, known.former)
        self.on_return(namespace)
