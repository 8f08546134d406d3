"""The file that is logged to."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from broker.model.number import whole_or_none
from broker.private_files import PRIVATE, keep_private

STANDARD_ERROR = 2


class LogFile:
    """A log file that its owner alone may read, with a number of old ones beside it: ``NAME.1`` is the newest.

    Whatever fails, lines go on into the file that was opened last.

    Args:
        path: of the file; it is made where there is none.
        keep: old files that are kept.
        max_size: bytes at which it becomes an old one; 0 for any.
        daily: it becomes an old one with the first line after midnight, local time; also one that was written to on an
            earlier day, by a program that has ended.
        wall: seconds since 1970.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(
        self, path: Path, keep: int, max_size: int, *, daily: bool = False, wall: Callable[[], float] = time.time
    ) -> None:
        self.path = path.absolute()
        self._keep = keep
        self._max_size = max_size
        self._daily = daily
        self._wall = wall
        self._ends = math.inf
        self._takes_standard_error = False
        self._lock = Lock()  # threads log, too
        self._descriptor, self._size = self._open()
        for _, old in self._old():
            keep_private(old)

    def write(self, text: str) -> None:
        """Write one line or several."""
        data = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if (self._max_size and self._size >= self._max_size) or (self._daily and self._wall() >= self._ends):
                self._rotate_if_possible()
            while data:
                written = os.write(self._descriptor, data)
                self._size += written
                data = data[written:]

    def flush(self) -> None:
        """Nothing is held back."""

    def reopen(self) -> None:
        """Go on in the file of this name, as another program may have moved the open one away.

        Raises:
            OSError: it cannot be opened.
        """
        with self._lock:
            self._go_on()

    def rotate(self) -> None:
        """Make this file an old one and begin a new one; old ones that are too many go.

        Raises:
            OSError: a file cannot be renamed, removed or opened.
        """
        with self._lock:
            self._rotate()

    def take_standard_error(self) -> None:
        """From now on what the interpreter itself writes to standard error goes to this file, too."""
        with self._lock:
            self._takes_standard_error = True
            os.dup2(self._descriptor, STANDARD_ERROR)

    def _rotate(self) -> None:
        for number, old in sorted(self._old(), reverse=True):
            if number >= self._keep:
                old.unlink()
            else:
                old.rename(self._named(number + 1))
        if self._keep:
            self.path.rename(self._named(1))
        else:
            self.path.unlink()
        self._go_on()

    def _rotate_if_possible(self) -> None:
        try:
            self._rotate()
        except OSError:
            self._size = 0  # to be tried again when as much has been written once more, or the day after
            self._ends = _midnight_after(self._wall())

    def _go_on(self) -> None:
        before = self._descriptor
        self._descriptor, self._size = self._open()
        os.close(before)
        if self._takes_standard_error:
            os.dup2(self._descriptor, STANDARD_ERROR)

    def _open(self) -> tuple[int, int]:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            if self.path.is_file():  # and no device or pipe of others
                keep_private(self.path)
            status = os.fstat(descriptor)
            self._ends = _midnight_after(status.st_mtime if status.st_size else self._wall())
            return descriptor, status.st_size
        except OSError:
            os.close(descriptor)
            raise

    def _named(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _old(self) -> Iterator[tuple[int, Path]]:
        for path in self.path.parent.iterdir():
            name, _, suffix = path.name.rpartition(".")
            number = whole_or_none(suffix, 0) if name == self.path.name else None
            if number is not None and path == self._named(number) and path.is_file():
                yield number, path


def _midnight_after(when: float) -> float:
    """When the day ends in which a time is, local time; both in seconds since 1970."""
    day = datetime.fromtimestamp(when).date() + timedelta(days=1)
    return datetime.combine(day, datetime.min.time()).timestamp()
