"""How often the log tells that one peer was refused something, so that nobody can fill a disk by asking for it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

QUIET = 60.0
"""Seconds between two lines about one peer."""
MAX_NAMES = 1000


def lines(log: Callable[..., None]) -> Callable[[str], None]:
    """What writes lines as they are, though they may have braces.

    Args:
        log: a method of a :class:`twisted.logger.Logger`.
    """
    return lambda text: log("{text}", text=text)


class LogLimit:
    """The refusals of one peer: the first is told, the others are counted and told with the next line.

    Args:
        monotonic: seconds by a clock that nobody sets.
        quiet: seconds between two lines.
    """

    __slots__ = ("_monotonic", "_quiet", "_told", "_untold")

    def __init__(self, monotonic: Callable[[], float], quiet: float = QUIET) -> None:
        self._monotonic = monotonic
        self._quiet = quiet
        self._told: float | None = None
        self._untold = 0

    @property
    def is_quiet(self) -> bool:
        """Whether the last line is so new that another one would not be written."""
        return self._told is not None and self._monotonic() - self._told < self._quiet

    def tell(self, log: Callable[[str], None], text: Callable[[], str]) -> None:
        """Tell of one more refusal, unless another was told less than ``quiet`` seconds ago.

        Args:
            log: takes the line.
            text: makes it; called only where there is to be one.
        """
        if self.is_quiet:
            self._untold += 1
            return
        self._told = self._monotonic()
        untold, self._untold = self._untold, 0
        log(f"{text()} (and {untold} more since the last line)" if untold else text())

    def end(self, log: Callable[[str], None], peer: str, what: str) -> None:
        """The peer is gone: tell how many refusals the log does not have.

        Args:
            log: takes the line.
            peer: whose they were.
            what: they were, in the plural.
        """
        untold, self._untold = self._untold, 0
        if untold:
            log(f"{peer}: {untold} more {what} since the last line")


class NamedLogLimits:
    """The refusals of many peers, each known by its name.

    A name is forgotten when its time is over, or when there are too many; what the log does not have of it is told
    then, at the latest with the next line about anybody.

    Args:
        monotonic: seconds by a clock that nobody sets.
        log: takes a line.
        what: they are, in the plural, for the last line about a name.
        quiet: seconds between two lines about one name.
        most: names that are remembered.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        log: Callable[[str], None],
        what: str,
        quiet: float = QUIET,
        most: int = MAX_NAMES,
    ) -> None:
        self._monotonic = monotonic
        self._log = log
        self._what = what
        self._quiet = quiet
        self._most = most
        self._names: OrderedDict[str, LogLimit] = OrderedDict()  # by the time of their lines

    def __len__(self) -> int:
        return len(self._names)

    def tell(self, name: str, text: Callable[[], str], log: Callable[[str], None] | None = None) -> None:
        """Tell of one more refusal, unless another of this name was told less than ``quiet`` seconds ago.

        Args:
            name: of the peer.
            text: makes the line; called only where there is to be one.
            log: takes this line instead, for example with a traceback.
        """
        refusals = self._names.get(name)
        if refusals is None or not refusals.is_quiet:
            refusals = self._names.pop(name, None) or LogLimit(self._monotonic, self._quiet)
            self._names[name] = refusals
        refusals.tell(log or self._log, text)
        while len(self._names) > self._most or not next(iter(self._names.values())).is_quiet:
            self.end(next(iter(self._names)))

    def end(self, name: str) -> None:
        """A peer is gone, or to be forgotten: tell how many refusals the log does not have."""
        refusals = self._names.pop(name, None)
        if refusals is not None:
            refusals.end(self._log, name, self._what)
