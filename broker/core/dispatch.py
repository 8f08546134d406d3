"""Delivery of a session's queue to its receiver (spec xmlblaster §11, design D7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from broker.core.counters import Counters
from broker.core.delivery import Delivery
from broker.core.entries import Entry, Fanout
from broker.core.hindrances import Hindrance, Wait
from broker.core.message import Message
from broker.core.queues import Queue
from broker.core.trace import Point
from broker.errors import BrokerError, Code
from broker.model.key import PTP_SUBSCRIPTION
from broker.model.records import NEWEST_ONLY, ONEWAY
from broker.timers import cancel

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

log = Logger()

ONEWAY_AT_ONCE = 64
ONEWAY_BYTES = 256 * 1024
"""Entries, and their bytes, that are written between two looks at whether the receiver reads."""
PASSWORD_CHANGED = "the password of the account was changed"
TAKEN_OVER = "another connection took over the session"
BY_CLIENT = "its client"
HOLDBACK = (Code.COMMUNICATION_USER_HOLDBACK, Code.USER_UPDATE_HOLDBACK)
"""What a client says that wants to get nothing for now."""


class ConnectionState(Enum):
    """What is known of the receiver (spec §6)."""

    UNDEF = "UNDEF"
    ALIVE = "ALIVE"
    POLLING = "POLLING"
    DEAD = "DEAD"


class Dispatch:
    """Takes entries off a queue and delivers them, one unanswered update at a time.

    Args:
        node: the :class:`broker.core.node.Node`: clock, wake-ups and stale entries.
        queue: the session's queue.
        name: of the session, for the log.
        delivery: settings.
        active: whether delivery runs (``dispatcherActive``).
        on_dead_letters: told the entries that cannot be delivered, and why; they are settled already.
        on_state: told that the state or ``active`` changed.
        on_dead: told that the receiver is given up.
        counters: of the session; counts what is delivered.

    Attributes:
        state: of the receiver.
        outbound: the connection, an :class:`broker.ports.IOutbound`, or ``None``.
        errors: how often deliveries failed or were refused.
        since: when the state became what it is, or another login took the session over; milliseconds since 1970.
        held_by: who has deliveries held back, where they are not :attr:`active`.
        on_answer: called when the receiver has acknowledged an update; ``None`` where nobody wants to know.
        dial: makes an outbound connection to a callback server, where the client named one.
    """

    __slots__ = (
        "_active",
        "_attempts",
        "_awaits_login",
        "_blocked_at",
        "_collect",
        "_collected",
        "_counters",
        "_delivered",
        "_dialled_at",
        "_dialling",
        "_held_at",
        "_node",
        "_on_dead",
        "_on_dead_letters",
        "_on_state",
        "_ping",
        "_retry",
        "_sent_at",
        "_stalled_at",
        "_taken",
        "_timeout",
        "awake",
        "delivery",
        "dial",
        "errors",
        "held_by",
        "last_error",
        "name",
        "on_answer",
        "outbound",
        "queue",
        "since",
        "state",
    )

    def __init__(
        self,
        node: Any,
        queue: Queue,
        name: str,
        delivery: Delivery,
        active: bool,
        on_dead_letters: Callable[[list[Entry], BrokerError], None],
        on_state: Callable[[], None],
        on_dead: Callable[[BrokerError], None],
        counters: Counters,
    ) -> None:
        self.queue = queue
        self.name = name
        self.delivery = delivery
        self.state = ConnectionState.UNDEF
        self.outbound: Any = None
        self.dial: Callable[[], Any] | None = None
        self.awake = False
        self.last_error: BrokerError | None = None
        self.errors = 0
        self.since: int = node.now()
        self.on_answer: Callable[[], None] | None = None
        self._node = node
        self._active = active
        self.held_by = "" if active else BY_CLIENT
        # Points in time by the clock that nobody sets, in seconds; 0.0 where there is none.
        self._held_at = 0.0 if active else node.monotonic()
        self._sent_at = 0.0  # the last deliveries
        self._blocked_at = 0.0  # since then the connection takes nothing that is to be delivered
        self._dialled_at = 0.0
        self._stalled_at = 0.0
        self._on_dead_letters = on_dead_letters
        self._on_state = on_state
        self._on_dead = on_dead
        self._counters = counters
        self._taken: list[Entry] = []
        self._delivered: Callable[[], None] | None = None
        self._attempts = 0
        self._awaits_login = False
        self._collected = False
        self._dialling: Any = None
        self._collect: IDelayedCall | None = None
        self._ping: IDelayedCall | None = None
        self._retry: IDelayedCall | None = None
        self._timeout: IDelayedCall | None = None
        queue.on_ready = self.wake

    @property
    def active(self) -> bool:
        """Whether delivery runs; entries only gather while it does not."""
        return self._active

    @active.setter
    def active(self, active: bool) -> None:
        self.set_active(active, BY_CLIENT)

    def set_active(self, active: bool, by: str) -> None:
        """Let deliveries run, or hold them back.

        Args:
            active: which of these.
            by: who wants it, for people.
        """
        if active != self._active:
            self._active = active
            self._held_at, self.held_by = (0.0, "") if active else (self._node.monotonic(), by)
            self._on_state()
            self._tell_if_empty()
        self.wake()

    @property
    def stalled(self) -> bool:
        """Whether a ping is overdue."""
        return self._stalled_at > 0

    @property
    def in_flight(self) -> int:
        """Entries that were sent and are not answered."""
        return len(self._taken)

    @property
    def taken(self) -> Sequence[Entry]:
        """Entries that come back to the queue if they are not acknowledged."""
        return self._taken

    @property
    def outstanding(self) -> Sequence[Entry]:
        """Entries that were taken from the queue: they are on their way, and out of reach of others."""
        return self._taken

    passes_queue = False
    """Whether :meth:`put` may send a message at once, so that it sees itself to what the queue needs."""

    def put(self, message: Message, flags: int, durable: bool, fanout: Fanout | None = None) -> None:
        """Deliver a message that is for this session, behind everything that was put before.

        Args:
            message: from point to point.
            flags: of its entry.
            durable: keep it over a crash.
            fanout: set where other sessions of the subject get copies.
        """
        self.queue.put(message, PTP_SUBSCRIPTION, flags, durable, fanout)
        self.wake()

    def put_ephemeral(self, message: Message, replaces: str, *, durable: bool) -> bool:
        """Deliver what is of no use to anybody else; ``False`` for clients that can do nothing with it."""
        return False

    def wake(self) -> None:
        """Deliver what can be delivered, at the end of this turn."""
        if not self.awake:
            self.awake = True
            self._node.wake(self)

    def attach(self, outbound: Any) -> None:
        """Deliver to this connection from now on; an earlier one is closed.

        Args:
            outbound: an :class:`broker.ports.IOutbound`.
        """
        old, self.outbound = self.outbound, outbound
        self._stop_timers()
        self._return_taken()
        if old is not None and old is not outbound:
            old.close(TAKEN_OVER)
        self._attempts = 0
        self._awaits_login = False
        self._blocked_at = self._stalled_at = 0.0
        self._become(ConnectionState.ALIVE)
        self._schedule_ping()
        self.wake()

    def lost(self, outbound: Any, error: BrokerError) -> None:
        """The connection is gone, or a delivery to it got no answer.

        Args:
            outbound: which; a connection that was replaced already changes nothing.
            error: why.
        """
        if outbound is not self.outbound or self.state is ConnectionState.DEAD:
            return
        self.outbound = None
        self._stop_timers()
        self._return_taken()
        self._tell_if_empty()
        self._wait_for_receiver(error)

    def abandoned(self, error: BrokerError) -> None:
        """The client left between its login and the moment that deliveries would have begun.

        Args:
            error: why.
        """
        if self.outbound is None and (self._awaits_login or self.state is ConnectionState.UNDEF):
            self._awaits_login = False
            self._wait_for_receiver(error)

    def hand_over(self) -> None:
        """Another login owns the session from now on: its connection is awaited, and the one before is closed."""
        outbound, self.outbound = self.outbound, None
        self._stop_timers()
        self._return_taken()
        self._attempts = 0
        self._awaits_login = True
        self.since = self._node.now()
        if self.state is ConnectionState.ALIVE:
            self._become(ConnectionState.POLLING)
        if outbound is not None:
            outbound.close(TAKEN_OVER)

    def acknowledged(self) -> None:
        """The receiver has answered the outstanding update."""
        taken = self._taken
        if not taken:
            return
        self._taken = []
        self._attempts = 0
        self._stop_waiting()
        if self.on_answer is not None:
            self.on_answer()
        self._counters.acknowledged(len(taken), taken[-1].message.id)
        if self._node.trace is not None:
            self._trace(Point.ACKNOWLEDGED, taken)
        self.queue.delivered(taken)
        self._tell_if_empty()
        self.pump()

    def refused(self, error: BrokerError) -> None:
        """The receiver has answered the outstanding update with an exception (spec §11).

        Args:
            error: what the client threw.
        """
        self.refused_some(dict.fromkeys(range(len(self._taken)), error))

    def refused_some(self, errors: Mapping[int, BrokerError]) -> None:
        """The receiver has answered the outstanding update, and has not taken all of its messages.

        Each message is treated as if the update had brought it alone: what was taken is done with, and what was refused
        is kept or becomes a dead message (spec §11).

        Args:
            errors: why messages were refused, by their position in the update; the others were taken.
        """
        taken, self._taken = self._taken, []
        self._stop_waiting()
        delivered: list[Entry] = []
        kept: list[Entry] = []
        why: BrokerError | None = None
        for position, entry in enumerate(taken):
            error = errors.get(position)
            if error is None:
                delivered.append(entry)
                continue
            self.last_error = error
            if error.is_communication or error.code in HOLDBACK:
                kept.append(entry)
                why = why or error
            else:
                self._dead_letter([entry], _update_error(error))
        if delivered:
            self._attempts = 0
            if self.on_answer is not None:
                self.on_answer()
            self._counters.acknowledged(len(delivered), delivered[-1].message.id)
            self.queue.delivered(delivered)
            self._tell_if_empty()
        if why is None:
            self.errors += 1
            self.wake()
            return
        holdback = why.code in HOLDBACK
        self.queue.put_back(kept, failed=not holdback)
        if holdback:
            self.errors += 1
            self.set_active(False, f"{BY_CLIENT} ({why.code})")
        else:
            self._wait_for_receiver(why)

    def ponged(self) -> None:
        """The receiver has answered a ping."""
        self._stalled_at = 0.0
        if self._ping is not None:
            self._ping.cancel()
        self._schedule_ping()

    def resume(self) -> None:
        """The connection's buffer has room again."""
        self.wake()

    def pump(self) -> None:
        """Deliver as much as the receiver takes now.

        What the broker fails to deliver becomes dead messages, so that it holds up neither those behind it nor others.
        """
        try:
            self._pump()
        except Exception:  # noqa: BLE001 - it is logged, and whatever it was, other receivers must not feel it
            log.failure("{name}: delivery failed", name=self.name)
            taken, self._taken = self._taken, []
            if taken:
                self._stop_waiting()
                error = BrokerError(Code.INTERNAL_UNKNOWN, "the broker failed to deliver this message")
                self._dead_letter(taken, error)
                self.wake()

    def _pump(self) -> None:
        outbound = self.outbound
        queue = self.queue
        if outbound is None or self._taken or not self._active or not queue.entries:
            return
        if self.state is not ConnectionState.ALIVE:
            return
        delivery = self.delivery
        if delivery.collect_time and not self._collected:
            if self._collect is None:
                self._collect = self._node.later(delivery.collect_time, self._collecting_ended)
            return
        while outbound.writable:
            oneway = delivery.oneway or bool(queue.next_flags & ONEWAY)
            # Where each has an update of its own and none is answered, many are written at once.
            single = oneway and delivery.burst_entries == 1
            if single:
                entries = queue.take(ONEWAY_AT_ONCE, ONEWAY_BYTES)
            else:
                entries = queue.take(delivery.burst_entries, delivery.burst_bytes)
            if not entries:
                break
            entries = self._without_stale(entries)
            if not entries:
                continue
            self._taken = entries
            for entry in entries:
                if entry.redeliver:
                    self._counters.traffic.redelivered += 1
            if self._node.trace is not None:
                self._trace(Point.SENT, entries)
            if oneway:
                if single:
                    outbound.deliver_oneway(entries)
                else:
                    outbound.deliver(entries, True)
                if self._taken is not entries:  # the connection broke meanwhile, and they are queued again
                    break
                self._taken = []
                self._blocked_at = 0.0
                self._counters.sent_oneway(len(entries), entries[-1].message.id)
                queue.delivered(entries)
                continue
            self._blocked_at = 0.0
            self._sent_at = self._node.monotonic()
            if delivery.update_timeout:
                self._timeout = self._node.later(delivery.update_timeout, self._timed_out)
            self._counters.traffic.delivered += len(entries)
            outbound.deliver(entries, False)
            break
        else:
            self._note_blocked()
        self._collected = False
        self._tell_if_empty()

    def _trace(self, point: Point, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._node.trace(point, entry.message, self.name)

    def on_empty(self, callback: Callable[[], None] | None) -> None:
        """Call back once when the queue is empty, or nothing is being delivered any more; at once if it is so."""
        self._delivered = callback
        self._tell_if_empty()

    def stop(self) -> None:
        """The session ends: nothing is delivered any more; what was sent and not answered is queued again."""
        outbound, self.outbound = self.outbound, None
        self._stop_timers()
        self._return_taken()
        self._delivered = None
        self.state = ConnectionState.DEAD
        if outbound is not None:
            outbound.close("the session ended")

    def detach(self, reason: str) -> None:
        """Let go of the connection, without holding it against the client: its session waits for it to come back.

        Args:
            reason: for the log.
        """
        outbound, self.outbound = self.outbound, None
        if outbound is None:
            return
        self._stop_timers()
        self._return_taken(failed=False)
        self._become(ConnectionState.POLLING)
        outbound.close(reason)

    def suspend(self) -> None:
        """The broker pauses: the connection is let go of, nothing is delivered or held against the client."""
        outbound, self.outbound = self.outbound, None
        self._stop_timers()
        self._return_taken()
        self._delivered = None
        if self.state is not ConnectionState.DEAD:
            self._become(ConnectionState.UNDEF)
        if outbound is not None:
            outbound.close("the broker stops")

    def start_polling(self) -> None:
        """Wait for the receiver, as after recovery; one that can be dialled is dialled now."""
        self._become(ConnectionState.POLLING)
        if self.dial is not None:
            self._call_receiver()
        else:
            self._schedule_retry()

    def waits(self) -> Iterator[Wait]:
        """Why the first entry does not leave, as far as deliveries know it; nothing where it is about to."""
        if not self._active:
            yield Wait(Hindrance.HELD_BACK, self._when(self._held_at), {"by": self.held_by})
        outbound = self.outbound
        if outbound is None:
            yield self._wait_for_connection()
            return
        if self.state is not ConnectionState.ALIVE:  # it refused an update, and is left alone for a while
            yield self._wait_for_return()
            return
        yield from self._waits_for_answer()
        if not outbound.writable:
            yield Wait(Hindrance.NOT_READING, self._when(self._blocked_at))
        if self._collect is not None:
            rest = self._in_seconds(self._collect)
            since = self._node.now() - self.delivery.collect_time + int(rest * 1000)
            yield Wait(Hindrance.COLLECTING, since, {"remainingSeconds": rest})
        if self._stalled_at:
            yield Wait(Hindrance.STALLED, self._when(self._stalled_at))

    def _waits_for_answer(self) -> Iterator[Wait]:
        if self._taken:
            params = {"entries": len(self._taken), "maxEntries": self.delivery.burst_entries}
            yield Wait(Hindrance.UNANSWERED, self._when(self._sent_at), params)

    def _wait_for_connection(self) -> Wait:
        """Why there is no connection."""
        if self._awaits_login:
            return Wait(Hindrance.TAKEN_OVER, self.since)
        if self._dialling is not None:
            return Wait(Hindrance.RECEIVER_BEING_CALLED, self._when(self._dialled_at), self._last_error())
        if self.state is ConnectionState.UNDEF:
            return Wait(Hindrance.NO_RECEIVER, self.since)
        return self._wait_for_return()

    def _wait_for_return(self) -> Wait:
        params: dict[str, str | int | float] = dict(self._last_error())
        params["attempts"] = self._attempts
        if self.delivery.retries >= 0:
            params["maxAttempts"] = self.delivery.retries
        if self._retry is not None:
            params["nextInSeconds"] = self._in_seconds(self._retry)
        return Wait(Hindrance.RECEIVER_AWAY, self.since, params)

    def _last_error(self) -> dict[str, str]:
        return {} if self.last_error is None else {"lastError": str(self.last_error)[:200]}

    def _note_blocked(self) -> None:
        """The connection takes nothing, and something is to be delivered."""
        if not self._blocked_at and self.queue.entries:
            self._blocked_at = self._node.monotonic()

    def _when(self, at: float) -> int:
        """A point in time by the clock that nobody sets, in milliseconds since 1970; 0 where there is none."""
        node = self._node
        return node.now() - int((node.monotonic() - at) * 1000) if at else 0

    def _in_seconds(self, call: IDelayedCall) -> float:
        seconds: float = max(0.0, call.getTime() - self._node.clock.seconds())
        return round(seconds, 3)

    def _without_stale(self, entries: list[Entry]) -> list[Entry]:
        node = self._node
        erased = node.erased
        for entry in entries:
            if entry.message.expires or entry.flags & NEWEST_ONLY or erased:
                break
        else:  # nearly always
            return entries
        fresh: list[Entry] = []
        stale: list[Entry] = []
        for entry in entries:
            (stale if node.is_stale(entry) else fresh).append(entry)
        node.count_stale(stale, self.name)
        self.queue.settle(stale)
        return fresh

    def _tell_if_empty(self) -> None:
        delivered = self._delivered
        if delivered is not None and (not self.queue.entries or self.outbound is None or not self._active):
            self._delivered = None
            delivered()

    def _return_taken(self, *, failed: bool = True) -> None:
        taken, self._taken = self._taken, []
        if taken:
            self.queue.put_back(taken, failed=failed)

    def _dead_letter(self, entries: list[Entry], error: BrokerError) -> None:
        self.queue.settle(entries)
        self._on_dead_letters(entries, error)
        self._tell_if_empty()

    def _become(self, state: ConnectionState) -> None:
        if state is not self.state:
            self.state = state
            self.since = self._node.now()
            self._on_state()

    def _wait_for_receiver(self, error: BrokerError) -> None:
        self.last_error = error
        self.errors += 1
        delivery = self.delivery
        self._attempts += 1
        if delivery.retries == 0 or (0 < delivery.retries < self._attempts):
            self._give_up(error)
            return
        self._become(ConnectionState.POLLING)
        self._schedule_retry()

    def _give_up(self, error: BrokerError) -> None:
        self._stop_timers()
        self._become(ConnectionState.DEAD)
        self._on_dead(error)

    def _schedule_retry(self) -> None:
        waits_for_ever = self.dial is None and self.outbound is None and self.delivery.retries < 0
        if self._retry is None and not waits_for_ever:
            self._retry = self._node.later(max(self.delivery.delay, 1), self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        if self.state is not ConnectionState.POLLING:
            return
        if self.outbound is not None:  # the client asked for a pause; its connection is still there
            self._become(ConnectionState.ALIVE)
            self.wake()
        elif self.dial is not None:
            self._call_receiver()
        else:
            self._wait_for_receiver(BrokerError(Code.COMMUNICATION_POLLING, "the client has not come back"))

    def _call_receiver(self) -> None:
        if self._dialling is None and self.dial is not None:
            self._dialled_at = self._node.monotonic()
            dialling = self._dialling = self.dial()
            dialling.addCallbacks(self._dialled, self._dial_failed)
            dialling.addErrback(lambda failure: log.failure("{name}: dialling failed", failure, name=self.name))

    def _dialled(self, outbound: Any) -> None:
        self._dialling = None
        if self.state is ConnectionState.DEAD:
            outbound.close("the session ended")
        else:
            self.attach(outbound)

    def _dial_failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        self._dialling = None
        if self.state is ConnectionState.POLLING:
            self._wait_for_receiver(BrokerError(Code.COMMUNICATION_NO_CONNECTION, failure.getErrorMessage()))

    def _collecting_ended(self) -> None:
        self._collect = None
        self._collected = True
        self.pump()

    def _stop_waiting(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _timed_out(self) -> None:
        self._timeout = None
        outbound = self.outbound
        error = BrokerError(Code.COMMUNICATION_RESPONSE_TIMEOUT, "no answer to an update in time")
        self.lost(outbound, error)
        if outbound is not None:
            outbound.close(error.message)

    def _schedule_ping(self) -> None:
        self._ping = None
        if self.delivery.ping_interval > 0 and self.outbound is not None:
            self._ping = self._node.later(self.delivery.ping_interval, self._send_ping)

    def _send_ping(self) -> None:
        outbound = self.outbound
        if outbound is None:
            self._ping = None
            return
        timeout = self.delivery.ping_timeout
        self._ping = self._node.later(timeout, self._ping_unanswered) if timeout else None
        outbound.ping()

    def _ping_unanswered(self) -> None:
        self._ping = None
        if self.delivery.stall_on_ping_timeout:
            self._stalled_at = self._stalled_at or self._node.monotonic()
            self._schedule_ping()
            return
        outbound = self.outbound
        error = BrokerError(Code.COMMUNICATION_TIMEOUT, "no answer to a ping in time")
        log.info("{name}: {reason}", name=self.name, reason=error.message)
        self.lost(outbound, error)
        if outbound is not None:
            outbound.close(error.message)

    def _stop_timers(self) -> None:
        for call in (self._collect, self._ping, self._retry, self._timeout):
            if call is not None:
                cancel(call)
        self._collect = self._ping = self._retry = self._timeout = None
        if self._dialling is not None:
            dialling, self._dialling = self._dialling, None
            dialling.cancel()


def _update_error(error: BrokerError) -> BrokerError:
    """What a client threw, as the reason of a dead message: anything that is not the user's is a bug of the client."""
    if str(error.code).startswith("user"):
        return error
    return BrokerError(Code.USER_UPDATE_INTERNAL_ERROR, f"{error.code}: {error.message}", error.location)
