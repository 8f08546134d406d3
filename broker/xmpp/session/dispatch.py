"""Delivery to a session over an XML stream: numbered, acknowledged by count, resumable (XEP-0198, design D7-D9)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, ensureDeferred

from broker.core.commit_gate import CommitGate
from broker.core.counters import Counters
from broker.core.delivery import Delivery
from broker.core.dispatch import TAKEN_OVER, ConnectionState, Dispatch
from broker.core.entries import Entry, Fanout
from broker.core.hindrances import Hindrance, Wait
from broker.core.message import Message
from broker.core.queues import Queue
from broker.core.trace import Point
from broker.errors import BrokerError, Code
from broker.model.key import PTP_SUBSCRIPTION
from broker.model.records import DELAYED, EPHEMERAL, TRANSIENT
from broker.xmpp.session.state import StreamLimits, StreamState
from broker.xmpp.wire.sm import MODULUS, Unacked

SENT_AT_ONCE = 64
MAX_DIRECT = 256 * 1024
"""Bytes that may gather for a client in a turn before what else it asks for has to wait."""
NUMBERED_AHEAD = 1000
"""Stanzas that may have their number before the window is open for them: they go out without a further commit."""
_HALF = MODULUS // 2


class StreamOutbound(Protocol):
    """A connection that stanzas are sent over.

    Attributes:
        writable: ``False`` while it takes no more.
    """

    writable: bool

    def write(self, data: bytes) -> None:
        """Send elements."""

    def close(self, reason: str) -> None:
        """Let go of the connection; see :class:`broker.ports.IOutbound`."""

    def after_sending(self, stanzas: int, size: int, *, full: bool) -> bytes:
        """What to send behind so many stanzas of this size; ``full`` is whether the window is."""

    @property
    def is_draining(self) -> bool:
        """Whether no more is taken of what the peer sends, and what came before is handled to its end."""

    def drain(self) -> Deferred[None]:
        """Fires when all that has come is handled; no more is taken."""


class StreamDispatch(Dispatch):
    """Takes stanzas off a queue and sends them while the window is open.

    Without stream management an entry is settled when it is written. With it, when the client has counted it; the
    stream may go on over another connection, also after a crash: the number of a durable stanza is on disk before its
    bytes leave (spec xmpp §1.8 I2), and the number of stanzas handled is on disk together with their effects (I1).
    Numbers are given ahead, so that most come to the disk with their stanzas.

    Args:
        node: the :class:`broker.core.node.Node`.
        queue: the session's queue.
        name: of the session, for the log.
        stream: state that survives a crash.
        limits: how much is kept.
        on_dead_letters: told the entries that cannot be delivered, and why; they are settled already.
        on_state: told that the state changed.
        on_dead: told that the client will not come back.
        save_session: has the session in the store, because something durable is to be in its queue.
        counters: of the session; counts what is delivered.

    Attributes:
        handled: stanzas of the client that were handled, modulo 2^32.
        unacked: numbered and not acknowledged; ``None`` while stream management is off.
        recovered: the session comes from the store and was not resumed since.
        expired: the client did not come back in time.
    """

    __slots__ = (
        "_acked_at",
        "_away",
        "_away_since",
        "_counted",
        "_delay",
        "_direct",
        "_direct_size",
        "_encode",
        "_encoder",
        "_handled_stored",
        "_keep_session",
        "_late",
        "_logged",
        "_numbered",
        "_outbox",
        "_outstanding_at",
        "_reloading",
        "_replaceable",
        "expired",
        "handled",
        "limits",
        "recovered",
        "stream",
        "unacked",
    )

    def __init__(
        self,
        node: Any,
        queue: Queue,
        name: str,
        stream: StreamState,
        limits: StreamLimits,
        on_dead_letters: Callable[[list[Entry], BrokerError], None],
        on_state: Callable[[], None],
        on_dead: Callable[[BrokerError], None],
        save_session: Callable[[], None],
        counters: Counters,
    ) -> None:
        super().__init__(node, queue, name, Delivery(), True, on_dead_letters, on_state, on_dead, counters)
        self.stream = stream
        self.limits = limits
        self.outbound: StreamOutbound | None = None
        self._encoder: Callable[[Entry], bytes] | None = None
        self._encode: Callable[[Entry], bytes] | None = None  # `_encoder`, unless nothing is to be sent
        self._keep_session = save_session
        self._delay: Callable[[bytes, int], bytes] = lambda stanza, stamp: stanza
        self.handled = 0
        self.unacked: Unacked[Entry] | None = None
        self.recovered = False
        self.expired = False
        self._handled_stored = 0
        self._direct: list[tuple[Message, int, bool, Fanout | None]] = []  # to be written at the end of this turn
        self._direct_size = 0
        self._counted = False  # the node will have `handled` stored with the next commit
        self._late = 0  # entries up to this number waited for the client
        self._numbered: deque[tuple[int, bytes]] = deque()  # of `unacked`, to be sent: position, stanza
        self._outbox = CommitGate(node.store, self._send, self.wake, node.monotonic)
        self._replaceable: dict[str, Entry] = {}  # ephemeral stanzas that waited since the client is away
        self._away_since = 0.0
        self._away = 0  # ephemeral stanzas that were queued since then
        self._logged: list[Entry] = []  # recovered entries that have a number
        self._reloading: Deferred[BrokerError | None] | None = None
        # Points in time by the clock that nobody sets, in seconds; 0.0 where there is none.
        self._acked_at = 0.0  # the last acknowledgement
        self._outstanding_at = 0.0  # since then stanzas are unacknowledged and none of them was acknowledged

    @property
    def in_flight(self) -> int:
        """Stanzas that were sent and are not acknowledged."""
        return len(self.unacked) if self.unacked is not None else 0

    @property
    def outstanding(self) -> Sequence[Entry]:
        """See :attr:`broker.core.dispatch.Dispatch.outstanding`; what has a number counts, sent or not."""
        numbered = [] if self.unacked is None else self.unacked.items()
        return [*numbered, *self._taken, *self._logged]

    @property
    def is_durable(self) -> bool:
        """Whether the stream survives a crash."""
        return self.stream.resumable and self.limits.durable

    def enable(self, *, resumable: bool, window: int) -> None:
        """Count stanzas from now on (XEP-0198 §3).

        Args:
            resumable: keep the session when its connection is lost.
            window: for so many seconds.
        """
        self.unacked = Unacked()
        self.handled = self._handled_stored = 0
        self.stream.resumable = resumable
        self.stream.window = window

    def restore(self, handled: int) -> None:
        """The session comes from the store; its client may resume the stream.

        Args:
            handled: stanzas of the client that were handled.
        """
        self.recovered = True
        self.handled = self._handled_stored = handled

    def write_with(self, encode: Callable[[Entry], bytes], delay: Callable[[bytes, int], bytes]) -> None:
        """Say how entries become stanzas, before a connection is attached.

        Args:
            encode: makes the stanza of an entry. Nothing is sent of one that it makes no bytes of.
            delay: marks a stanza as sent late: ``delay(stanza, milliseconds since 1970)``.
        """
        self._encoder = self._encode = encode
        self._delay = delay

    def pause(self) -> None:
        """Send no stanzas for a while."""
        self._encode = None

    def go_on(self) -> None:
        """Send stanzas again, as :meth:`write_with` says."""
        self._encode = self._encoder
        self.wake()

    def attach(self, outbound: StreamOutbound) -> None:
        """Send over this connection from now on."""
        old, self.outbound = self.outbound, outbound
        self._stop_timers()
        if old is not None and old is not outbound:
            old.close(TAKEN_OVER)
        self._replaceable.clear()
        self._away = 0
        self._become(ConnectionState.ALIVE)
        self.wake()

    async def reload(self) -> None:
        """Read what was sent before a crash, before :meth:`take_over`; a session that lives needs nothing.

        Raises:
            BrokerError: ``resource.db.unavailable`` where it cannot be read now. The next one tries again.
        """
        if not self.recovered:
            return
        if self._reloading is None:
            self._reloading = ensureDeferred(self._reload())
        reloading = self._reloading
        reloaded: Deferred[BrokerError | None] = Deferred()
        reloading.addCallback(_tell, reloaded)
        error = await reloaded
        if error is not None:
            if self._reloading is reloading:
                self._reloading = None
            raise error

    def take_over(self, h: int) -> None:
        """The client goes on with the stream on a new connection: settle what it has counted, let go of the old one.

        Nothing is sent until :meth:`continue_on`.

        Args:
            h: stanzas that the client has handled.

        Raises:
            broker.xmpp.wire.sm.TooHigh: it cannot have handled so many; nothing changed.
            broker.xmpp.wire.sm.TooLow: it had handled more before; nothing changed.
        """
        if self.recovered:
            self._adopt(h)
        else:
            assert self.unacked is not None
            self._acknowledged(self.unacked.acknowledge(h, strict=True))
        old, self.outbound = self.outbound, None
        self._outbox.clear()
        self._stop_timers()
        if old is not None:
            old.close(TAKEN_OVER)

    def continue_on(self, outbound: StreamOutbound) -> None:
        """Send over this connection from now on, first again what was not acknowledged (XEP-0198 §5)."""
        unacked = self.unacked
        assert unacked is not None
        self.outbound = outbound
        position = self._node.store.position if self.is_durable else 0
        self._counters.traffic.redelivered += len(unacked)
        unacked.rewind()
        self._numbered = deque([(position, self._late_stanza(entry)) for entry in unacked.items()])
        self._late = self._node.next_entry()
        self.attach(outbound)

    def acknowledge(self, h: int) -> None:
        """The client has counted stanzas (``<a h='…'/>``).

        Raises:
            broker.xmpp.wire.sm.TooHigh: more than were sent.
        """
        if self.unacked is not None:
            self._acknowledged(self.unacked.acknowledge(h))
            if self.queue.entries:
                self.wake()

    def _acknowledged(self, entries: Sequence[Entry]) -> None:
        self._acked_at = self._node.monotonic()
        if entries:
            self._outstanding_at = self._acked_at
            self._counters.acknowledged(len(entries), entries[-1].message.id)
            if self._node.trace is not None:
                self._trace(Point.ACKNOWLEDGED, entries)
        self.queue.delivered(entries)

    def count_handled(self) -> None:
        """A stanza of the client was handled; everything durable that it caused has been appended."""
        self.handled = (self.handled + 1) % MODULUS
        if not self._counted and self.is_durable:
            self._counted = True
            self._node.counted.append(self)

    def save_handled(self) -> None:
        """Have the number of handled stanzas in the store, in the transaction of what they caused (I1)."""
        self._counted = False
        if self.is_durable and self.handled != self._handled_stored and self.state is not ConnectionState.DEAD:
            self._handled_stored = self.handled
            self._node.store.put_handled(self.queue.id, self.handled)

    @property
    def has_enough(self) -> bool:
        """Whether so much is to be written at the end of this turn that its client should get no more answers in it."""
        return self._direct_size > MAX_DIRECT

    passes_queue = True

    def put(self, message: Message, flags: int, durable: bool, fanout: Fanout | None = None) -> None:
        """Send a stanza at the end of this turn, behind everything that was put before, or queue it.

        Where nothing waits it passes the queue by, which takes it if the connection is lost before; with stream
        management it gets its number at once.

        Args:
            message: whose content is the stanza.
            flags: of its entry.
            durable: keep it over a crash.
            fanout: set where other sessions of the subject get copies.
        """
        unacked = self.unacked
        outbound = self.outbound
        if outbound is None or self._encode is None or not self._active:
            passes = False
        elif unacked is None:
            passes = outbound.writable and self._put_direct(message, flags, durable, fanout)
        else:
            passes = self._put_numbered(unacked, message, flags, durable, fanout)
        if not passes:
            if durable:
                self._keep_session()
            self.queue.put(message, PTP_SUBSCRIPTION, flags, durable, fanout)
        if not self.awake:
            self.wake()

    def put_ephemeral(self, message: Message, replaces: str, *, durable: bool) -> bool:
        """Queue a stanza that is of no use to anybody else.

        Args:
            message: the stanza.
            replaces: key of an earlier one that this makes superfluous; empty for none.
            durable: keep it over a crash if the stream is kept; then it replaces nothing.

        Returns:
            ``False`` where there are too many of them already and it was dropped.
        """
        queue = self.queue
        durable = durable and self.is_durable
        if durable or self.outbound is not None:
            if queue.is_full:
                return False
            self.put(message, EPHEMERAL, durable)
            return True
        if replaces:
            older = self._replaceable.pop(replaces, None)
            if older is not None:
                found = queue.take_matching(lambda entry: entry is older)
                queue.settle(found)
                self._away -= len(found)
        if self._away >= self.limits.ephemeral:
            return False
        self._away += 1
        entry = queue.put(message, PTP_SUBSCRIPTION, EPHEMERAL)
        if replaces:
            self._replaceable[replaces] = entry
        return True

    def write(self, data: bytes) -> None:
        """Send bytes that are no stanza, behind everything that was sent before."""
        if self.outbound is not None:
            self._outbox.write(data)

    def take_unsent(self) -> bytes:
        """What is to be sent, and is of no use to anybody else, because the session ends: answers, refusals, presence.

        What waits for its commit is among it. Messages are left for the next session, which is sure to take them.
        """
        unacked = self.unacked
        unsent = self._outbox.take()
        if unacked is None:
            unsent += b"".join([message.content for message, flags, _, _ in self._direct if flags & EPHEMERAL])
            self._direct = [direct for direct in self._direct if not direct[1] & EPHEMERAL]
            return unsent
        numbered = zip(unacked.items()[len(unacked) :], self._numbered, strict=True)
        return unsent + b"".join([stanza for entry, (_, stanza) in numbered if entry.flags & EPHEMERAL])

    def hang_up(self, outbound: StreamOutbound) -> None:
        """The connection is gone, and what came over it is still being handled: until :meth:`lost` all is queued.

        Args:
            outbound: which, no more writable; one that was replaced already changes nothing.
        """
        if outbound is self.outbound:
            self._queue_direct()

    def lost(self, outbound: StreamOutbound, error: BrokerError) -> None:
        """The connection is gone: the session waits for its client, or ends.

        Args:
            outbound: which; one that was replaced already changes nothing.
            error: why.
        """
        if outbound is not self.outbound or self.state is ConnectionState.DEAD:
            return
        self.outbound = None
        self.last_error = error
        self._outbox.clear()
        self._queue_direct()
        if self.stream.resumable:
            self.start_polling()
        else:
            self._give_up(error)

    def detach(self, reason: str) -> None:
        """Let go of the connection; the client may resume."""
        outbound = self.outbound
        if outbound is not None:
            self.lost(outbound, BrokerError(Code.COMMUNICATION_NO_CONNECTION, reason))
            outbound.close(reason)

    def start_polling(self) -> None:
        """The time in which the client may resume begins (I6: after a crash, anew)."""
        if not self.stream.resumable:
            self._give_up(BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the connection was lost"))
            return
        self._stop_timers()
        self._late = self._node.next_entry()
        self._away_since = self._node.monotonic()
        self._retry = self._node.later(max(self.stream.window, 1) * 1000, self._expired)
        self._become(ConnectionState.POLLING)

    def suspend(self) -> None:
        """The broker pauses: the connection is let go of without a word (I10), nothing is held against the client."""
        self._queue_direct()
        outbound, self.outbound = self.outbound, None
        self._stop_timers()
        self._outbox.clear()
        if self.state is not ConnectionState.DEAD:
            self._become(ConnectionState.UNDEF)
        if outbound is not None:
            outbound.close("")

    def stop(self) -> None:
        """The session ends: what was not acknowledged is queued again, in order."""
        outbound, self.outbound = self.outbound, None
        self._stop_timers()
        self._outbox.clear()
        self._replaceable.clear()
        self.state = ConnectionState.DEAD
        self._queue_direct()
        entries, self._logged = self._logged, []
        if self.unacked is not None:
            entries += self.unacked.items()
            self.unacked = None
            self._numbered.clear()
        self.queue.put_back(entries, failed=False)
        if outbound is not None:
            outbound.close("the session ended")

    def waits(self) -> Iterator[Wait]:
        """See :meth:`broker.core.dispatch.Dispatch.waits`; also what waits for the disk, and for acknowledgements."""
        gate = self._outbox
        if gate.waits_since:
            yield Wait(Hindrance.COMMIT_PENDING, self._when(gate.waits_since), {"bytes": gate.size})
        yield from super().waits()

    def _wait_for_connection(self) -> Wait:
        if self.state is not ConnectionState.POLLING:
            return super()._wait_for_connection()
        params: dict[str, str | int | float] = dict(self._last_error())
        params["resumableSeconds"] = round(max(0.0, self.stream.window - self._node.monotonic() + self._away_since), 3)
        return Wait(Hindrance.DETACHED_STREAM, self.since, params)

    def _waits_for_answer(self) -> Iterator[Wait]:
        unacked = self.unacked
        if not unacked:
            return
        window = self.limits.window
        params: dict[str, str | int | float] = {"unacked": len(unacked), "window": window}
        if self._acked_at:
            params["lastAckSeconds"] = round(self._node.monotonic() - self._acked_at, 3)
        if len(unacked) >= window:
            yield Wait(Hindrance.WINDOW_FULL, self._when(self._sent_at), params)
        elif self.queue.entries == unacked.numbered and not self._numbered:  # nothing but what was sent
            yield Wait(Hindrance.UNANSWERED, self._when(self._outstanding_at), params)

    def _pump(self) -> None:
        if self._direct:
            self._write_direct()
        outbound = self.outbound
        if outbound is None or self._encode is None or not self.queue.entries or not self._active:
            return
        if self.unacked is not None:
            self._pump_numbered(outbound, self.unacked)
            return
        while outbound.writable:
            entries = self._take(SENT_AT_ONCE)
            if not entries:
                break
            self._blocked_at = 0.0
            self._outbox.write(b"".join(self._stanzas(entries)))
            self._taken = []
            self.queue.delivered(entries)
            self._counters.sent_oneway(len(entries), entries[-1].message.id)
            if self._node.trace is not None:
                self._trace(Point.SENT, entries)
        else:
            self._note_blocked()

    def _pump_numbered(self, outbound: StreamOutbound, unacked: Unacked[Entry]) -> None:
        """Give numbers, and send what the window is open for."""
        numbered = self._numbered
        if outbound.writable:
            self._blocked_at = 0.0
        else:
            self._note_blocked()
        count = size = 0
        while outbound.writable and not self._outbox.is_full:
            while len(numbered) < SENT_AT_ONCE and self._number_more(unacked):
                pass
            room = min(self.limits.window - len(unacked), SENT_AT_ONCE, len(numbered))
            if room <= 0:
                break
            position = numbered[room - 1][0]
            data = b"".join([numbered.popleft()[1] for _ in range(room)])
            unacked.advance(room)
            count += room
            size += len(data)
            self._outbox.write(data, position)
        while len(numbered) < NUMBERED_AHEAD and self._number_more(unacked):
            pass
        if count:
            self._sent_at = self._node.monotonic()
            if len(unacked) == count:
                self._outstanding_at = self._sent_at
            self._counters.traffic.delivered += count
            self._ask(outbound, count, size, full=len(unacked) >= self.limits.window)

    def _number_more(self, unacked: Unacked[Entry]) -> bool:
        """Give the next entries of the queue their numbers; tells whether there were any."""
        if self.queue.entries == unacked.numbered:
            return False
        entries = self._take(SENT_AT_ONCE)
        durable = self.is_durable
        ready: list[bytes] = []
        for entry, stanza in zip(entries, self._stanzas(entries), strict=True):
            if not stanza:
                self.queue.delivered([entry])
                continue
            ready.append(stanza)
            number = unacked.number(entry)
            if durable and entry.stored and not entry.flags & TRANSIENT:
                self._log_number(entry, number)
        self._taken = []
        position = self._node.store.position if durable else 0
        self._numbered.extend([(position, stanza) for stanza in ready])
        return bool(entries)

    def _take(self, most: int) -> list[Entry]:
        """The next entries of the queue that are not stale; none where there are no more in memory."""
        while entries := self.queue.take(most, -1):
            self._taken = entries
            self._taken = entries = self._without_stale(entries)
            if entries:
                return entries
        return []

    def _stanzas(self, entries: list[Entry]) -> list[bytes]:
        encode = self._encode
        assert encode is not None
        late = self._late
        return [
            encode(entry) if entry.seq > late and not entry.flags & DELAYED else self._late_stanza(entry)
            for entry in entries
        ]

    def _put_direct(self, message: Message, flags: int, durable: bool, fanout: Fanout | None) -> bool:
        if self.queue.entries:
            return False
        self._direct.append((message, flags, durable, fanout))
        self._direct_size += len(message.content)
        return True

    def _put_numbered(
        self, unacked: Unacked[Entry], message: Message, flags: int, durable: bool, fanout: Fanout | None
    ) -> bool:
        queue = self.queue
        ahead = self._numbered
        if queue.entries != unacked.numbered or len(ahead) >= NUMBERED_AHEAD:
            return False
        number = position = 0
        is_durable = self.is_durable
        if durable:
            self._keep_session()
            if is_durable:
                number = unacked.next_number or MODULUS
        entry = queue.put_taken(message, PTP_SUBSCRIPTION, flags, durable, fanout, number)
        if entry is None:
            return False
        unacked.number(entry)
        if is_durable:
            position = self._node.store.position
        ahead.append((position, message.content))
        return True

    def _write_direct(self) -> None:
        direct, self._direct, self._direct_size = self._direct, [], 0
        self._outbox.write(b"".join([message.content for message, _, _, _ in direct]))
        self._counters.sent_oneway(len(direct), direct[-1][0].id)
        for _, _, _, fanout in direct:
            if fanout is not None:
                fanout.deliver(self._node.store, self.queue.id)

    def _queue_direct(self) -> None:
        direct, self._direct, self._direct_size = self._direct, [], 0
        for message, flags, durable, fanout in direct:
            if durable:
                self._keep_session()
            self.queue.put(message, PTP_SUBSCRIPTION, flags, durable, fanout)

    def _log_number(self, entry: Entry, number: int) -> None:
        entry.number = number or MODULUS
        self._node.store.set_number(self.queue.id, entry.rank, entry.seq, entry.number)

    def _late_stanza(self, entry: Entry) -> bytes:
        assert self._encode is not None
        stanza = self._encode(entry)
        return self._delay(stanza, entry.message.id // 1_000_000) if stanza else stanza

    def _ask(self, outbound: StreamOutbound, count: int, size: int, *, full: bool) -> None:
        behind = outbound.after_sending(count, size, full=full)
        if behind:
            self._outbox.write(behind)

    async def _reload(self) -> BrokerError | None:
        try:
            entries = await self.queue.take_numbered()
        except BrokerError as error:
            return error
        if self.state is ConnectionState.DEAD:
            self.queue.put_back(entries, failed=False)
        else:
            self._logged = entries
        return None

    def _adopt(self, h: int) -> None:
        """Go on after a crash: entries that the client has counted are settled, the others are numbered anew."""
        logged = sorted(self._logged, key=lambda entry: (entry.number - h + _HALF) % MODULUS)
        unacked: Unacked[Entry] = Unacked()
        unacked.adopt(h, logged[-1].number % MODULUS if logged else None, self.limits.window + self.limits.ephemeral)
        self.recovered = False
        self._logged = []
        self.unacked = unacked
        counted = [entry for entry in logged if (h - entry.number) % MODULUS < _HALF]
        self.queue.delivered(counted)
        for entry in logged[len(counted) :]:
            self._log_number(entry, unacked.number(entry))

    def _send(self, data: bytes) -> None:
        if self.outbound is not None:
            self.outbound.write(data)

    def _expired(self) -> None:
        rest = self.stream.window - (self._node.monotonic() - self._away_since)
        if rest > 1:  # somebody has set the machine's clock, which timers follow
            self._retry = self._node.later(int(rest * 1000), self._expired)
            return
        self._retry = None
        self.expired = True
        self._give_up(BrokerError(Code.COMMUNICATION_DEAD, "the stream was not resumed in time"))


def _tell(outcome: BrokerError | None, waiter: Deferred[BrokerError | None]) -> BrokerError | None:
    """Each of those who wait for an outcome gets it."""
    waiter.callback(outcome)
    return outcome
