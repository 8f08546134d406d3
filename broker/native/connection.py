"""One connection of the native protocol, whoever opened it: frames in both directions, and updates to its client."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.logger import Logger
from zope.interface import implementer

from broker.core.broker import Broker
from broker.core.entries import Entry
from broker.core.quotas import Usage
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.failpoints import ARMED, reach
from broker.native.callback_types import UNKNOWN_CALLBACK_SESSION, callback_session_of
from broker.native.limits import NativeLimits
from broker.native.sessions import NativeSessions
from broker.native.update_answers import refusals_of
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
from broker.net.transport import Connection
from broker.ports import IOutbound

log = Logger()

MAX_OWN_REQUESTS = 1024
INFLATE_OUTPUT = 4 * 1024 * 1024
INFLATE_SLICE = INFLATE_OUTPUT // MAX_DEFLATE_RATIO
EMPTY_UNIT = encode_unit(b"")


@implementer(IOutbound)
class NativeConnection:
    """Frames in, frames out; the :class:`broker.net.stream.Stream` of one transport.

    What is made of this has two attributes: ``invoked`` takes a request of the peer, and ``taken`` is called behind all
    requests that came at once.

    Args:
        broker: the core.
        transport: that carries the frames.
        limits: what the peer may ask for.
        compress: whether both directions are one zlib stream each (``zlib:stream``).

    Attributes:
        session: whose updates go over this connection, once there is one.
        writable: ``False`` while the transport's buffer is full.
        received: takes bytes; see :meth:`broker.net.stream.Stream.received`.
        write: sends a complete frame, or several.
    """

    def __init__(self, broker: Broker, transport: Connection, limits: NativeLimits, *, compress: bool = False) -> None:
        self.session: Session | None = None
        self.writable = True
        self._epoch = 0
        self._broker = broker
        self._transport = transport
        self._limits = limits
        self._reader = FrameReader(limits.max_frame_before_login)
        self._inflate = ZlibStreamReader(INFLATE_OUTPUT) if compress else None
        self._deflate = ZlibStreamWriter() if compress else None
        self.received: Callable[[bytes], None] = self._take_compressed if compress else self._take
        self.write: Callable[[bytes], None] = self._write_compressed if compress else transport.write
        self.invoked: Callable[[Frame], None]
        self.taken: Callable[[], None]
        self._monotonic = broker.node.monotonic
        self._read_at = 0.0  # when something came last, in seconds by that clock
        self._reads = True  # what comes is looked at
        self._ids = RequestIds()
        self._usage = Usage()
        self._unfinished = 0  # bytes of a request, that count for the account
        self._requests: Requests[bytes] = Requests(MAX_OWN_REQUESTS)
        self._callback_session = UNKNOWN_CALLBACK_SESSION.encode()
        self._closed = False

    @property
    def peer(self) -> str:
        """Address of the other side, for the log."""
        return self._transport.peer

    def connected(self) -> None:
        """The transport is there."""

    def secured(self) -> None:
        """Never, as the protocol has no STARTTLS."""

    def _take(self, data: bytes) -> None:
        """Take the frames that these bytes complete; a peer that breaks the framing is let go of."""
        if not self._reads:
            return
        self._read_at = self._monotonic()
        reader, invoke = self._reader, Kind.INVOKE
        requested = False
        try:
            for frame in reader.feed(data):
                if frame.kind is invoke:
                    self.invoked(frame)
                    requested = True
                else:
                    self._answered(frame)
            error = reader.error
        except FrameError as unreadable:  # an exception that the peer has told
            error = unreadable
        if requested:
            self.taken()
        if error is not None:
            self._break(error)
        elif reader.unfinished != self._unfinished:
            self._count_unfinished(reader.unfinished)

    def _take_compressed(self, data: bytes) -> None:
        """Take frames a few megabytes at once, however well they are compressed."""
        inflate = self._inflate
        for start in range(0, len(data), INFLATE_SLICE):
            if inflate is None or not self._reads:
                return
            try:
                inflated = inflate.feed(data[start : start + INFLATE_SLICE])
            except FrameError as error:
                self._break(error)
            else:
                self._take(inflated)

    def _count_unfinished(self, size: int) -> None:
        """Bytes of a request whose end has not come wait in memory: all connections of an account share how many."""
        usage = self._usage
        usage.unfinished_bytes += size - self._unfinished
        self._unfinished = size
        try:
            usage.check_unfinished()
        except BrokerError as error:
            if size:  # else this connection has none of them
                self._break(FrameError(error.message, self._reader.consumed))

    def _break(self, error: FrameError) -> None:
        self._reads = False
        self._reader.discard()
        self._count_unfinished(0)
        self.broke(error)

    def turn(self) -> None:
        """It is this connection's turn to go on with what waits."""

    def broke(self, error: FrameError) -> None:
        """The peer has broken the framing, or the compression; nothing more can be read.

        Args:
            error: what it did.
        """
        self.violated(str(error))

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
        self._transport.abort()

    def _write_compressed(self, data: bytes) -> None:
        if not self._closed and self._deflate is not None:
            self._transport.write(self._deflate.write(data))

    def bind(self, session: Session) -> None:
        """From now on this connection speaks for a session; its deliveries may come here."""
        self.session = session
        self._usage = session.subject.usage
        self._epoch = session.epoch
        self._ids.name = session.name.relative
        self._reader.max_frame = self._limits.max_frame
        self._callback_session = callback_session_of(session).encode()

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
        """Let go of the connection because the session belongs to another one or has ended.

        What was written still goes out, unless the peer does not read it in time.
        """
        if not self._closed:
            log.debug("{peer}: closed: {reason}", peer=self.peer, reason=reason)
            self._closed = True
            self._transport.close()

    def shut_down(self) -> None:
        """The broker stops."""
        self.close("the broker stops")

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
            refused = refusals_of(frame) if dispatch.in_flight > 1 else None
            if refused:
                dispatch.refused_some(refused)
            else:
                dispatch.acknowledged()
            if ARMED:
                reach("update acknowledged")
        else:
            dispatch.refused(decode_exception(frame))

    def set_writable(self, writable: bool) -> None:
        """The transport's buffer is full, or has room again."""
        self.writable = writable
        if writable and self.session is not None and self.session.dispatch.outbound is self:
            self.session.dispatch.resume()

    def lost(self, reason: str) -> None:
        """The connection is gone; its session waits for the client or ends."""
        self._closed = True
        self.writable = False
        self._requests.clear()
        self._reader.discard()
        self._count_unfinished(0)
        self._inflate = self._deflate = None  # megabytes, which the collector of cycles would find late
        session, self.session = self.session, None
        if session is not None:
            session.dispatch.lost(self, BrokerError(Code.COMMUNICATION_NO_CONNECTION, reason))
            kind = session.kind
            assert isinstance(kind, NativeSessions)
            kind.connection_lost(session, self._epoch)
