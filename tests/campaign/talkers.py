"""Plain clients of both protocols on blocking sockets, for those who measure and those who attack."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from collections import deque
from types import TracebackType
from typing import Self

from broker.native.wire.compress import ZlibStreamReader, ZlibStreamWriter
from broker.native.wire.frames import Frame, FrameReader, Kind, Unit, encode_frame, encode_unit, encode_units
from broker.xml.stanza import Stanza
from broker.xml.stream import Event, StreamReader
from broker.xmpp.wire import ns

Address = tuple[str, int]
PATIENCE = 20.0
"""Seconds to wait for an answer."""
HEADER = f"<stream:stream to='localhost' version='1.0' xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}'>".encode()
OK = encode_unit(b"<qos><state id='OK'/></qos>")
LARGEST = 1 << 30


class Silent(Exception):
    """What was waited for did not come in time."""


class Ended(Exception):
    """The other side has closed the connection."""


class Line:
    """A TCP connection.

    Args:
        address: to connect to.
        source: own address.
        connection: that was made already; neither address counts then.
    """

    def __init__(self, address: Address, source: str = "127.0.0.1", *, connection: socket.socket | None = None) -> None:
        self.socket = connection or socket.create_connection(address, PATIENCE, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start_tls(self) -> None:
        """Shake hands; the certificate does not matter here."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            Ended: nobody takes them.
        """
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise Silent("nothing is read") from None
        except OSError as error:
            raise Ended(str(error)) from error

    def some(self, patience: float = PATIENCE) -> bytes:
        """The next bytes.

        Raises:
            Silent: there are none in time.
            Ended: there are no more.
        """
        self.socket.settimeout(max(patience, 0.001))
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            raise Silent(f"nothing in {patience} s") from None
        except OSError as error:
            raise Ended(str(error)) from error
        if not data:
            raise Ended("closed")
        return data

    def last_words(self, patience: float = PATIENCE) -> bytes:
        """All that comes until the other side closes.

        Raises:
            Silent: it does not close in time.
        """
        deadline = time.monotonic() + patience
        words = b""
        try:
            while True:
                words += self.some(deadline - time.monotonic())
        except Ended:
            return words

    def close(self) -> None:
        """Close it."""
        self.socket.close()


class NativeTalker(Line):
    """A client of the native protocol."""

    def __init__(
        self,
        address: Address,
        source: str = "127.0.0.1",
        *,
        compress: bool = False,
        connection: socket.socket | None = None,
    ) -> None:
        super().__init__(address, source, connection=connection)
        self.secret = b""
        self._reader = FrameReader(LARGEST)
        self._frames: deque[Frame] = deque()
        self._last = 0
        self._deflate = ZlibStreamWriter() if compress else None
        self._inflate = ZlibStreamReader(LARGEST) if compress else None

    def request(self, method: bytes, *units: Unit) -> bytes:
        """Send a request; returns its id."""
        self._last += 1
        id = b"%d" % self._last
        self.write_frame(encode_frame(Kind.INVOKE, id, method, self.secret, encode_units(units)))
        return id

    def write_frame(self, data: bytes) -> None:
        """Send a frame, compressed where the port is."""
        self.write(data if self._deflate is None else self._deflate.write(data))

    def frame(self, patience: float = PATIENCE) -> Frame:
        """The next frame; pings of the broker are answered."""
        deadline = time.monotonic() + patience
        while True:
            while not self._frames:
                data = self.some(deadline - time.monotonic())
                self._frames += self._reader.feed(data if self._inflate is None else self._inflate.feed(data))
            frame = self._frames.popleft()
            if frame.kind is Kind.INVOKE and frame.method == b"ping":
                self.write_frame(encode_frame(Kind.RESPONSE, frame.request_id, b"ping", self.secret, b""))
                continue
            return frame

    def answer(self, id: bytes, patience: float = PATIENCE) -> Frame:
        """The answer to a request; updates that come before it are acknowledged."""
        while True:
            frame = self.frame(patience)
            if frame.kind is Kind.INVOKE:
                self.acknowledge(frame)
            elif frame.request_id == id:
                return frame

    def call(self, method: bytes, *units: Unit) -> Frame:
        """A request and its answer."""
        return self.answer(self.request(method, *units))

    def acknowledge(self, update: Frame) -> None:
        """Answer an update."""
        units = OK * len(update.units())
        self.write_frame(encode_frame(Kind.RESPONSE, update.request_id, update.method, self.secret, units))

    def log_in(self, name: str, password: str = "secret", more: str = "") -> Frame:
        """Log in, to receive updates over this connection."""
        user = name.partition("/")[0]
        qos = (
            f"<qos><securityService type='htpasswd' version='1.0'><user>{user}</user><passwd>{password}</passwd>"
            f"</securityService><session name='{name}'/><queue relating='callback'><callback type='SOCKET' "
            f"retries='-1' pingInterval='0'/></queue>{more}</qos>"
        )
        answer = self.call(b"connect", Unit(qos.encode()))
        if answer.kind is Kind.RESPONSE:
            self.secret = answer.session
        return answer


class XmppTalker(Line):
    """A client of XMPP."""

    def __init__(self, address: Address, source: str = "127.0.0.1") -> None:
        super().__init__(address, source)
        self._restart()

    def _restart(self) -> None:
        self._reader = StreamReader(LARGEST, stepwise=False)
        self._events: deque[Event] = deque()

    def open(self) -> None:
        """Send the header, and wait for the features."""
        self._restart()
        self.write(HEADER)
        self.element("features")

    def log_in(self, user: str, resource: str = "x", password: str = "secret") -> None:
        """Log in and bind."""
        self.open()
        self.authenticate(user, password)
        self.element("success")
        self.open()
        bind = f"<iq type='set' id='b'><bind xmlns='{ns.BIND}'><resource>{resource}</resource></bind></iq>"
        self.write(bind.encode())
        self.element("iq")

    def authenticate(self, user: str, password: str) -> None:
        """Send a password."""
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.write(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>".encode())

    def element(self, *names: str, patience: float = PATIENCE) -> Stanza:
        """The next element of one of these names."""
        deadline = time.monotonic() + patience
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, Stanza) and event.name in names:
                    return event
            self._events += self._reader.feed(self.some(deadline - time.monotonic()))
