"""A broker on a port of this machine that answers as a test says, for clients in threads of their own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue

from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos, SessionQos
from broker.model.key import Key
from broker.model.qos import PublishQos, StatusQos, UpdateQos
from broker.native.answers import OK, status_unit
from broker.native.codec import write_connect_qos, write_key, write_update_qos
from broker.native.wire.frames import Frame, FrameReader, Kind, encode_frame, encode_unit
from broker.native.wire.methods import encode_exception

Answer = Callable[[Frame], bytes]
"""Gives the frame that answers a request; empty is silence."""
LONGEST = 10.0
"""Seconds that a test waits for what must come."""


def accept(frame: Frame) -> bytes:
    """Acknowledge a request."""
    statuses = [StatusQos(oid="news", subscription_id="__subId:1", received=1) for _ in frame.units()]
    return response(frame, b"".join(map(status_unit, statuses)))


def response(frame: Frame, body: bytes) -> bytes:
    """The answer to a request."""
    return encode_frame(Kind.RESPONSE, frame.request_id, frame.method, b"secret", body)


def refusal(code: Code) -> Answer:
    """Refuses every request."""

    def refuse(frame: Frame) -> bytes:
        return encode_exception(frame.request_id, frame.method, b"secret", BrokerError(code, "no"), "n", "1", "now")

    return refuse


def silence(_: Frame) -> bytes:
    """Answers nothing."""
    return b""


def log_in(frame: Frame) -> bytes:
    """Let the client in, as one that the broker has known before."""
    session = SessionQos(name="/node/n/client/joe/1", secret_id="secret")
    return response(frame, encode_unit(write_connect_qos(ConnectQos(session=session, reconnected=True), redact=False)))


class ScriptedBroker:
    """Listens from the start on, and serves each connection in a thread.

    Attributes:
        port: that it listens on, the same after a :meth:`kill` and :meth:`start`.
        login: answers logins.
        serve: answers all other requests but pings.
        pings: whether pings are answered.
        reads: whether anything is read.
        requests: frames of requests other than logins and pings, as they come.
        answers: frames of the client's answers, as they come.
    """

    def __init__(self) -> None:
        self.login: Answer = log_in
        self.serve: Answer = accept
        self.pings = True
        self.reads = True
        self.requests: SimpleQueue[Frame] = SimpleQueue()
        self.answers: SimpleQueue[Frame] = SimpleQueue()
        self._connections: list[socket.socket] = []
        self._updates = 0
        self._listen(0)
        self.port: int = self._listening.getsockname()[1]

    def start(self) -> None:
        """Listen again."""
        self._listen(self.port)

    def _listen(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def kill(self) -> None:
        """End every connection, and take no other."""
        self._listening.shutdown(socket.SHUT_RDWR)  # which wakes the thread that accepts
        self._listening.close()
        self.cut()

    def end(self) -> None:
        """The test is over."""
        with contextlib.suppress(OSError):  # it was killed already
            self.kill()

    def cut(self) -> None:
        """End every connection."""
        connections, self._connections = self._connections, []
        for connection in connections:
            with contextlib.suppress(OSError):  # the client was quicker
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def update(self, content: bytes, method: bytes = b"update") -> None:
        """Deliver a message over the newest connection."""
        self._updates += 1
        qos = write_update_qos(UpdateQos(PublishQos(sender="/node/n/client/jack/1"), "__subId:1", 17))
        body = encode_unit(qos, write_key(Key("news")), content)
        self._connections[-1].sendall(encode_frame(Kind.INVOKE, b"u%d" % self._updates, method, b"secret", body))

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                connection, _ = listening.accept()
                self._connections.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        reader = FrameReader(1 << 30)
        with contextlib.suppress(OSError):  # it was closed
            while self.reads and (data := connection.recv(65_536)):
                for frame in reader.feed(data):
                    connection.sendall(self._answer(frame))

    def _answer(self, frame: Frame) -> bytes:
        if frame.kind is not Kind.INVOKE:
            self.answers.put(frame)
            return b""
        if frame.method == b"connect":
            return self.login(frame)
        if frame.method == b"ping":
            return response(frame, OK) if self.pings else b""
        if frame.method == b"disconnect":
            return response(frame, OK)
        self.requests.put(frame)
        return self.serve(frame)
