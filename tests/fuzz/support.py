"""What fuzz targets share: invariants, choices made of bytes, and what the broker logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import provider

from broker.errors import BrokerError, Code

T = TypeVar("T")

LONGEST_MESSAGE = 16 * 1024
"""Characters of an error's text, whatever was refused."""


class Broken(AssertionError):
    """An invariant does not hold."""


def require(condition: object, text: str) -> None:
    """Raise :class:`Broken` unless the condition holds."""
    if not condition:
        raise Broken(text)


def tried(function: Callable[..., T], *arguments: Any) -> T | None:
    """Call a reader; ``None`` where it refuses with an error of the catalogue, which is checked. All else passes."""
    try:
        return function(*arguments)
    except BrokerError as error:
        check_error(error)
        return None


def check_error(error: BrokerError) -> None:
    """An error must be of the catalogue, short, and such that it can be told."""
    require(isinstance(error.code, Code), f"the code {error.code!r} is not in the catalogue")
    require(len(error.message) <= LONGEST_MESSAGE, f"an error of {len(error.message)} characters")


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing in here may end in a failure that is only logged.

    Raises:
        Broken: something did.
    """
    failures: list[LogEvent] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if "log_failure" in event or event.get("log_level") in (LogLevel.critical, LogLevel.error):
            failures.append(event)

    globalLogPublisher.addObserver(observe)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observe)
    for event in failures:
        failure = event.get("log_failure")
        text = failure.getTraceback() if failure is not None else str(event.get("log_format"))
        raise Broken(f"it was only logged: {text}")


class Choices:
    """Decisions, made of bytes in order; when they are used up, the first possibility is always chosen."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next byte, 0 at the end."""
        at = self._at
        self._at = at + 1
        return self._data[at] if at < len(self._data) else 0

    def below(self, limit: int) -> int:
        """A number below a limit of at most 256."""
        return self.byte() % limit

    def pick(self, among: Sequence[T]) -> T:
        """One of some."""
        return among[self.below(len(among))]

    def some(self, most: int = 64) -> bytes:
        """A few bytes."""
        size = self.below(most)
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken


def cuts(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut bytes into pieces of these sizes, over and over."""
    pieces: list[bytes] = []
    position = number = 0
    while position < len(data):
        size = max(1, sizes[number % len(sizes)])
        pieces.append(data[position : position + size])
        position += size
        number += 1
    return pieces
