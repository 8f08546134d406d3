"""A correct client of XEP-0198 on a socket: it keeps what is not acknowledged, and counts what comes."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Protocol

from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xmpp.wire import ns
from tests.system.launcher import LaunchError, wait_until
from tests.system.websocket_socket import WebSocketSocket

HEADER = f"<stream:stream to='localhost' version='1.0' xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}'>"
PATIENCE = 20.0
TLS_RECORD = 1 << 14
"""Bytes that TLS gives at once, at most."""


class Gone(Exception):
    """The connection is lost."""


class Server(Protocol):
    """What a client connects to, as :class:`tests.system.launcher.BrokerProcess` is."""

    on_close: list[Callable[[], object]]

    def address(self, name: str = ...) -> tuple[str, int]:
        """Host and port of a listening port."""


class StreamClient:
    """One client; it goes on after its connection or the broker died.

    Args:
        broker: that it talks to; loopback, and passwords without TLS are allowed.
        user: whose password is ``secret``.
        resource: of its JID.
        patience: seconds to wait for each answer while it logs in.
        listener: of the broker, that it connects to.

    Attributes:
        got: bodies that have come, in order.
        unacked: stanzas that the broker has not counted yet.
        h: stanzas that have come.
        asking: questions for the broker's counter that it has not answered on this connection.
    """

    outlives_broker = False
    """Its connection stays when the broker dies."""

    def __init__(
        self,
        broker: Server,
        user: str,
        resource: str = "x",
        patience: float = PATIENCE,
        listener: str = "XMPP",
    ) -> None:
        self.broker = broker
        self.user = user
        self.resource = resource
        self.patience = patience
        self.listener = listener
        self.got: list[str] = []
        self.unacked: deque[str] = deque()
        self.acked = 0
        self.h = 0
        self.asking = 0
        self.id = ""
        self._socket: socket.socket | WebSocketSocket | None = None
        broker.on_close.append(self.cut)
        self._reader = StreamReader(1 << 20, stepwise=False)

    @property
    def attached(self) -> bool:
        """Whether it has a connection."""
        return self._socket is not None

    def send(self, to: str, body: str) -> None:
        """Send a message; it is kept until it is counted."""
        self.send_stanza(f"<message to='{to}' type='chat'><body>{body}</body></message>")

    def take_stanza(self, stanza: Stanza) -> None:
        """A stanza has come, and is counted."""
        if stanza.name == "message":
            self.got.append(stanza.tree().text_of(ns.CLIENT, "body"))

    def ask(self) -> None:
        """Tell the own counter, and ask for the broker's; once it has answered, it has read both."""
        self.asking += 1
        self._write(f"<a xmlns='{ns.SM}' h='{self.h}'/><r xmlns='{ns.SM}'/>")

    def read(self, patience: float = 0.0) -> None:
        """Take what has come, or comes in time."""
        with contextlib.suppress(Gone):
            self._receive(patience)

    def wait_for_message(self) -> None:
        """Read until a message has come; the connection must not be lost meanwhile."""

        def has_come() -> bool:
            self.read(0.05)
            return bool(self.got)

        wait_until(has_come)

    def dropped(self) -> None:
        """The other side has closed the connection."""
        self.cut()

    def cut(self) -> None:
        """Lose the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self.asking = 0

    def end(self) -> None:
        """End the stream in good order; the session with it."""
        self._write("</stream:stream>")

    def forget(self) -> None:
        """Lose the connection, and begin anew the next time."""
        self.cut()
        self.id = ""
        self.unacked.clear()

    def go_on(self) -> bool:
        """Connect and resume, or begin anew; tells whether it worked."""
        self.cut()
        try:
            self._connect()
            if self.id:
                self._resume()
            else:
                self._begin()
        except (OSError, Gone):
            self.cut()
            return False
        return True

    def _connect(self) -> None:
        self._socket = self._dial()
        self._reader = StreamReader(1 << 20, stepwise=False)
        self._write(HEADER)
        self._expect("features")
        self._write(self._login())
        self._expect("success")
        self._reader = StreamReader(1 << 20, stepwise=False)
        self._write(HEADER)
        self._expect("features")

    def _address(self) -> tuple[str, int]:
        return self.broker.address(self.listener)

    def _dial(self) -> socket.socket | WebSocketSocket:
        """A connection, with TLS and over WebSocket where the listener's name says so."""
        connection = socket.create_connection(self._address(), 5)
        if connection.getsockname() == connection.getpeername():  # nobody listens, and TCP has met itself
            connection.close()
            raise Gone
        if self.listener.endswith("-TLS"):
            connection = _context(self._is_web).wrap_socket(connection)
        return WebSocketSocket(connection) if self._is_web else connection

    @property
    def _is_web(self) -> bool:
        return self.listener.startswith("WEB")

    def _login(self) -> str:
        token = base64.b64encode(f"\0{self.user}\0secret".encode()).decode()
        return f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>"

    def _begin(self) -> None:
        bind = f"<bind xmlns='{ns.BIND}'><resource>{self.resource}</resource></bind>"
        self._write(f"<iq type='set' id='b'>{bind}</iq>")
        self._expect("iq")
        self._write(f"<enable xmlns='{ns.SM}' resume='true'/>")
        self.id = self._expect("enabled").attributes["id"]
        self.h = self.acked = 0
        self.send_stanza("<presence/>")

    def _resume(self) -> None:
        self._write(f"<resume xmlns='{ns.SM}' h='{self.h}' previd='{self.id}'/>")
        resumed = self._expect("resumed", "failed")
        assert resumed.name == "resumed", resumed.raw
        self._acknowledged(int(resumed.attributes["h"]))
        for stanza in list(self.unacked):
            self._write(stanza)

    def send_stanza(self, stanza: str) -> None:
        """Send a stanza; it is kept until it is counted."""
        self.unacked.append(stanza)
        self._write(stanza)

    def _write(self, data: str) -> None:
        if self._socket is not None:
            try:
                self._socket.sendall(data.encode())
            except TimeoutError:
                self.cut()
            except OSError:
                self.dropped()

    def _expect(self, *names: str) -> Stanza:
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            for stanza in self._receive(0.5, stop=names):
                if stanza.name in names:
                    return stanza
        raise LaunchError(f"{self.user}: no {names} in time")

    def _receive(self, patience: float, stop: tuple[str, ...] = ()) -> list[Stanza]:
        if self._socket is None:
            raise Gone
        self._socket.settimeout(max(patience, 0.001))
        try:
            data = self._socket.recv(1 << 16)
            if len(data) == TLS_RECORD:
                self._socket.settimeout(0.001)
                with contextlib.suppress(TimeoutError):
                    while len(data) < 1 << 16 and (more := self._socket.recv(1 << 16)):
                        data += more
        except TimeoutError:
            return []
        except OSError:
            data = b""
        if not data:
            self.dropped()
            raise Gone
        found: list[Stanza] = []
        for event in self._events(data):
            found.append(event)
            if event.name not in stop:
                self._take(event)
        return found

    def _events(self, data: bytes) -> list[Stanza]:
        """The elements that some bytes complete."""
        return [event for event in self._reader.feed(data) if isinstance(event, Stanza)]

    def _take(self, stanza: Stanza) -> None:
        if stanza.namespace == ns.CLIENT and self.id:
            self.h += 1
            self.take_stanza(stanza)
        elif stanza.namespace == ns.SM and stanza.name == "a":
            self.asking = max(0, self.asking - 1)  # of a stream that was resumed for it, some are answered twice
            self._acknowledged(int(stanza.attributes["h"]))
        elif stanza.namespace == ns.SM and stanza.name == "r":
            self._write(f"<a xmlns='{ns.SM}' h='{self.h}'/>")

    def _acknowledged(self, h: int) -> None:
        assert h >= self.acked, f"{self.user}: the broker's counter went back from {self.acked} to {h}"
        sent = self.acked + len(self.unacked)
        assert h <= sent, f"{self.user}: the broker has counted {h} stanzas, and {sent} were sent"
        for _ in range(h - self.acked):
            self.unacked.popleft()
        self.acked = h


@cache
def _context(is_web: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1" if is_web else "xmpp-client"])
    return context
