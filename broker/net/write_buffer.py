"""What was written to a peer and not taken by it: how much that may be, and for how long (spec xmpp §2.5 R4)."""

from __future__ import annotations

import fcntl
import sys
import termios
from collections.abc import Callable
from typing import Any

from twisted.protocols.tls import TLSMemoryBIOProtocol

from broker.net.unread import Unread
from broker.timers import cancel

BUFFER = 65_536
"""Bytes from which on Twisted calls a buffer full."""


class WriteBuffer:
    """Watches the buffer of one connection, between the transport's "full" and its "empty".

    Twisted calls a buffer full from 64 KiB on, and its size is the one of reads, too, which gain nothing from more;
    so what a connection may have beyond that is counted here.

    Args:
        clock: an ``IReactorTime``.
        room: bytes that may come on top of a buffer that the transport calls full; with 0 that is full already.
        most: bytes on top of it with which the peer is given up.
        on_full: told ``True`` when there is no more room, and ``False`` when the buffer is empty again.
        on_stalled: told why the peer is to be given up.

    Attributes:
        unread: bytes that wait beside those that a transport's buffer holds, for the account of the peer.
        waits: whether the transport called the buffer full, and not empty since.
    """

    __slots__ = (
        "_clock",
        "_full",
        "_left",
        "_most",
        "_on_full",
        "_on_stalled",
        "_patience",
        "_room",
        "_size",
        "_timer",
        "unread",
        "waits",
    )

    def __init__(
        self,
        clock: Any,
        *,
        room: int,
        most: int,
        on_full: Callable[[bool], None],
        on_stalled: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._room = room
        self._most = most
        self._patience = 0.0
        self._on_full = on_full
        self._on_stalled = on_stalled
        self._timer: Any = None
        self._size = 0
        self.unread = Unread()
        self._full = False
        self._left = 0
        self.waits = False

    def begin(self, transport: Any, patience: float) -> None:
        """The transport calls the buffer full.

        Args:
            transport: of the connection.
            patience: seconds in which the peer must have taken something.
        """
        if self._timer is None:
            self._size = 0
            self.watch(transport, patience)
            if not self._room and not self._full:
                self._full = True
                self._on_full(True)

    def watch(self, transport: Any, patience: float) -> None:
        """See to it that the peer goes on taking what there is for it; a peer that has all is given up, too."""
        cancel(self._timer)
        self.waits = True
        self._patience = patience
        self._timer = self._clock.callLater(0, self._measure, transport)  # TLS is still writing what made it full

    def add(self, size: int) -> None:
        """So many bytes more were written while the buffer :attr:`waits`."""
        self._size += size
        excess = self.unread.set(self.unread.size + size)
        self._left += size
        if not self._full and self._size >= self._room:
            self._full = True
            self._on_full(True)
        if self._size > self._most:
            self._on_stalled(f"{self._size} bytes more than its buffer holds wait for it")
        elif excess:
            self._on_stalled(excess)

    def end(self) -> None:
        """The buffer is empty."""
        self.stop()
        if self._full:
            self._full = False
            self._on_full(False)

    def stop(self) -> None:
        """Watch no more."""
        self.unread.set(0)
        self.waits = False
        timer, self._timer = self._timer, None
        cancel(timer)

    def _measure(self, transport: Any) -> None:
        self._left = untaken(transport)
        self._timer = self._clock.callLater(self._patience, self._check, transport)
        excess = self.unread.set(
            max(0, self._left - BUFFER)
        )  # what made the buffer full may be much more than it holds
        if excess:
            self._on_stalled(excess)

    def _check(self, transport: Any) -> None:
        self._timer = None
        if untaken(transport) < self._left:  # slow, but it reads: a large stanza on a thin line takes its time
            self._measure(transport)
        else:
            self.waits = False
            self._on_stalled(f"it has read nothing for {self._patience:g} s")


def untaken(transport: Any) -> int:
    """Bytes that were written to a TCP transport and that the peer has not acknowledged.

    Those in the buffer of the system count, too: it may be large, and takes more only when a third of it is free.

    Args:
        transport: as Twisted makes them, with TLS or without; of one whose connection is gone nothing waits.
    """
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    if not hasattr(transport, "socket"):
        return 0
    own: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    try:
        told = fcntl.ioctl(transport.socket, termios.TIOCOUTQ, bytes(4))
    except OSError:  # a system that does not tell
        return own
    return own + int.from_bytes(told, sys.byteorder)
