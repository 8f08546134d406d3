"""One link of a connection manager: opening it, and reading what comes over it (spec §2, §9)."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from broker.errors import BrokerError
from broker.model.host import address_of, network_of
from broker.net.stream import Stream
from broker.timers import cancel
from broker.xml.cutter import Closing, Cut, CutError, ElementCutter, Opening, Piece
from broker.xmpp.managers.compression import CompressionError, Deflater, Inflater
from broker.xmpp.managers.transitions import Progress, State, Step, asked
from broker.xmpp.stream.certificate import hosts
from broker.xmpp.stream.deadlines import HEADER_TIMEOUT
from broker.xmpp.stream.transitions import Violation
from broker.xmpp.stream.transport import StreamTransport
from broker.xmpp.wire import ns, routes
from broker.xmpp.wire.errors import Condition, StanzaError, stream_error
from broker.xmpp.wire.stanza import STREAM_END, element

if TYPE_CHECKING:
    from broker.xmpp.managers.manager import Manager
    from broker.xmpp.managers.managers import Managers
    from broker.xmpp.managers.routed import RoutedSession

log = Logger()

HEARTBEAT = 30.0
"""Seconds between two blanks, so that a manager sees that the link is alive."""
MAX_STRANGE_ELEMENT = 8192
"""Longest element before the handshake."""
ROUTE_OVERHEAD = 2048
"""Bytes of a route around a stanza."""
MAX_EARLY_REQUESTS = 10
"""Requests that may come before the handshake."""
PROTOCOL = "connection-manager"
"""How the audit calls the protocol."""
UNREAD = "elements wait to be read"
TURNS = "clients have their turns"


class LinkTransport(StreamTransport, Protocol):
    """The connection of a link, as :class:`broker.net.transport.Connection` is one."""

    @property
    def peer(self) -> str:
        """Address and port of the manager, for the log."""

    def carries_streams(self) -> None:
        """The manager counts no more as one of strangers."""


class MakeFrames(Protocol):
    """Makes what goes on with a link in frames."""

    def __call__(self, transport: LinkTransport, name: str) -> Stream:
        """Make it.

        Args:
            transport: the connection.
            name: of the manager.
        """


class ManagerLink:
    """The server's side of one link. To its connection it is a :class:`broker.net.stream.Stream`.

    Args:
        managers: all of them.
        transport: the connection.
        host: address of the manager.
        tls: TLS can be started.
        tls_required: and must be, unless it is on.

    Attributes:
        jid: address of the link, as the manager has given it.
        sessions: of clients that are served over it.
        writable: ``False`` while the connection's buffer is full, or it is gone.
    """

    __slots__ = (
        "_clock",
        "_cutter",
        "_deadline",
        "_deflater",
        "_frames",
        "_heard",
        "_heartbeat",
        "_host",
        "_id",
        "_inflater",
        "_manager",
        "_managers",
        "_progress",
        "_refusals",
        "_tls",
        "_tls_required",
        "_transport",
        "_undeflated",
        "jid",
        "sessions",
        "writable",
    )

    def __init__(
        self, managers: Managers, transport: LinkTransport, host: str, *, tls: bool, tls_required: bool
    ) -> None:
        self.jid = ""
        self.sessions: set[RoutedSession] = set()
        self.writable = True
        self._managers = managers
        self._transport = transport
        self._host = host
        self._tls = tls
        self._tls_required = tls_required
        self._clock: IReactorTime = managers.clock
        self._progress = Progress()
        self._cutter = ElementCutter(MAX_STRANGE_ELEMENT)
        self._id = secrets.token_hex(8)  # of all streams on the connection: managers remember the first (spec §2)
        self._manager: Manager | None = None
        self._frames: Stream | None = None
        self._inflater: Inflater | None = None
        self._deflater: Deflater | None = None
        self._undeflated: list[bytes] = []
        self._heard = 0.0
        self._refusals = 0
        self._deadline: IDelayedCall | None = None
        self._heartbeat: IDelayedCall | None = None

    @property
    def is_open(self) -> bool:
        """Whether clients may come over it."""
        return self._progress.state is State.LINKED

    def connected(self) -> None:
        """The connection is there; with direct TLS its handshake is over."""
        self._await_header()

    def secured(self) -> None:
        """TLS is on."""
        self._progress.advance(Step.SECURED)
        self._await_header()

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._frames is not None:
            self._frames.received(data)
            return
        self._heard = self._clock.seconds()
        if self._inflater is not None:
            try:
                data = self._inflater.inflate(data)
            except CompressionError as error:
                self._fail("policy-violation", str(error))
                return
        self._cutter.add(data)
        self._run()
        pressure = self._managers.pressure
        if pressure is not None and pressure.store.backlog > pressure.high and self._progress.is_linked:
            pressure.hold(self._transport)

    def turn(self) -> None:
        """It is this link's turn to go on with what has come."""
        if self._frames is not None:
            self._frames.turn()
        else:
            self._run()

    def set_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has room again: so it is for all clients on the link."""
        if self._frames is not None:
            self._frames.set_writable(writable)
            return
        self.writable = writable
        for session in list(self.sessions):
            session.stream.set_writable(writable)

    def shut_down(self) -> None:
        """The listener closes: what is on its way to clients goes out, then the manager is told (spec §9)."""
        if self._frames is not None:
            self._frames.shut_down()
        elif not self._progress.is_linked:
            self._fail("system-shutdown", "the server stops")
        elif self.is_open:
            self._run(to_the_end=True)
            self._begin_to_leave()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        if self._frames is not None:
            self._frames.lost(reason)
        elif self.is_open:
            self._run(to_the_end=True)
        self._stop_timers()
        self.writable = False
        if self._managers.pressure is not None:
            self._managers.pressure.forget(self._transport)
        self._progress.advance(Step.LEAVE)
        self._let_go()

    def write(self, data: bytes) -> None:
        """Send elements to the manager."""
        if self._progress.state is State.ENDED:
            return
        if self._deflater is None:
            self._transport.write(data)
            return
        if not self._undeflated:
            self._clock.callLater(0, self._deflate)
        self._undeflated.append(data)

    def left(self, session: RoutedSession) -> None:
        """A client is gone."""
        self.sessions.discard(session)
        self._leave_when_empty()

    def pause(self, paused: bool) -> None:
        """Read nothing while too much of what has come waits for turns, or read again."""
        if paused:
            self._transport.hold(TURNS)
        else:
            self._transport.release(TURNS)

    def configure(self) -> None:
        """Tell the manager what it is to offer its clients."""
        self.write(self._managers.configuration().to_bytes(f"configuration-{secrets.token_hex(4)}"))

    def note(self, reason: str) -> None:
        """Tell the log why the manager is refused something, but not too often."""
        name = self._manager.name if self._manager is not None else ""
        peer = f"connection manager {name} at {self._host}" if name else self._host
        self._managers.refusals.tell(f"{name} {network_of(self._host)}", lambda: f"{peer}: {reason}")

    def _run(self, *, to_the_end: bool = False) -> None:
        """Go on with what has come, until others should have their turn.

        Args:
            to_the_end: nothing more comes, and all of it is taken.
        """
        while self._progress.is_read:
            try:
                cut = self._cutter.next()
            except CutError as error:
                self._fail("not-well-formed", str(error))
                return
            if cut is None:
                self._transport.release(UNREAD)
                return
            self._take(cut)
            if not to_the_end and self._transport.turn_is_over and self._progress.is_read:
                self._transport.hold(UNREAD)
                self._transport.ask_for_turn()
                return

    def _take(self, cut: Cut) -> None:
        if isinstance(cut, Piece) and cut.name == b"route" and self._progress.state is State.LINKED:
            assert self._manager is not None
            self._manager.route(self, cut)  # as the table says; most are such
            return
        if isinstance(cut, Closing):
            self._leave()
            return
        if isinstance(cut, Opening):
            self._greet(cut)
            return
        step = self._progress.answer(asked(cut.name))
        if isinstance(step, Violation):
            self._fail(step.condition, step.text)
            return
        if cut.is_too_long and step is not Step.DELIVER:
            self._fail("policy-violation", f"an element is longer than {self._cutter.max_size} bytes")
            return
        match step:
            case Step.DELIVER:
                assert self._manager is not None
                self._manager.route(self, cut)
            case Step.SERVE:
                assert self._manager is not None
                self._manager.request(self, cut)
            case Step.START_TLS:
                self._start_tls()
            case Step.COMPRESS:
                self._compress(cut)
            case Step.VERIFY:
                self._verify(cut)
            case Step.FRAMES:
                self._go_on_in_frames()
            case Step.REFUSE:
                self._refuse(cut)
            case Step.LEAVE:
                self._leave()

    def _greet(self, start: Opening) -> None:
        try:
            jid = routes.attributes_of(start.tag).get("to", "")
        except BrokerError as error:
            self._fail("bad-format", error.message)
            return
        if not self.jid:
            self.jid = jid
        if not self._name:
            self._fail("bad-format", "a link names itself in to='NAME/RESOURCE'")
            return
        if not self._managers.secrets:
            self._fail("internal-server-error", "no secret of connection managers is configured")
            return
        self._progress.advance(Step.GREET)
        secure = self._transport.secure
        self.write(
            routes.header(self.jid, self._id)
            + routes.features(
                tls=self._may_start_tls,
                tls_required=self._tls_required,
                zlib=secure and self._inflater is None and self._managers.settings.compression,
                frames=self._managers.make_frames is not None and self._inflater is None,
            )
        )

    @property
    def _name(self) -> str:
        """The manager's name: before the first slash, in lower case."""
        name = self.jid.partition("/")[0].lower()
        return name if len(name) <= 256 else ""

    @property
    def _may_start_tls(self) -> bool:
        return self._tls and not self._transport.secure and self._inflater is None

    def _start_tls(self) -> None:
        if not self._may_start_tls:
            self._end(element("failure", ns.TLS) + STREAM_END)
            return
        self.write(element("proceed", ns.TLS))
        self._progress.advance(Step.START_TLS)
        self._cutter.take_rest()  # it came in clear, and could be from anybody
        self._cutter.restart()
        cancel(self._deadline)
        self._transport.start_tls()

    def _compress(self, piece: Piece) -> None:
        if not (self._transport.secure and self._managers.settings.compression) or self._inflater is not None:
            self.write(element("failure", routes.COMPRESS, content=element("setup-failed")))
            return
        if b">zlib<" not in piece.data:
            self.write(element("failure", routes.COMPRESS, content=element("unsupported-method")))
            return
        self.write(element("compressed", routes.COMPRESS))
        self._progress.advance(Step.COMPRESS)
        self._inflater, self._deflater = Inflater(), Deflater()
        rest = self._cutter.take_rest()
        self._cutter.restart()
        self._await_header()
        if rest:
            self.received(rest)

    def _verify(self, piece: Piece) -> None:
        """Only a manager that knows the secret has anything to do with clients (spec §2.3)."""
        managers, name = self._managers, self._name
        if self._tls_required and not self._transport.secure:
            self._refuse_login("policy-violation", "a link must use TLS")
            return
        secret = managers.secrets.of(name)
        given = bytes(piece.content).strip().lower()
        expected = routes.digest(self._id, secret or secrets.token_hex(16)).encode()
        is_right = hmac.compare_digest(given, expected)
        if not is_right or not secret:
            self._refuse_login("not-authorized", "the handshake is wrong")
            return
        allowed = managers.settings
        if allowed.authorities and name not in hosts(self._transport.client_certificate()):
            self._refuse_login("not-authorized", "its certificate is not for its name")
            return
        if allowed.names and name not in allowed.names:
            self._refuse_login("not-authorized", "its name is not allowed")
        elif allowed.addresses and str(address_of(self._host)) not in allowed.addresses:
            self._refuse_login("not-authorized", "its address is not allowed")
        elif managers.links_of(name) >= allowed.max_links:
            self._refuse_login("resource-constraint", "it has too many links")
        else:
            self._admit(name)

    def _admit(self, name: str) -> None:
        managers = self._managers
        cancel(self._deadline)
        self._deadline = None
        self._progress.advance(Step.ADMIT)
        self._cutter.max_size = managers.max_stanza + ROUTE_OVERHEAD
        self._manager = manager = managers.opened(name)
        managers.logins.admitted(name, PROTOCOL, self._host)
        self._transport.carries_streams()
        self.write(element("handshake"))
        self.configure()
        self._heard = self._clock.seconds()
        self._beat()
        manager.joined(self)

    def _refuse_login(self, condition: str, reason: str) -> None:
        self._managers.logins.refused(self._name, PROTOCOL, self._host, reason)
        self._fail(condition, "" if condition == "not-authorized" else reason)

    def _refuse(self, piece: Piece) -> None:
        """Whatever is asked before the handshake."""
        self._refusals += 1
        if self._refusals > MAX_EARLY_REQUESTS:
            self._fail("policy-violation", "the handshake comes first")
            return
        error = StanzaError(Condition.NOT_AUTHORIZED)
        domain = self._managers.domain
        if piece.name == b"route":
            self.write(routes.error_route(domain, self.jid, error))
            return
        try:
            request = routes.read(piece.data)
        except BrokerError:
            request = routes.what_can_be_read(piece.data)
        self.write(routes.answer(request, domain, error))

    def _go_on_in_frames(self) -> None:
        """The manager speaks in frames from here on: no route of this link is known any more."""
        make, manager = self._managers.make_frames, self._manager
        if make is None or self._inflater is not None or self.sessions or manager is None:
            self._fail("unsupported-stanza-type", "frames are not offered here")
            return
        self.write(element("frames", routes.FRAMES))
        cancel(self._heartbeat)
        self._heartbeat = None
        self._progress.advance(Step.FRAMES)
        manager.departed(self)
        self._frames = frames = make(self._transport, manager.name)
        frames.connected()
        rest = self._cutter.take_rest()
        if rest:
            frames.received(rest)

    def _await_header(self) -> None:
        cancel(self._deadline)
        self._deadline = self._clock.callLater(HEADER_TIMEOUT, self._overdue)

    def _overdue(self) -> None:
        self._deadline = None
        self.note("no handshake in time")
        self._fail("connection-timeout", "the handshake has not come in time")

    def _beat(self) -> None:
        self._heartbeat = None
        if self._clock.seconds() - self._heard >= self._managers.settings.idle:
            self._fail("connection-timeout", "nothing was heard of you for too long")
            return
        self._heartbeat = self._clock.callLater(HEARTBEAT, self._beat)
        self.write(b" ")
        now = self._clock.seconds()
        for session in self.sessions:
            session.rest_if_idle(now)

    def _deflate(self) -> None:
        data, self._undeflated = b"".join(self._undeflated), []
        if data and self._deflater is not None:
            self._transport.write(self._deflater.deflate(data))

    def _fail(self, condition: str, text: str) -> None:
        """End with a stream error; clients go on over other links, or wait for one."""
        if self._progress.state is State.ENDED:
            return
        if text:
            self.note(text)
        opening = routes.header(self.jid or "", "") if self._progress.state is State.NEW else b""
        self._end(opening + stream_error(condition, text) + STREAM_END)

    def _leave(self) -> None:
        self._end(STREAM_END)

    def _begin_to_leave(self) -> None:
        if self.is_open:
            self._progress.advance(Step.SHUT_DOWN)
            for session in list(self.sessions):
                session.shut_down()
            self._leave_when_empty()

    def _leave_when_empty(self) -> None:
        if self._progress.state is State.LEAVING and not self.sessions:
            self._end(stream_error("system-shutdown") + STREAM_END)

    def _end(self, last: bytes) -> None:
        if self._progress.state is State.ENDED:
            return
        self.write(last)
        self._deflate()
        self._stop_timers()
        self._progress.advance(Step.LEAVE)
        self._transport.close()
        self._let_go()

    def _let_go(self) -> None:
        manager, self._manager = self._manager, None
        if manager is not None:
            log.info("{host}: the link of connection manager {name} is gone", host=self._host, name=manager.name)
            manager.departed(self)
            self._managers.closed(manager)

    def _stop_timers(self) -> None:
        for timer in (self._deadline, self._heartbeat):
            cancel(timer)
        self._deadline = self._heartbeat = None
