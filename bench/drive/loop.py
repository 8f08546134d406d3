"""Non-blocking sockets on epoll, and conversations that wait for bytes."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Generator
from typing import TypeVar

READ_SIZE = 1 << 18
"""Bytes that are read at once."""
PATIENCE = 60.0
"""Seconds in which something must happen."""

_NO_PORT_YET = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux, which Python 3.11 has no name for: ports are shared by connections elsewhere."""

Ready = Callable[[bytearray], int]
"""How many bytes at the front of the buffer are what is waited for; 0 while it is not complete."""
T = TypeVar("T")
Script = Generator[Ready, bytes, T]
"""A conversation: yields what it waits for, and gets it."""


class DriveError(Exception):
    """The server closed a connection, refused something or fell silent."""


class Link:
    """One connection.

    Args:
        loop: that waits for it.
        sock: connected, or being connected.
    """

    __slots__ = ("_out", "last_words", "loop", "on_data", "on_lost", "sock")

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.loop = loop
        self.sock = sock
        self.on_data: Callable[[bytes], None] = _unexpected
        self.on_lost: Callable[[], None] = self._complain
        self.last_words: Callable[[], bytes] = bytes
        self._out = bytearray()
        loop.add(self)

    @property
    def backlog(self) -> int:
        """Bytes that the system has not taken yet."""
        return len(self._out)

    def send(self, data: bytes) -> None:
        """Send now, or as soon as there is room."""
        if self._out:
            self._out += data
            return
        sent = self._write(data)
        if sent < len(data):
            self._out += memoryview(data)[sent:]
            self.loop.watch(self, writing=True)

    def writable(self) -> None:
        """There is room again."""
        sent = self._write(bytes(self._out[:READ_SIZE]))
        del self._out[:sent]
        if not self._out:
            self.loop.watch(self, writing=False)

    def readable(self) -> None:
        """Hand on what came."""
        data = self._read()
        if data:
            self.on_data(data)

    def close(self) -> None:
        """Close it at once."""
        self.loop.remove(self)
        self.sock.close()

    def _write(self, data: bytes) -> int:
        try:
            return self.sock.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0

    def _read(self) -> bytes:
        try:
            data = self.sock.recv(READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except ConnectionResetError:
            data = b""
        if not data:
            self.on_lost()
        return data

    def _complain(self) -> None:
        raise DriveError(f"the server closed the connection; before that came {self.last_words()[-300:]!r}")


class TlsLink(Link):
    """A connection in TLS, which begins with :meth:`start_tls`. Certificates are not checked: this is a load."""

    __slots__ = ("_shaking", "on_tls")

    def __init__(self, loop: Loop, sock: socket.socket) -> None:
        super().__init__(loop, sock)
        self._shaking = False
        self.on_tls: Callable[[], None] = _nothing

    def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Begin TLS; ``on_tls`` is called when it stands."""
        self.loop.remove(self)
        self.sock = context.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
        self._shaking = True
        self.loop.add(self)
        self._shake()

    def readable(self) -> None:
        """Hand on what came, all of it: the TLS layer may hold more than the socket shows."""
        if self._shaking:
            self._shake()
            return
        while data := self._read():
            self.on_data(data)

    def writable(self) -> None:
        """There is room again."""
        if self._shaking:
            self._shake()
        else:
            super().writable()

    def _shake(self) -> None:
        assert isinstance(self.sock, ssl.SSLSocket)
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            self.loop.watch(self, writing=True)
            return
        except (ConnectionResetError, ssl.SSLEOFError):
            self.on_lost()
            return
        self._shaking = False
        self.loop.watch(self, writing=False)
        self.on_tls()


class Loop:
    """Waits for all connections of the driver."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._links: dict[int, Link] = {}

    def add(self, link: Link) -> None:
        """Wait for what a connection brings."""
        number = link.sock.fileno()
        self._links[number] = link
        self._epoll.register(number, select.EPOLLIN)

    def remove(self, link: Link) -> None:
        """Wait for it no longer."""
        number = link.sock.fileno()
        if self._links.pop(number, None) is not None:
            with contextlib.suppress(OSError):  # the system has forgotten it already
                self._epoll.unregister(number)

    def watch(self, link: Link, *, writing: bool) -> None:
        """Wait for room, too, or no longer."""
        self._epoll.modify(link.sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if writing else 0))

    def turn(self, timeout: float) -> bool:
        """Serve what is there; returns whether there was anything within ``timeout`` seconds."""
        events = self._epoll.poll(timeout)
        links = self._links
        for number, event in events:
            link = links.get(number)
            if link is None:
                continue
            if event & ~select.EPOLLOUT:
                link.readable()
            if event & select.EPOLLOUT and number in links:
                link.writable()
        return bool(events)

    def run(self, done: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Serve until a condition holds.

        Raises:
            DriveError: nothing came for ``patience`` seconds.
        """
        quiet_since = time.monotonic()
        while not done():
            if self.turn(0.5):
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > patience:
                raise DriveError(f"nothing came for {patience:.0f} s")

    def run_for(self, seconds: float) -> None:
        """Serve for a time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn(left)


class Conversation:
    """Plays a script on a connection.

    Args:
        link: that it is played on.
        script: what is waited for, and what is done then.
        on_end: called with the value that the script returns.
    """

    __slots__ = ("_buffer", "_on_end", "_ready", "_script", "link")

    def __init__(self, link: Link, script: Script[T], on_end: Callable[[T], None]) -> None:
        self.link = link
        self._script = script
        self._on_end = on_end
        self._buffer = bytearray()
        link.on_data = self._received
        link.last_words = lambda: bytes(self._buffer)
        self._ready: Ready = next(script)

    @property
    def rest(self) -> bytes:
        """What came behind the end of the script."""
        return bytes(self._buffer)

    def _received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and (size := self._ready(self._buffer)):
            found = bytes(self._buffer[:size])
            del self._buffer[:size]
            try:
                self._ready = self._script.send(found)
            except StopIteration as end:
                self.link.on_data = _unexpected
                self._on_end(end.value)
                return


def talk(link: Link, script: Script[T]) -> tuple[T, bytes]:
    """Play a script to its end; returns its value, and the bytes that came behind it."""
    values: list[T] = []
    conversation = Conversation(link, script, values.append)
    link.loop.run(lambda: bool(values))
    return values[0], conversation.rest


def until(*markers: bytes) -> Ready:
    """Wait for the first of some byte strings."""

    def ready(buffer: bytearray) -> int:
        ends = [at + len(marker) for marker in markers if (at := buffer.find(marker)) >= 0]
        return min(ends, default=0)

    return ready


def connect(loop: Loop, host: str, port: int, source: str = "") -> Link:
    """Begin to connect; what is sent meanwhile waits for it.

    Args:
        loop: that waits for it.
        host: address of the server.
        port: of the server.
        source: address of the client, or empty for any.
    """
    return Link(loop, _begin(host, port, source))


def connect_for_tls(loop: Loop, host: str, port: int, source: str = "") -> TlsLink:
    """As :func:`connect`, for a client that starts TLS."""
    return TlsLink(loop, _begin(host, port, source))


def _begin(host: str, port: int, source: str) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if source:
        sock.setsockopt(socket.IPPROTO_IP, _NO_PORT_YET, 1)
        sock.bind((source, 0))
    error = sock.connect_ex((host, port))
    if error not in (0, errno.EINPROGRESS):
        raise DriveError(f"{host}:{port}: {os.strerror(error)}")
    return sock


def _unexpected(data: bytes) -> None:
    raise DriveError(f"unexpected: {data[:300]!r}")


def _nothing() -> None:
    pass
