"""One connection that carries an XML stream: reading, waiting, and the end (RFC 6120 §4)."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from broker.core.waiters import Waiters
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.xml.stanza import Stanza, StreamStart
from broker.xml.stream import Event, StreamError, StreamReader
from broker.xmpp.routing.domain import Client
from broker.xmpp.stream import features
from broker.xmpp.wire import sm
from broker.xmpp.wire.errors import stream_error

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from broker.xmpp.service import XmppService
    from broker.xmpp.stream.transport import StreamTransport

log = Logger()

MOST_UNREAD = 65_536
"""Bytes that may wait while a stanza is being handled; then nothing is read."""
END_TIMEOUT = 60
"""Seconds until a connection is closed whose session cannot be ended on disk."""
_RESUMABLE = ("connection-timeout", "system-shutdown")
"""Stream errors that are of the connection alone: the client may resume, and what it has sent is handled."""


class State(Enum):
    """How far a stream is."""

    STRANGER = 1
    LOGGED_IN = 2
    BOUND = 3


class StreamConnection:
    """What all phases of a client's stream have in common.

    Args:
        service: that it belongs to.
        transport: the connection.
        host: address of the client.

    Attributes:
        state: how far it is.
    """

    def __init__(self, service: XmppService, transport: StreamTransport, host: str) -> None:
        self.state = State.STRANGER
        self._service = service
        self._domain = service.domain
        self._settings = service.settings
        self._broker = service.domain.broker
        self._clock = service.domain.node.clock
        self._transport = transport
        self._host = host
        self._reader = StreamReader(self._settings.max_stanza_before_login)
        self._header_sent = False  # on the present stream
        self._closed = False
        self._draining = False
        self._drains = Waiters()
        self._lost = ""  # why the connection is gone
        self._busy = False
        self._events: deque[Event] = deque()
        self._unread: list[bytes] = []
        self._unread_size = 0
        self._heard = 0.0
        self._client: Client | None = None
        self._timer: Any = None

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._closed or self._draining:
            return
        reach("bytes received")
        self._heard = self._clock.seconds()
        if self._busy or self._events or self._unread:
            self._unread.append(data)
            self._unread_size += len(data)
            if self._unread_size > MOST_UNREAD:
                self._transport.hold("busy")
            return
        self._read(data)
        self._run()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        raise NotImplementedError

    @property
    def is_draining(self) -> bool:
        """Whether no more bytes are taken, and what came before is handled to its end."""
        return self._draining

    def drain(self) -> Deferred[None]:
        """Take no more bytes, and handle all that came before, whether the client reads its answers or not.

        Returns:
            Fires when that is done, or the stream has ended.
        """
        self._draining = True
        drained = self._drains.next()
        self.go_on()
        return drained

    def _drained(self) -> None:
        """Everything that came before :meth:`drain` is handled."""
        self._drains.tell()

    def _read(self, data: bytes) -> None:
        try:
            self._events.extend(self._reader.feed(data))
        except StreamError as error:  # it was broken before
            self._broken(error)

    @property
    def _is_behind(self) -> bool:
        """Whether the client has not read enough of its answers to get more: then what it has sent waits."""
        return False

    @property
    def _has_unhandled(self) -> bool:
        return bool(self._busy or self._events or self._unread or self._reader.unread)

    def go_on(self) -> None:
        """Handle what waits, soon."""
        if self._draining or self._has_unhandled or self._reader.error is not None:
            self._transport.ask_for_turn()

    def turn(self) -> None:
        """It is this stream's turn to handle what waits."""
        self._run()

    def _run(self) -> None:
        """Go on with what waits, until others should have their turn."""
        while True:
            handled = self._handle_events()
            if self._busy:
                return
            if self._closed:
                break
            if self._is_behind:
                self._wait_for_reader()
                return
            if self._events or (handled and self._unread and self._transport.turn_is_over):
                self._transport.ask_for_turn()
                return
            if self._reader.error is not None:
                self._broken(self._reader.error)
            elif self._unread or self._reader.unread:
                data = b"".join(self._unread)
                self._unread.clear()
                self._unread_size = 0
                self._transport.release("busy")
                before = self._reader.unread
                self._read(data)
                if not self._events and not data and self._reader.unread == before:
                    break
            else:
                break
        if self._draining:
            self._drained()

    def _wait_for_reader(self) -> None:
        """See to it that :meth:`go_on` is called when the client is not behind any more."""

    def _broken(self, error: StreamError) -> None:
        self._service.refusals.tell(self._host, lambda: f"{self._host}: {error}")
        self._fail(error.condition, error.text)

    def _handle_events(self) -> bool:
        """Handle what has come until it has to wait, or the turn is over; returns whether anything was handled."""
        events, transport = self._events, self._transport
        handled = False
        try:
            while events and not self._busy and not self._closed and not self._is_behind:
                event = events.popleft()
                handled = True
                if isinstance(event, Stanza):
                    self._element(event)
                elif isinstance(event, StreamStart):
                    self._begin(event)
                else:
                    self._end()
                if transport.turn_is_over:
                    break
        except Exception:  # noqa: BLE001 - it is logged, and costs this client alone its stream
            log.failure("{host}: a stanza could not be handled", host=self._host)
            self._fail("internal-server-error", "the server failed to handle a stanza")
        return handled

    def _begin(self, start: StreamStart) -> None:
        """The client has sent its stream header."""
        raise NotImplementedError

    def _element(self, stanza: Stanza) -> None:
        """The client has sent a stanza, or another element."""
        raise NotImplementedError

    def _end(self) -> None:
        """The stream ends in good order: the session with it (RFC 6120 §4.4)."""
        if self._closed:
            return
        self._closed = True
        client = self._client
        if client is None:
            self._finish()
            return
        dispatch = client.dispatch
        last = dispatch.take_unsent()
        if dispatch.unacked is not None:
            last += sm.ack(dispatch.handled)
        self._end_session(client, last)

    def _fail(self, condition: str, text: str, extra: bytes = b"") -> None:
        """The stream ends with an error; the session, too, unless the connection is all that is wrong."""
        if self._closed:
            return
        if not self._header_sent:
            self._send_header("")
        error = stream_error(condition, text, extra)
        client = self._client
        if client is not None and condition in _RESUMABLE:
            self._finish(error)
            self.lost(text)
            return
        self._closed = True
        if client is None or condition == "conflict":
            self._finish(error)
        else:
            self._end_session(client, client.dispatch.take_unsent() + error)

    def _end_session(self, client: Client, last: bytes) -> None:
        """End the session; the stream's end leaves when that is on disk, since a client will not come back then.

        Args:
            client: whose session it is.
            last: what goes before the end of the stream.
        """
        self._stop_timers()
        self._timer = self._clock.callLater(END_TIMEOUT, self._leave)
        error = BrokerError(Code.USER_NOT_CONNECTED, "the stream has ended")
        ending = ensureDeferred(self._broker.registry.end(client.session, error, by_client=True))
        ending.addCallback(lambda _: self._broker.when_committed(lambda: self._session_ended(last)))
        ending.addErrback(self._session_not_ended, client)

    def _session_ended(self, last: bytes) -> None:
        reach("answer due")
        self._finish(last)

    def _session_not_ended(self, failure: Failure, client: Client) -> None:
        log.failure("ending the session of {jid} failed", failure, jid=client.full)
        self._leave()

    def _finish(self, last: bytes = b"") -> None:
        if self._header_sent:
            self._transport.write(last + features.STREAM_END)
        self._leave()

    def _leave(self) -> None:
        self._stop_timers()
        self._transport.close()

    def _acknowledge(self, then: Callable[[], None] | None = None) -> None:
        """Tell how many stanzas were handled, once their effects are on disk (I1)."""
        client = self._client
        if client is None or client.dispatch.unacked is None:
            if then is not None:
                then()
            return
        dispatch = client.dispatch
        dispatch.keep_handled()
        answer = sm.ack(dispatch.handled)
        store = self._domain.node.store

        def write() -> None:
            reach("answer due")
            self._transport.write(answer)
            if then is not None:
                then()

        store.when_committed(store.position, write)

    def _stop_timers(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _work(self, work: Coroutine[Any, Any, None], counted: Client | None = None) -> None:
        """Handle something that may take its time; what comes behind waits.

        Args:
            work: what to do.
            counted: the client whose stanza it is.
        """
        self._busy = True
        if counted is not None:
            counted.begin_work()
        done = ensureDeferred(work)
        done.addErrback(self._work_failed)
        done.addBoth(self._work_done, counted)

    def _work_failed(self, failure: Failure) -> None:
        log.failure("{host}: a stanza could not be handled", failure, host=self._host)
        self._fail("internal-server-error", "the server failed to handle a stanza")

    def _work_done(self, _: object, counted: Client | None) -> None:
        self._busy = False
        if counted is not None:
            if not counted.session.ended:
                counted.dispatch.count_handled()
            counted.end_work()
        self.go_on()

    def _committed(self) -> Deferred[None]:
        committed: Deferred[None] = Deferred()
        self._broker.when_committed(lambda: committed.callback(None))
        return committed

    def _send_header(self, to: str) -> None:
        self._header_sent = True
        self._transport.write(features.header(secrets.token_hex(8), self._settings.domain, to[:1024]))
