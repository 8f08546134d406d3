"""A TCP proxy in front of a server, which loses connections when it is told to.

It stands between the broker and its database, and between a connection manager and the broker. It has a process of its
own, so that the campaign's threads do not make the server slow. As a program it takes the server's host and port,
writes its own port, and then reads lines: ``cut``, ``away``, ``back``, ``cut-after BYTES``, ``pace SECONDS``, or
seconds for which the server's answers are to be lost.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import sys
import threading
import time

CHUNK = 1 << 16
RETRY = 0.05
"""Seconds between two attempts to connect to a server that is waited for."""
PIECE = 1 << 12
"""Bytes that are passed at once where a pace is set."""


class Proxy:
    """The process.

    Args:
        host: of the server.
        port: of the server.
        waits: for a server that is down, in the place of those who connect.

    Attributes:
        port: that it listens on, on 127.0.0.1.
    """

    def __init__(self, host: str, port: int, *, waits: bool = False) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaign.proxy", host, str(port), *["waits"] * waits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._answer())

    def cut(self) -> None:
        """Lose all connections."""
        self._tell("cut")

    def leave(self) -> None:
        """Lose all connections, and those that are made from now on as they are made."""
        self._tell("away")

    def come_back(self) -> None:
        """Let connections be made again."""
        self._tell("back")

    def lose_answers(self, seconds: float) -> None:
        """Drop what the server answers for a while, then lose all connections: was it committed?"""
        self._tell(str(seconds))

    def cut_after(self, size: int) -> None:
        """Lose one connection.

        Args:
            size: bytes that are passed before, in either direction; the last of them is passed over that connection.
        """
        self._tell(f"cut-after {size}")

    def slow_down(self, seconds: float) -> None:
        """Pass a few kilobytes at a time.

        Args:
            seconds: that each piece takes; 0 for none.
        """
        self._tell(f"pace {seconds}")

    def close(self) -> None:
        """End."""
        self._process.kill()
        self._process.communicate()

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Relay:
    """Passes bytes on, in a thread of its own.

    Args:
        host: of the server.
        port: of the server.
        waits: for a server that is down, in the place of those who connect.

    Attributes:
        port: that it listens on, on 127.0.0.1.
        away: while it is set, connections are cut as they come.
        deaf: while it is set, what the server answers is dropped; so a commit may be done and nobody knows.
        pace: seconds that each piece takes.
    """

    def __init__(self, host: str, port: int, *, waits: bool = False) -> None:
        self._target = (host, port)
        self._waits = waits
        self._waiting: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.away = threading.Event()
        self.deaf = threading.Event()
        self.pace = 0.0
        self._left = sys.maxsize  # bytes, until the connection that passes the last of them is lost
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._servers: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        threading.Thread(target=self._run, daemon=True, name="proxy").start()

    def cut(self) -> None:
        """Lose all connections."""
        with self._lock:
            for each in list(self._pairs):
                self._drop(each)
            while self._waiting:
                self._waiting.pop().close()

    def cut_after(self, size: int) -> None:
        """Lose the connection that passes the last of so many bytes."""
        with self._lock:
            self._left = size

    def lose_answers(self, seconds: float) -> None:
        """Drop what the server answers for a while, then lose all connections."""
        self.deaf.set()
        time.sleep(seconds)
        with self._lock:  # so that no connection is made in between, whose first answer would be lost
            for each in list(self._pairs):
                self._drop(each)
            self.deaf.clear()

    def _run(self) -> None:
        while True:
            self._connect_waiting()
            for key, _ in self._selector.select(RETRY if self._waiting else None):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                with self._lock, contextlib.suppress(OSError, KeyError, ValueError):
                    self._accept() if sock is self._listener else self._pass(sock)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.away.is_set():
            client.close()
        else:
            self._connect(client)

    def _connect_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            for client in waiting:
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, 5)
        except OSError:  # the server is down
            if self._waits:
                self._waiting.append(client)
            else:
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
            data = sock.recv(PIECE if self.pace else CHUNK)[: self._left]
            if data and not (self.deaf.is_set() and sock in self._servers):
                other.sendall(data)
        except OSError:
            data = b""
        self._left -= len(data)
        if not (data and self._left):
            self._left = self._left or sys.maxsize
            self._drop(sock)
        time.sleep(self.pace)

    def _drop(self, sock: socket.socket) -> None:
        other = self._pairs.pop(sock, None)
        for each in (sock, other):
            if each is not None:
                self._pairs.pop(each, None)
                self._servers.discard(each)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()


def main() -> None:
    """Be the process."""
    relay = Relay(sys.argv[1], int(sys.argv[2]), waits="waits" in sys.argv)
    print(relay.port, flush=True)
    for line in sys.stdin:
        match line.split():
            case ["cut"]:
                relay.cut()
            case ["away"]:
                relay.away.set()
                relay.cut()
            case ["back"]:
                relay.away.clear()
            case ["cut-after", size]:
                relay.cut_after(int(size))
            case ["pace", seconds]:
                relay.pace = float(seconds)
            case [seconds]:
                relay.lose_answers(float(seconds))
        print("done", flush=True)


if __name__ == "__main__":
    main()
