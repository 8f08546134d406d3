"""One connection of the native protocol, whoever opened it: frames in both directions, and updates to its client."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.core.broker import Broker
from broker.core.entries import Entry
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.failpoints import ARMED, reach
from broker.native.sessions import NativeSessions
from broker.native.updates import encode_units
from broker.native.wire.compress import MAX_DEFLATE_RATIO, ZlibStreamReader, ZlibStreamWriter
from broker.native.wire.frames import (
    Frame,
    FrameError,
    FrameReader,
    Kind,
    encode_frame,
    encode_invocations,
    encode_unit,
)
from broker.native.wire.methods import RequestIds, Requests, decode_exception
from broker.net.read_pauses import ReadPauses
from broker.ports import IOutbound

log = Logger()

MAX_OWN_REQUESTS = 1024
INFLATE_OUTPUT = 4 * 1024 * 1024
INFLATE_SLICE = INFLATE_OUTPUT // MAX_DEFLATE_RATIO
UNKNOWN_CALLBACK_SESSION = "unknown"
EMPTY_UNIT = encode_unit(b"")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer of the native protocol may do.

    Args:
        max_frame: longest frame in bytes.
        max_frame_before_login: the same before the login.
        login_timeout: seconds until a connection must have logged in.
        idle_timeout: seconds without any byte from the client until it is let go; ``0`` never.
        max_pending: requests of one connection that may wait for the one being served.
        max_connections: connections of one listener.
        max_pending_logins: connections of one address that have not logged in yet.
    """

    max_frame: int = 64 * 1024 * 1024
    max_frame_before_login: int = 64 * 1024
    login_timeout: float = 30.0
    idle_timeout: float = 0.0
    max_pending: int = 1000
    max_connections: int = 100_000
    max_pending_logins: int = 1000


@implementer(IOutbound, IPushProducer)
class NativeConnection(Protocol):
    """Frames in, frames out.

    Args:
        broker: the core.
        limits: what the peer may do.
        compress: whether both directions are one zlib stream each (``zlib:stream``).

    Attributes:
        session: whose updates go over this connection, once there is one.
        writable: ``False`` while the transport's buffer is full.
    """

    def __init__(self, broker: Broker, limits: Limits, *, compress: bool = False) -> None:
        self.session: Session | None = None
        self._epoch = 0
        self.writable = True
        self._broker = broker
        self._limits = limits
        self._reader = FrameReader(limits.max_frame_before_login)
        self._inflate = ZlibStreamReader(INFLATE_OUTPUT) if compress else None
        self._deflate = ZlibStreamWriter() if compress else None
        self._ids = RequestIds()
        self._requests: Requests[bytes] = Requests(MAX_OWN_REQUESTS)
        self._callback_session = UNKNOWN_CALLBACK_SESSION.encode()
        self._holds = ReadPauses()
        self._unserved: deque[Frame] = deque()  # read, and to be served when the peer has read answers
        self._closed = False

    @property
    def peer(self) -> str:
        """Address of the other side, for the log."""
        peer = self.transport.getPeer() if self.transport is not None else None
        host, port = getattr(peer, "host", "?"), getattr(peer, "port", 0)
        return f"{host}:{port}"

    def connectionMade(self) -> None:
        """The transport tells when its buffer is full."""
        transport: Any = self.transport
        transport.registerProducer(self, True)
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """Serve the frames that these bytes complete; a peer that breaks the framing is let go of."""
        if self._closed:
            return
        try:
            if self._inflate is None:
                self._serve(data)
            else:
                for start in range(0, len(data), INFLATE_SLICE):
                    self._serve(self._inflate.feed(data[start : start + INFLATE_SLICE]))
        except FrameError as error:
            self.violated(str(error))

    def _serve(self, data: bytes) -> None:
        unserved = self._unserved
        for frame in self._reader.feed(data):
            if self._closed:
                return
            if unserved or not self.writable:  # a few bytes can ask for an answer of megabytes
                unserved.append(frame)
            else:
                self._serve_frame(frame)
        if self._reader.error is not None and not unserved:
            self.violated(str(self._reader.error))

    def _serve_rest(self) -> None:
        """Serve what has come since the peer stopped reading, as long as it reads."""
        unserved = self._unserved
        try:
            while unserved and self.writable and not self._closed:
                self._serve_frame(unserved.popleft())
            self._serve(b"")  # what broke the framing behind them
        except FrameError as error:
            self.violated(str(error))

    def _serve_frame(self, frame: Frame) -> None:
        if frame.kind is Kind.INVOKE:
            self.invoked(frame)
        else:
            self._answered(frame)

    def invoked(self, frame: Frame) -> None:
        """The peer calls a method."""
        raise NotImplementedError

    def violated(self, reason: str) -> None:
        """The peer broke a rule of the protocol: say so once, and let go of the connection.

        Args:
            reason: what it did.
        """
        if not self._closed:
            self.tell_violation(reason)
            self.abort()

    def tell_violation(self, reason: str) -> None:
        """Say in the log why the connection is closed.

        Args:
            reason: what the peer did.
        """
        log.warn("{peer}: {reason}; connection closed", peer=self.peer, reason=reason)

    def abort(self) -> None:
        """Let go of the connection now; what is not written yet is lost."""
        self._closed = True
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def write(self, data: bytes) -> None:
        """Write a complete frame (or several)."""
        if not self._closed and self.transport is not None:
            self.transport.write(data if self._deflate is None else self._deflate.write(data))

    def bind(self, session: Session) -> None:
        """From now on this connection speaks for a session; its deliveries may come here."""
        self.session = session
        self._epoch = session.epoch
        self._ids.name = session.name.relative
        self._reader.max_frame = self._limits.max_frame
        callback = session.qos.callback
        self._callback_session = (
            callback.session_id if callback is not None and callback.session_id else UNKNOWN_CALLBACK_SESSION
        ).encode()

    def deliver(self, entries: Sequence[Entry], oneway: bool) -> None:
        """Write an update (:meth:`broker.ports.IOutbound.deliver`)."""
        session = self.session
        assert session is not None
        method = b"updateOneway" if oneway else b"update"
        request_id = self._ids.next(method)
        node = self._broker.node
        body = b"".join(encode_units(entries, session.queue.entries, node.now()))
        if not oneway:
            self._requests.add(request_id, method)
        self.write(encode_frame(Kind.INVOKE, request_id, method, self._callback_session, body))
        if ARMED:
            reach("update written")

    def deliver_oneway(self, entries: Sequence[Entry]) -> None:
        """Write an update for each entry (:meth:`broker.ports.IOutbound.deliver_oneway`)."""
        session = self.session
        assert session is not None
        units = encode_units(entries, session.queue.entries, self._broker.node.now(), alone=True)
        prefix, first = self._ids.several(b"updateOneway", len(units))
        self.write(encode_invocations(b"updateOneway", prefix, first, self._callback_session, units))

    def ping(self) -> None:
        """Ask whether the client is there (:meth:`broker.ports.IOutbound.ping`)."""
        request_id = self._ids.next(b"ping")
        self._requests.add(request_id, b"ping")
        self.write(encode_frame(Kind.INVOKE, request_id, b"ping", b"", EMPTY_UNIT))

    def close(self, reason: str) -> None:
        """Let go of the connection because the session belongs to another one or has ended."""
        if not self._closed:
            log.debug("{peer}: closed: {reason}", peer=self.peer, reason=reason)
            self._closed = True
            transport: Any = self.transport
            if transport is not None:
                transport.unregisterProducer()  # TLS does not end while there is one
                transport.loseConnection()

    def _answered(self, frame: Frame) -> None:
        method = self._requests.take(frame.request_id)
        session = self.session
        if method is None or session is None:  # an answer that nobody waits for is no fault (§20.1)
            return
        dispatch = session.dispatch
        if dispatch.outbound is not self:
            return
        if method == b"ping":
            dispatch.ponged()
        elif frame.kind is Kind.RESPONSE:
            dispatch.acknowledged()
            if ARMED:
                reach("update acknowledged")
        else:
            dispatch.refused(decode_exception(frame))

    def pauseProducing(self) -> None:
        """The transport's buffer is full: deliver nothing, and read nothing that would need an answer."""
        self.writable = False
        self.hold("unread answers")

    def resumeProducing(self) -> None:
        """The transport's buffer has room again."""
        self.writable = True
        if self._unserved:
            self._serve_rest()
            if not self.writable:
                return
        self.release("unread answers")
        if self.session is not None and self.session.dispatch.outbound is self:
            self.session.dispatch.resume()

    def stopProducing(self) -> None:
        """The transport is gone."""
        self.writable = False

    def hold(self, reason: str) -> None:
        """Read nothing more from the peer until every reason to hold is released."""
        if not self._closed:
            self._holds.add(self.transport, reason)

    def release(self, reason: str) -> None:
        """A reason to hold is gone."""
        self._holds.remove(None if self._closed else self.transport, reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone; its session waits for the client or ends."""
        self._closed = True
        self.writable = False
        self._unserved.clear()
        self._requests.clear()
        self._inflate = self._deflate = None  # megabytes, which the collector of cycles would find late
        session, self.session = self.session, None
        if session is not None:
            error = BrokerError(
                Code.COMMUNICATION_NO_CONNECTION, f"the connection was lost: {reason.getErrorMessage()}"
            )
            session.dispatch.lost(self, error)
            kind = session.kind
            assert isinstance(kind, NativeSessions)
            kind.connection_lost(session, self._epoch)
