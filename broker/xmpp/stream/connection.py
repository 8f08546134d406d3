"""One connection that carries an XML stream: reading, waiting, taking turns."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.failpoints import ARMED, reach
from broker.model.host import network_of
from broker.net.read_pauses import Pause
from broker.xml.stanza import Stanza, StreamStart
from broker.xml.stream import StreamError
from broker.xmpp.routing.domain import Client
from broker.xmpp.service import XmppService
from broker.xmpp.stream.ending import Ending
from broker.xmpp.stream.framing import Framing
from broker.xmpp.stream.inbox import Inbox
from broker.xmpp.stream.phase import Phase
from broker.xmpp.stream.transport import StreamTransport

log = Logger()


class StreamConnection:
    """The server's side of one XML stream, and of those that follow on it after STARTTLS and SASL.

    It puts in order what comes over its transport, and hands it to the present phase. To the transport it is a
    :class:`broker.net.stream.Stream`.

    Args:
        service: that it belongs to.
        transport: the connection.
        framing: of that kind of connection.
        host: address of the peer.
        first: makes the phase that it begins with.
        idle: seconds of silence until a client is disconnected; by default as ``idle.c2s`` says.
        asks: clients are asked for acknowledgements (XEP-0198); not where the connection tells what has come.

    Attributes:
        transport: as above.
        framing: as above.
        host: as above.
        idle: as above.
        asks: as above.
        on_rest: called when everything that came is handled.
        writable: ``False`` while the connection's buffer is full, or it is gone.
        heard: when bytes came last, in seconds.
        inbox: what is not handled yet.
        ending: its end.
        phase: the present one.
        write: sends elements, one or several.
        tap: is given each stanza of the client before it is handled; ``None`` while nobody looks on.
    """

    __slots__ = (
        "_busy",
        "_clock",
        "_failures",
        "_refusals",
        "asks",
        "ending",
        "framing",
        "heard",
        "host",
        "idle",
        "inbox",
        "on_rest",
        "phase",
        "tap",
        "transport",
        "writable",
        "write",
    )

    def __init__(
        self,
        service: XmppService,
        transport: StreamTransport,
        framing: Framing,
        host: str,
        first: Callable[[StreamConnection], Phase],
        idle: int | None = None,
        *,
        asks: bool = True,
    ) -> None:
        broker = service.domain.broker
        self.transport = transport
        self.framing = framing
        self.host = host
        self.idle = service.settings.idle if idle is None else idle
        self.asks = asks
        self.on_rest: Callable[[], object] | None = None
        self.write = framing.sender(transport.write)
        self.writable = True
        self.heard = 0.0
        self.tap: Callable[[Stanza], None] | None = None
        self.inbox = Inbox(framing)
        self._clock = broker.node.clock
        self._refusals = service.refusals
        self._failures = service.failures
        self._busy = False
        self.ending = Ending(transport, framing, broker, self._clock)
        self.phase = first(self)

    @property
    def client(self) -> Client | None:
        """Whose stream it is; ``None`` where nobody is bound."""
        return self.phase.client

    def connected(self) -> None:
        """The connection is there; one that begins with TLS has finished its handshake."""
        self.phase.start()

    def secured(self) -> None:
        """The handshake of STARTTLS has finished."""
        self._busy = False
        self.phase.secured()
        self._run()

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if not self.ending.is_open:
            return
        if ARMED:
            reach("bytes received")
        self.heard = self._clock.seconds()
        inbox = self.inbox
        if self._busy or inbox.events or inbox.later:
            if inbox.keep(data):
                self.transport.hold(Pause.BUSY)
            return
        try:
            inbox.read(data)
        except StreamError as error:  # it was broken before
            self._broken(error)
        self._run()

    def alive(self) -> None:
        """The peer is there, though it has sent nothing that is for the stream."""
        self.heard = self._clock.seconds()

    def turn(self) -> None:
        """It is this stream's turn to handle what waits."""
        self._run()

    def set_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has room again."""
        if not self.ending.is_lost:
            self.writable = writable
            self.phase.set_writable(writable)

    def shut_down(self) -> None:
        """The listener closes: a bound stream may be resumed at the next one, others are told (I10)."""
        self.phase.shut_down()

    def lost(self, reason: str) -> None:
        """The connection is gone: what came over it is handled, then everything that it held is let go of."""
        self.phase.stop()
        self.ending.lose(reason)
        self.writable = False
        if not self.phase.finishes:
            self._drained()
            return
        self.phase.lost()
        self._run()

    def enter(self, phase: Phase) -> None:
        """Another phase begins."""
        self.phase.stop()
        self.phase = phase
        self.heard = self._clock.seconds()
        phase.start()

    def start_tls(self) -> None:
        """Have the TLS handshake begin, and handle nothing until it is over (RFC 6120 §5.4.3).

        What has come behind is forgotten. The transport does not wait for the handshake for too long.
        """
        self.framing.restart(discard=True)
        self.inbox.drop_bytes()
        self._busy = True
        self.transport.start_tls()

    def work(self, work: Coroutine[Any, Any, None], done: Callable[[], None] | None = None) -> None:
        """Handle something that may take its time; what comes behind waits.

        Args:
            work: what to do.
            done: called when it is done, or has failed.
        """
        self._busy = True
        working = ensureDeferred(work)
        working.addErrback(self._work_failed)
        working.addBoth(self._work_done, done)

    def go_on(self) -> None:
        """Handle what waits, soon."""
        if not self.ending.is_open or self._busy or self.inbox.events or self.inbox.later or self.framing.has_more:
            self.transport.ask_for_turn()
        elif self.on_rest is not None:
            self.on_rest()

    @property
    def has_unhandled(self) -> bool:
        """Whether anything that came is not handled, or a stanza is incomplete."""
        return self._busy or not self.inbox.is_empty

    def drain(self) -> Deferred[None]:
        """Take no more bytes, and handle all that came before, whether the client reads its answers or not.

        Returns:
            Fires when that is done, or the stream has ended.
        """
        drained = self.ending.drain()
        self.go_on()
        return drained

    def end(self) -> None:
        """End in good order (RFC 6120 §4.4)."""
        if not self.ending.is_closed:
            self.phase.stop()
            self.ending.end(self.phase.client)

    def fail(self, condition: str, text: str, extra: bytes = b"") -> None:
        """End with a stream error, unless the stream has ended.

        Args:
            condition: of RFC 6120 §4.9.3.
            text: for people.
            extra: an application's own condition, as an element.
        """
        if self.ending.is_closed:
            return
        self.phase.stop()
        if not self.ending.fail(self.phase.client, condition, self.framing.fail(condition, text, extra)):
            self.lost(text)

    def note(self, reason: object) -> None:
        """Tell the log why the peer is refused, but not too often."""
        self._refusals.tell(network_of(self.host), lambda: f"{self.host}: {reason}")

    def _run(self) -> None:
        """Go on with what waits, until others should have their turn."""
        inbox, framing, transport, ending = self.inbox, self.framing, self.transport, self.ending
        while True:
            handled = self._handle_events()
            if self._busy:
                return
            if ending.is_closed:
                break
            if not (inbox.events or inbox.later or framing.has_more):
                break
            if ending.is_open and self.phase.is_behind:
                if self.writable:  # its answers are written at the end of this turn; then it is seen whether it reads
                    transport.ask_for_turn()
                return
            if inbox.events or (handled and inbox.later and transport.turn_is_over):
                transport.ask_for_turn()
                return
            if framing.error is not None:
                self._broken(framing.error)
            else:
                transport.release(Pause.BUSY)
                if not inbox.read_more():
                    break
        if not ending.is_open:
            self._drained()
        elif self.on_rest is not None:
            self.on_rest()

    def _handle_events(self) -> bool:
        """Handle what has come until it has to wait, or the turn is over; returns whether anything was handled."""
        events, transport, ending = self.inbox.events, self.transport, self.ending
        handled = False
        try:
            while events and not self._busy and not ending.is_closed:
                phase = self.phase
                if ending.is_open and phase.is_behind:
                    break
                event = events.pop()
                handled = True
                if isinstance(event, Stanza):
                    if self.tap is not None:
                        self.tap(event)
                    phase.element(event)
                elif isinstance(event, StreamStart):
                    phase.opened(event)
                else:
                    self.end()
                if events and transport.turn_is_over:
                    break
        except Exception:  # noqa: BLE001 - it is logged, and costs this client alone its stream
            self._handling_failed(Failure())
        return handled

    def _broken(self, error: StreamError) -> None:
        self.note(error)
        self.fail(error.condition, error.text)

    def _drained(self) -> None:
        """Everything that came is handled, or will not be."""
        ending = self.ending
        if ending.is_lost:
            self.phase.stop()
            reason = ending.let_go()
            self.inbox.clear()
            self.phase.let_go(reason)
        ending.drained()

    def _work_failed(self, failure: Failure) -> None:
        self._handling_failed(failure)

    def _handling_failed(self, failure: Failure) -> None:
        self._failures.tell(
            network_of(self.host),
            lambda: f"{self.host}: a stanza could not be handled",
            lambda text: log.failure("{text}", failure, text=text),
        )
        self.fail("internal-server-error", "the server failed to handle a stanza")

    def _work_done(self, _: object, done: Callable[[], None] | None) -> None:
        self._busy = False
        if done is not None:
            done()
        self.go_on()
