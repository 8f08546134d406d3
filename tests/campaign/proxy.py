"""A TCP proxy between the broker and its database, which loses connections when it is told to."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time

CHUNK = 1 << 16


class Proxy:
    """Passes bytes on, in a thread of its own.

    Args:
        host: of the database.
        port: of the database.

    Attributes:
        port: that it listens on, on 127.0.0.1.
        away: while it is set, connections are cut as they come.
        deaf: while it is set, what the database answers is dropped; so a commit may be done and nobody knows.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.away = threading.Event()
        self.deaf = threading.Event()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._servers: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._closed = False
        threading.Thread(target=self._run, daemon=True, name="proxy").start()

    def cut(self) -> None:
        """Lose all connections."""
        with self._lock:
            for each in list(self._pairs):
                self._drop(each)

    def lose_answers(self, seconds: float) -> None:
        """Drop what the database answers for a while, then lose all connections."""
        self.deaf.set()
        time.sleep(seconds)
        self.cut()
        self.deaf.clear()

    def close(self) -> None:
        """End."""
        self._closed = True
        self.cut()
        self._listener.close()

    def _run(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(0.2):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                with self._lock, contextlib.suppress(OSError, KeyError, ValueError):
                    self._accept() if sock is self._listener else self._pass(sock)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.away.is_set():
            client.close()
            return
        try:
            server = socket.create_connection(self._target, 5)
        except OSError:  # the database is down
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)
        self._servers.add(server)

    def _pass(self, sock: socket.socket) -> None:
        other = self._pairs[sock]
        try:
            data = sock.recv(CHUNK)
            if data and not (self.deaf.is_set() and sock in self._servers):
                other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(sock)

    def _drop(self, sock: socket.socket) -> None:
        other = self._pairs.pop(sock, None)
        for each in (sock, other):
            if each is not None:
                self._pairs.pop(each, None)
                self._servers.discard(each)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()
