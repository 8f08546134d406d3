"""One client's connection, which its connection manager holds and carries in frames (manager-links.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from cryptography import x509
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from broker.failpoints import ARMED, reach
from broker.model.host import network_of
from broker.net.input_turns import InputTurns
from broker.net.read_pauses import Pause
from broker.net.tls_details import TlsDetails, clean
from broker.net.unread import Unread, UnreadTotal
from broker.timers import cancel
from broker.xmpp.managers.outgoing import Outgoing
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.tcp_framing import TcpFraming
from broker.xmpp.wire.frame_values import LoggedIn, Opened, Refused, Secured, Tls
from broker.xmpp.wire.frames import FrameError, Type, encode, encode_data, encode_offset

if TYPE_CHECKING:
    from broker.xmpp.managers.manager_process import ManagerProcess

log = Logger()

SLICE = 32 * 1024
"""Bytes that one session sends before others have their turns."""
_BINDINGS = frozenset({"tls-exporter", "tls-server-end-point"})
"""Types of channel bindings that are as safe over a manager as they are directly."""


class Link(Protocol):
    """What carries the frames of a channel."""

    @property
    def writable(self) -> bool:
        """Whether it has room for data."""

    def write(self, data: bytes) -> None:
        """Send a frame."""

    def wait(self, channel: Channel) -> None:
        """A channel has more to send: have its :meth:`Channel.send` called when there is room."""

    def left(self, channel: Channel) -> None:
        """A channel that was to leave has."""


class Channel:
    """The :class:`broker.xmpp.stream.transport.StreamTransport` of one client's stream.

    It outlives the link that it is on: what was sent and not acknowledged is sent again over the next one.

    Args:
        process: of the manager, which holds the client's connection.
        number: of the session.
        host: address of the client; empty where the manager does not tell one that can be.
        tls: of the client's connection; ``None`` where it has none.
        framing: of the stream.
        make_stream: makes the stream.

    Attributes:
        number: as above.
        host: as above.
        link: that it is on; ``None`` while there is none.
        detached_at: when it lost its last link, in seconds by the clock.
        stream: of the client.
    """

    __slots__ = (
        "_account",
        "_acknowledged",
        "_closed",
        "_deadline",
        "_ending",
        "_excess",
        "_framing",
        "_full",
        "_held",
        "_input",
        "_is_leaving",
        "_is_opened",
        "_lost",
        "_outgoing",
        "_process",
        "_received",
        "_tls",
        "_tls_at",
        "_unread",
        "detached_at",
        "host",
        "link",
        "number",
        "stream",
    )

    def __init__(
        self,
        process: ManagerProcess,
        number: int,
        host: str,
        tls: Tls | None,
        framing: TcpFraming,
        make_stream: Callable[[Channel], StreamConnection],
    ) -> None:
        self.number = number
        self.host = host
        self.link: Link | None = None
        self.detached_at = 0.0
        self._process = process
        self._tls = tls
        self._tls_at: int | None = None  # the manager is asked for TLS, when the client has the bytes before
        self._framing = framing
        self._outgoing = Outgoing()
        self._excess = Unread()  # what waits for the client on top of its room
        self._received = 0  # offset of the next byte
        self._acknowledged = 0  # all bytes of the client before
        self._unread: list[bytes] = []  # what has come while the stream is held
        self._held: tuple[str, ...] = ()
        self._full = False
        self._account = ""
        self._closed = False  # from this side, or both
        self._ending = False  # the client's connection is gone, which is to be confirmed
        self._lost = False
        self._is_leaving = False
        self._is_opened = False
        self._deadline: IDelayedCall | None = None
        self.stream = make_stream(self)
        self._input = InputTurns(process.settings.turns, self, self.stream)

    # What its link says

    def attach(self, link: Link, expected: int) -> None:
        """The manager goes on with the session over another link.

        Args:
            link: that one.
            expected: offset of the next byte that the manager expects.

        Raises:
            FrameError: it cannot expect that.
        """
        self._outgoing.send_from(expected)
        self.link = link
        link.write(encode_offset(Type.ATTACHED, self.number, self._received))
        if self._acknowledged:
            link.write(encode_offset(Type.ACK, self.number, self._acknowledged))
        if self._account:
            link.write(encode(Type.LOGGED_IN, self.number, LoggedIn(self._account).encode()))
        if self._tls_at is not None:
            link.write(encode_offset(Type.START_TLS, self.number, self._tls_at))
        if self._closed and not self._ending:
            link.write(encode_offset(Type.CLOSE, self.number, self._outgoing.end))
        reach("session on another link")
        self._send()

    def detach(self) -> None:
        """The link is gone."""
        self.link = None
        self.detached_at = self._process.settings.clock.seconds()

    def received(self, offset: int, data: bytes) -> None:
        """DATA has come.

        Args:
            offset: of its first byte.
            data: bytes of the client; what has come before is left out.

        Raises:
            FrameError: bytes are missing before them, or there are more than may be unacknowledged.
        """
        if self._tls_at is not None or not self._takes:
            return
        if offset != self._received:
            if offset > self._received:
                raise FrameError(f"session {self.number} lacks bytes {self._received} to {offset}")
            data = data[self._received - offset :]
            if not data:
                return
        self._received += len(data)
        if self._received - self._acknowledged > self._process.settings.window:
            raise FrameError(f"session {self.number} brings more than its window")
        if self._held or self._unread:
            self._unread.append(data)
        else:
            self._show(data)
        self._process.brought(self)

    def acknowledged(self, offset: int) -> None:
        """The client has taken all bytes before an offset.

        Raises:
            FrameError: it cannot have.
        """
        more = self._outgoing.acknowledge(offset)
        if not more:
            return
        self._process.let_go(more)
        self._count_excess()
        if self._full and self._outgoing.size <= self._process.room // 2 and not self._lost:
            self._full = False
            if not self._closed:
                self._stop_deadline()
                self.release(Pause.UNREAD_ANSWERS)
                self.stream.set_writable(True)
        self._send()

    def secured(self, secured: Secured) -> None:
        """The client's TLS is on.

        Raises:
            FrameError: nobody has asked for it, or its bytes are counted wrongly.
        """
        if self._tls is not None or self._closed:
            return
        if self._tls_at is None or secured.offset < self._received:
            raise FrameError(f"session {self.number} was not asked for TLS from byte {secured.offset} on")
        self._stop_deadline()
        self._tls_at = None
        self._received = self._acknowledged = secured.offset
        self._tls = secured.tls
        self.stream.secured()

    def ended(self, reason: str) -> None:
        """The client's connection is gone; the manager is told when all that came of it is handled, and on disk.

        Args:
            reason: for people.
        """
        if self._ending:
            return
        if not self._takes:  # what came behind the end was not handled, so it cannot be acknowledged
            self._say(encode(Type.UNKNOWN, self.number))
            self.lost(reason)
            return
        self._ending = self._closed = True
        self._lose(reason)
        if self.stream.ending.is_closed:
            self._all_handled()
        else:
            self.stream.ending.drain().addCallback(lambda _: self._all_handled())

    # What the process says

    def send(self) -> None:
        """The link has room: send the next bytes, and wait for the next turn with the others."""
        link = self.link
        if link is not None and self._send_slice(link):
            link.wait(self)

    def acknowledge(self) -> bool:
        """Acknowledge what is handled, once it is on disk.

        Returns:
            Whether there is more, which is not handled yet.
        """
        if self._lost or self._tls_at is not None or not self._takes:
            return False
        if self._unread or self._input.has_unseen or self.stream.has_unhandled:
            return True
        offset = self._received - self._framing.incomplete
        if offset > self._acknowledged:
            self._when_stored(lambda: self._acknowledge(offset))
        return False

    @property
    def kept(self) -> int:
        """Bytes that are kept for the client."""
        return self._outgoing.size

    @property
    def is_pressing(self) -> bool:
        """Whether the manager may soon have to wait for an acknowledgement."""
        return self._received - self._acknowledged > self._process.settings.window // 2

    def rest(self) -> None:
        """Nothing has come for a while: take less memory."""
        self._framing.rest()

    def leave(self) -> None:
        """The server stops: end the stream, as far as it cannot go on with the next server, and tell the link."""
        self._is_leaving = True
        self._show_unread()
        self._input.flush()
        if self._closed:
            self._tell_left()
        else:
            self.stream.shut_down()

    def lost(self, reason: str) -> None:
        """The session is over, and its manager is not told.

        Args:
            reason: for people.
        """
        self._closed = True
        self._lose(reason)
        self._process.remove(self)

    def opened(self, handled: int | None = None) -> None:
        """Tell the manager that there is a session.

        Args:
            handled: stanzas of the client that were handled, of a stream that goes on.
        """
        self._is_opened = True
        self._say(encode(Type.OPENED, self.number, Opened(handled).encode()))

    def refuse(self, condition: str, text: str) -> None:
        """Tell the manager that there is no session, and end it.

        Args:
            condition: of a stream error.
            text: for people.
        """
        self._say(encode(Type.REFUSED, self.number, Refused(condition, text).encode()))
        self._end_soon(text)

    def postpone(self, condition: str, text: str) -> None:
        """See :meth:`refuse`: the client itself tries again."""
        self.refuse(condition, text)

    # What the stream says: see :class:`broker.xmpp.stream.transport.StreamTransport`.

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""
        return self._tls is not None

    @property
    def can_start_tls(self) -> bool:
        """Whether the manager may be asked for TLS."""
        return not self.secure

    def probe(self) -> bool:
        """There is nothing below the stream to ask."""
        return False

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._closed or not data:
            return
        process, outgoing = self._process, self._outgoing
        outgoing.add(data)
        process.keep(len(data))
        self._send()
        if outgoing.size > process.room:
            if not self._full:
                self._full = True
                self._await_progress(process.settings.limits.write_timeout)
                self.stream.set_writable(False)
                self.hold(Pause.UNREAD_ANSWERS)
            excess = self._count_excess()
            if outgoing.size > process.settings.limits.max_unread:
                self._give_up(f"{outgoing.size} bytes wait for it")
            elif excess:
                self._give_up(excess)

    def _count_excess(self) -> str:
        size = 0 if self._lost else max(0, self._outgoing.size - self._process.room)
        return self._excess.set(size)

    def start_tls(self) -> None:
        """Have the manager begin the handshake when the client has what was written."""
        self._unread.clear()
        self._input.drop()
        self._tls_at = self._outgoing.end
        self._set_deadline(self._process.settings.limits.handshake_timeout, self._handshake_overdue)
        self._say(encode_offset(Type.START_TLS, self.number, self._tls_at))

    def close(self) -> None:
        """Have the client's connection closed behind what was written; what it still sends is dropped."""
        if self._closed:
            return
        self._closed = True
        if self._is_leaving and not self._is_opened:  # its manager tries again with the next server
            self._tell_left()
            return
        if self._is_leaving and self.stream.client is not None:
            self._leave_at(self._received - self._framing.incomplete)
            return
        self._unread.clear()
        self._input.drop()
        self._say(encode_offset(Type.CLOSE, self.number, self._outgoing.end))
        if self._is_leaving:
            self._tell_left()
        else:
            self._await_progress(self._process.settings.limits.close_timeout)

    def abort(self) -> None:
        """Have the client's connection closed at once."""
        if not self._lost:
            self._say(encode(Type.ABORT, self.number))
            self._end_soon("it was closed at once")

    def hold(self, reason: str) -> None:
        """Show the stream nothing more; its manager stops when the window is used up."""
        if reason != Pause.OTHERS_FIRST and reason not in self._held:  # for its turn it waits elsewhere
            self._held += (reason,)

    def release(self, reason: str) -> None:
        """A reason to hold is gone."""
        if reason in self._held:
            self._held = tuple([each for each in self._held if each != reason])
            if not self._held and self._unread:
                data, self._unread = b"".join(self._unread), []
                self._input.later(data)

    @property
    def turn_is_over(self) -> bool:
        """Whether the stream has worked for so long that others should have their turn."""
        return self._input.is_over

    def ask_for_turn(self) -> None:
        """The stream has work left."""
        self._input.ask()

    def logged_in(self, account: str, unread: UnreadTotal | None = None) -> None:
        """The client has logged in."""
        self._excess.belong(unread)
        settings = self._process.settings
        self._account = account
        self._input.logged_in(account, settings.pressure)
        self._process.manager.admission.logged_in(self)
        self._say(encode(Type.LOGGED_IN, self.number, LoggedIn(account).encode()))

    def channel_bindings(self) -> Mapping[str, bytes]:
        """Channel binding data by type."""
        tls = self._tls
        return {} if tls is None else {type: data for type, data in tls.bindings.items() if type in _BINDINGS and data}

    def tls_details(self) -> TlsDetails | None:
        """How the client's connection is secured, as its manager tells."""
        tls = self._tls
        return None if tls is None else TlsDetails(clean(tls.version), clean(tls.cipher), clean(tls.sni))

    def client_certificate(self) -> x509.Certificate | None:
        """The certificate of the client, which its manager has verified."""
        tls = self._tls
        if tls is None or not tls.certificate or not self._process.settings.certificates:
            return None
        try:
            return x509.load_der_x509_certificate(tls.certificate)
        except ValueError as error:
            self._note(f"its certificate cannot be read: {error}")
            return None

    # Bytes of the client

    @property
    def _takes(self) -> bool:
        """Whether bytes of the client are taken."""
        return not self._closed and self.stream.ending.is_open

    def _show(self, data: bytes) -> None:
        try:
            self._input.received(data)
        except Exception:  # noqa: BLE001 - it is logged, and costs this client alone its connection
            log.failure("{host}: what a client has sent could not be handled", host=self.host)
            self.abort()

    def _show_unread(self) -> None:
        data, self._unread = b"".join(self._unread), []
        if data:
            self._show(data)

    def _when_stored(self, then: Callable[[], None]) -> None:
        """Wait until all that is handled is on disk, and for a stream that survives a crash, how much that is."""
        client, store = self.stream.client, self._process.settings.store
        if client is not None:
            client.dispatch.save_handled()
        store.when_committed(store.position, then)

    def _acknowledge(self, offset: int) -> None:
        if offset > self._acknowledged:
            self._acknowledged = offset
            if ARMED:
                reach("bytes of a client stored")
            self._say(encode_offset(Type.ACK, self.number, offset))

    # Bytes for the client

    def _send(self) -> None:
        link = self.link
        while link is not None and self._send_slice(link):
            if not link.writable:
                link.wait(self)
                return

    def _send_slice(self, link: Link) -> bool:
        """Send some bytes; returns whether more could be sent."""
        outgoing = self._outgoing
        offset = outgoing.sent
        if offset == outgoing.end:
            return False
        most = outgoing.acknowledged + self._process.settings.window - offset
        if most <= 0:
            return False
        if link.writable:
            link.write(encode_data(self.number, offset, outgoing.take(min(most, SLICE))))
        return outgoing.sent < min(outgoing.end, outgoing.acknowledged + self._process.settings.window)

    # The end

    def _lose(self, reason: str) -> None:
        """The client's connection is gone."""
        if self._lost:
            return
        self._lost = True
        self._excess.set(0)
        self._stop_deadline()
        try:
            self._input.lost()
            self._show_unread()
            self._input.flush()
        finally:
            self.stream.lost(f"the connection was lost: {reason}")

    def _all_handled(self) -> None:
        self._when_stored(self._all_stored)

    def _all_stored(self) -> None:
        reach("end of a managed session stored")
        self._say(encode_offset(Type.ACK, self.number, self._received))
        self._process.remove(self)

    def _leave_at(self, offset: int) -> None:
        """All that was taken is handled: acknowledge it for the last time, and let the client resume its stream."""

        def stored() -> None:
            self._acknowledge(offset)
            self._tell_left()

        self._when_stored(stored)

    def _tell_left(self) -> None:
        if self.link is not None:
            self.link.left(self)

    def _end_soon(self, reason: str) -> None:
        """Nothing more is sent; the stream is told in another turn, as a socket tells it."""
        self._closed = True
        self._unread.clear()
        self._input.drop()
        self._stop_deadline()
        self._process.settings.clock.callLater(0, self.lost, reason)

    # Deadlines

    def _await_progress(self, patience: float) -> None:
        """Give the client up when it takes nothing for a while."""
        self._set_deadline(patience, self._check_progress, patience, self._outgoing.acknowledged)

    def _check_progress(self, patience: float, before: int) -> None:
        self._deadline = None
        if self.link is None or self._outgoing.acknowledged > before:  # without a link it takes nothing
            self._await_progress(patience)
        else:
            self._give_up(f"it has taken nothing for {patience:g} s")

    def _handshake_overdue(self) -> None:
        self._deadline = None
        self._give_up("no TLS handshake in time")

    def _set_deadline(self, seconds: float, call: Callable[..., None], *arguments: object) -> None:
        self._stop_deadline()
        self._deadline = self._process.settings.clock.callLater(seconds, call, *arguments)

    def _stop_deadline(self) -> None:
        call, self._deadline = self._deadline, None
        cancel(call)

    def _give_up(self, reason: str) -> None:
        self._note(f"connection closed: {reason}")
        self.abort()

    def _note(self, reason: str) -> None:
        self._process.settings.tell(network_of(self.host), lambda: f"{self.host}: {reason}")

    def _say(self, frame: bytes) -> None:
        if self.link is not None:
            self.link.write(frame)
