"""How much of what the clients of one manager have sent waits to be handled."""

from __future__ import annotations

from collections.abc import Callable

MAX_READY = 8 << 20
"""Bytes for clients that could go on at once, above which the manager is not read from."""


class Waits:
    """Counts what waits: for turns, which the links wait for, too, and for clients that are held, which they do not.

    Args:
        max_size: bytes that may wait for one client.
        max_held: bytes that may wait for all clients that are held.
        pause: has the links not read, or read again.

    Attributes:
        max_size: as above.
    """

    __slots__ = ("_held", "_is_paused", "_max_held", "_pause", "_ready", "max_size")

    def __init__(self, max_size: int, max_held: int, pause: Callable[[bool], None]) -> None:
        self.max_size = max_size
        self._max_held = max_held
        self._pause = pause
        self._ready = self._held = 0
        self._is_paused = False

    @property
    def has_enough(self) -> bool:
        """Whether no more may wait for clients that are held."""
        return self._held > self._max_held

    def count(self, size: int, *, held: bool) -> None:
        """So many bytes more, or less, wait for a client.

        Args:
            size: in bytes.
            held: the client is.
        """
        if held:
            self._held += size
            return
        self._ready += size
        if self._ready > MAX_READY and not self._is_paused:
            self._is_paused = True
            self._pause(True)
        elif self._ready <= MAX_READY // 2 and self._is_paused:
            self._is_paused = False
            self._pause(False)

    def hold(self, size: int) -> None:
        """A client is held, and so many bytes wait for it."""
        self.count(-size, held=False)
        self.count(size, held=True)

    def release(self, size: int) -> None:
        """A client goes on, and so many bytes wait for it."""
        self.count(-size, held=True)
        self.count(size, held=False)
