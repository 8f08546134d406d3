"""Twisted's TCP and TLS transports over a socket in memory, whose other end takes bytes when it is told to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from OpenSSL import SSL
from twisted.internet import main
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.python.failure import Failure

NULL = os.open(os.devnull, os.O_RDONLY)
"""A file that is no socket, for questions about sockets."""


class Socket:
    """The server's end of a connection.

    Attributes:
        sent: what the peer has taken.
        room: bytes that the peer takes.
        finished: this end has sent its end.
        closed: it is closed.
        reset: it was closed with a reset.
    """

    def __init__(self, room: int) -> None:
        self.sent = b""
        self.room = room
        self.finished = self.closed = self.reset = False
        self.received: list[bytes] = []

    def setblocking(self, blocking: bool) -> None:
        """It never blocks."""

    def setsockopt(self, level: int, option: int, value: object) -> None:
        """Notice that a reset is to come."""
        self.reset = self.reset or isinstance(value, bytes)

    def fileno(self) -> int:
        """It is not one of the system's."""
        return NULL

    def send(self, data: bytes) -> int:
        """Give what the peer takes."""
        if not self.room:
            raise BlockingIOError(11, "full")
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.sent += taken
        return len(taken)

    def recv(self, size: int) -> bytes:
        """Take what the peer has sent."""
        if not self.received:
            raise BlockingIOError(11, "empty")
        data = self.received.pop(0)
        if len(data) > size:
            self.received.insert(0, data[size:])
        return data[:size]

    def shutdown(self, how: int) -> None:
        """Send the end."""
        self.finished = True

    def close(self) -> None:
        """No more."""
        self.closed = True


class Reactor(Clock):
    """The part of a reactor that transports know."""

    def __init__(self) -> None:
        super().__init__()
        self.reading: list[Any] = []
        self.writing: list[Any] = []

    def addReader(self, reader: object) -> None:
        """Read when there is something."""
        if reader not in self.reading:
            self.reading.append(reader)

    def removeReader(self, reader: object) -> None:
        """Do not read."""
        if reader in self.reading:
            self.reading.remove(reader)

    def addWriter(self, writer: object) -> None:
        """Write when there is room."""
        if writer not in self.writing:
            self.writing.append(writer)

    def removeWriter(self, writer: object) -> None:
        """Do not write."""
        if writer in self.writing:
            self.writing.remove(writer)

    def turn(self) -> None:
        """Read and write until nothing more happens."""
        for _ in range(50):
            self.advance(0)
            for transport in list(self.reading):
                self._tell(transport, transport.doRead(), reading=True)
            for transport in list(self.writing):
                self._tell(transport, transport.doWrite(), reading=False)

    def _tell(self, transport: Any, end: Exception | None, *, reading: bool) -> None:
        if end is None:
            return
        self.removeReader(transport)
        self.removeWriter(transport)
        if reading and end is main.CONNECTION_DONE:
            transport.readConnectionLost(Failure(end))
        else:
            transport.connectionLost(Failure(end))


class Wire:
    """A connection, from its client's side.

    Args:
        reactor: of the server.
        protocol: of the server.
        room: bytes that the client takes before it is told to take more.
        host: address of the client.
    """

    def __init__(self, reactor: Reactor, protocol: Any, *, room: int = 1 << 30, host: str = "127.0.0.1") -> None:
        self.reactor = reactor
        self.socket: Any = Socket(room)
        server: Any = Server
        self.transport: Any = server(self.socket, protocol, (host, 40000), None, 1, reactor)
        self.tls: Any = None
        self._taken = 0
        protocol.makeConnection(self.transport)
        reactor.turn()

    def start_tls(self, offered: Sequence[bytes] = ()) -> None:
        """Shake hands; what came before is forgotten.

        Args:
            offered: by ALPN.
        """
        self._pull()
        context = SSL.Context(SSL.TLS_METHOD)
        if offered:
            context.set_alpn_protos(list(offered))
        self.tls = SSL.Connection(context, None)
        self.tls.set_connect_state()
        for _ in range(5):
            with suppress(SSL.WantReadError):
                self.tls.do_handshake()
            self._exchange()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        if self.tls is None:
            self.send_plain(data)
        else:
            self.tls.send(data)
            self._exchange()

    def send_plain(self, data: bytes) -> None:
        """Send bytes beside TLS."""
        if not self.socket.closed:
            self.socket.received.append(data)
        self.reactor.turn()

    def take(self) -> bytes:
        """What has come since the last time."""
        data = self._pull()
        if self.tls is None:
            return data
        if data:
            self.tls.bio_write(data)
        plain = b""
        with suppress(SSL.WantReadError, SSL.ZeroReturnError):
            while True:
                plain += self.tls.recv(1 << 16)
        return plain

    @property
    def is_shut_down(self) -> bool:
        """Whether TLS was ended by the server."""
        return bool(self.tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def make_room(self, size: int) -> None:
        """Take so many bytes."""
        self.socket.room += size
        self.reactor.turn()

    def finish(self) -> None:
        """Send the end."""
        if self.tls is not None:
            self.tls.shutdown()
            self._exchange()
        self.send_plain(b"")

    def vanish(self) -> None:
        """The connection breaks."""
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.reactor.turn()

    def _exchange(self) -> None:
        with suppress(SSL.WantReadError):
            while True:
                self.send_plain(self.tls.bio_read(1 << 16))
        data = self._pull()
        if data:
            self.tls.bio_write(data)

    def _pull(self) -> bytes:
        data: bytes = self.socket.sent[self._taken :]
        self._taken += len(data)
        return data
