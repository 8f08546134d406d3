"""The end of a stream: in good order, with an error, taken over, or lost (RFC 6120 §4.4, §4.9)."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from broker.core.broker import Broker
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.timers import cancel
from broker.waiters import Waiters
from broker.xmpp.routing.domain import Client
from broker.xmpp.stream.framing import Framing
from broker.xmpp.stream.transport import StreamTransport
from broker.xmpp.wire import sm

if TYPE_CHECKING:
    from twisted.python.failure import Failure

log = Logger()

END_TIMEOUT = 60
"""Seconds until a connection is closed whose session cannot be ended on disk."""
CONFLICT = "conflict"
"""The stream error that tells that another connection has the session now."""
_OF_CONNECTION = ("connection-timeout", "system-shutdown")
"""Stream errors that are of the connection alone: the client may resume, and what it has sent is handled."""


class End(Enum):
    """How near a stream is to its end."""

    OPEN = auto()
    """Its bytes are taken."""
    DRAINING = auto()
    """No more bytes are taken, and what came before is handled to its end."""
    LOST = auto()
    """As :attr:`DRAINING`, for a connection that is gone."""
    CLOSED = auto()
    """Nothing more is handled; the last that is written may wait for the disk."""
    GONE = auto()
    """As :attr:`CLOSED`, for a connection that is gone."""


class _Event(Enum):
    DRAIN = auto()
    LOSE = auto()
    CLOSE = auto()


_NEXT = {
    (End.OPEN, _Event.DRAIN): End.DRAINING,
    (End.OPEN, _Event.LOSE): End.LOST,
    (End.OPEN, _Event.CLOSE): End.CLOSED,
    (End.DRAINING, _Event.DRAIN): End.DRAINING,
    (End.DRAINING, _Event.LOSE): End.LOST,
    (End.DRAINING, _Event.CLOSE): End.CLOSED,
    (End.LOST, _Event.DRAIN): End.LOST,
    (End.LOST, _Event.LOSE): End.LOST,
    (End.LOST, _Event.CLOSE): End.GONE,
    (End.CLOSED, _Event.DRAIN): End.CLOSED,
    (End.CLOSED, _Event.LOSE): End.GONE,
    (End.GONE, _Event.DRAIN): End.GONE,
    (End.GONE, _Event.LOSE): End.GONE,
    (End.GONE, _Event.CLOSE): End.GONE,
}
"""Nobody closes a stream that is closed, but when it is let go of."""


class Ending:
    """Ends one stream.

    Args:
        transport: its connection.
        framing: writes the end.
        broker: ends the session.
        clock: of the deadline.

    Attributes:
        state: how near the end is.
        is_open: whether more bytes are taken.
        is_closed: whether nothing more is handled.
        reason: why the connection is gone.
    """

    __slots__ = (
        "_broker",
        "_clock",
        "_drains",
        "_framing",
        "_overdue",
        "_transport",
        "is_closed",
        "is_open",
        "reason",
        "state",
    )

    def __init__(self, transport: StreamTransport, framing: Framing, broker: Broker, clock: IReactorTime) -> None:
        self.state = End.OPEN
        self.is_open = True
        self.is_closed = False
        self.reason = ""
        self._transport = transport
        self._framing = framing
        self._broker = broker
        self._clock = clock
        self._drains = Waiters()
        self._overdue: IDelayedCall | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the connection is gone."""
        return self.state in (End.LOST, End.GONE)

    @property
    def is_draining(self) -> bool:
        """Whether it is worth waiting until what came is handled: see :meth:`drain`."""
        return self.state in (End.DRAINING, End.LOST, End.GONE)

    def drain(self) -> Deferred[None]:
        """Take no more bytes.

        Returns:
            Fires at the next :meth:`drained`.
        """
        self._move(_Event.DRAIN)
        return self._drains.next()

    def drained(self) -> None:
        """What came is handled, or will not be."""
        self._drains.tell()

    def lose(self, reason: str) -> None:
        """The connection is gone: nothing that closes it needs to be waited for."""
        self._stop_timer()
        self._move(_Event.LOSE)
        self.reason = reason

    def close(self) -> None:
        """Have nothing more handled."""
        self._move(_Event.CLOSE)

    def let_go(self) -> str:
        """What came over the connection that is gone is handled.

        Returns:
            Why it is gone.
        """
        self._stop_timer()
        self._move(_Event.CLOSE)
        return self.reason

    def end(self, client: Client | None) -> None:
        """End in good order: the session with the stream (RFC 6120 §4.4).

        Args:
            client: whose session it is; ``None`` where there is none yet.
        """
        self.close()
        if client is None:
            self.finish()
            return
        dispatch = client.dispatch
        last = dispatch.take_unsent()
        if dispatch.unacked is not None:
            last += sm.ack(dispatch.handled)
        self._end_session(client, last)

    def fail(self, client: Client | None, condition: str, error: bytes) -> bool:
        """End with an error; the session, too, unless the connection is all that is wrong.

        Args:
            client: whose session it is; ``None`` where there is none yet.
            condition: of the stream error.
            error: as it is written.

        Returns:
            ``False`` where what the client has sent is to be handled all the same, as if the connection were lost.
        """
        if client is not None and condition in _OF_CONNECTION:
            self.finish(error)
            return False
        self.close()
        if (
            client is None or condition == CONFLICT or client.dispatch.outbound is None
        ):  # its session waits, or has ended
            self.finish(error)
        else:
            self._end_session(client, client.dispatch.take_unsent() + error)
        return True

    def finish(self, last: bytes = b"") -> None:
        """Write the end of the stream, and close the connection.

        Args:
            last: what goes before the end.
        """
        data = last + self._framing.close()
        if data:
            self._transport.write(data)
        self.leave()

    def leave(self) -> None:
        """Close the connection without a word: the client may resume."""
        self._stop_timer()
        self._transport.close()

    def _move(self, event: _Event) -> None:
        state = self.state = _NEXT[self.state, event]
        self.is_open = state is End.OPEN  # with every stanza somebody asks
        self.is_closed = state in (End.CLOSED, End.GONE)

    def _end_session(self, client: Client, last: bytes) -> None:
        """End the session; the stream's end leaves when that is on disk, since a client will not come back then."""
        self._overdue = self._clock.callLater(END_TIMEOUT, self.leave)
        error = BrokerError(Code.USER_NOT_CONNECTED, "the stream has ended")
        ending = ensureDeferred(self._broker.registry.end(client.session, error, by_client=True))
        ending.addCallback(lambda _: self._broker.when_committed(lambda: self._session_ended(last)))
        ending.addErrback(self._session_not_ended, client)

    def _session_ended(self, last: bytes) -> None:
        reach("answer due")
        self.finish(last)

    def _session_not_ended(self, failure: Failure, client: Client) -> None:
        log.failure("ending the session of {jid} failed", failure, jid=client.full)
        self.leave()

    def _stop_timer(self) -> None:
        timer, self._overdue = self._overdue, None
        cancel(timer)
