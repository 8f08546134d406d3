"""Fair turns: whoever has much to do gives way to others after a few milliseconds (design D17).

Turns are shared out between accounts, and then between the connections of each: who opens many connections has no more
of the processor than who has one. Of those that wait, the one goes first that will have used least of it when its
turn is over. An address has no more than :data:`SPREAD` accounts have, however many of them log in from it.
"""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from broker.model.host import is_loopback, network_of
from broker.net.read_pauses import Held

log = Logger()

SLICE = 0.005
"""Seconds of one turn. Work is not interrupted, so a turn is as long as its last piece of work makes it."""
ALONE = 0.01
"""Seconds of a turn of one that had the last turn, too: then nobody waits, and what is done at once costs less."""
LONG = 0.01
"""Seconds of a turn that was much too long: its last piece of work could not be interrupted."""
LONGEST_REST = 0.05
AHEAD = 0.05
"""Seconds that one who has little to do may use before those who have much to do have their turns: as much as one piece
of their work may take that cannot be interrupted, so that it does not wait for one of each of them."""
BEHIND = 0.01
"""Seconds that one who had more than others is behind them at most: it would else wait for many of them one day, for
what it has been given while nobody waited."""
IDLE = 1.0
"""Seconds after which one who had nothing to do begins where the others are."""
SPREAD = 10
"""How many accounts' share of the processor the accounts of one address have together, and a link of a manager."""


class GivesWay(Held, Protocol):
    """What gives way to others, as :class:`broker.net.transport.Connection` does."""

    @property
    def turn_is_over(self) -> bool:
        """Whether it has worked for so long that others should have their turn."""

    def ask_for_turn(self) -> None:
        """There is work left: see to it that ``turn()`` of its stream is called when others have had theirs."""


class Network:
    """What the accounts have of the processor together that log in from one address, or network of IPv6.

    Attributes:
        used: seconds of it, divided by :data:`SPREAD`; see :attr:`Share.used`.
    """

    __slots__ = ("__weakref__", "used")

    def __init__(self) -> None:
        self.used = 0.0


class Share:
    """What the connections of one account have of the processor together.

    Args:
        carries: it is no account's: what works in its turns are accounts that have turns of their own in them, so it
            never rests, and pays as little as :data:`SPREAD` accounts do together.

    Attributes:
        carries: as above.
        network: that the account has logged in from last; ``None`` for this machine, as a proxy may stand for many.
        used: seconds of the processor, as those count that have had no more than others: whoever had nothing to do
            meanwhile is where others are, and whoever had little to do is :data:`AHEAD` of them at most.
        started: when its last turn began, as :attr:`Turns.seconds` measures.
        alone: it had the turn before, too.
        spent: seconds of its turns since others had theirs.
        rests: it has spent enough, and others have not had theirs.
        ended: when its last turn was over.
        expected: seconds that its next turn will take, as its last ones did; one turn where it had none, and
            :data:`AHEAD` at most.
        rested: when it has rested for as long as it kept others waiting; past for one that does not rest.
        waiting: work of its connections, in the order in which they asked.
    """

    __slots__ = (
        "__weakref__",
        "alone",
        "carries",
        "ended",
        "expected",
        "network",
        "rested",
        "rests",
        "spent",
        "started",
        "used",
        "waiting",
    )

    def __init__(self, *, carries: bool = False) -> None:
        self.carries = carries
        self.network: Network | None = None
        self.used = 0.0
        self.expected = SLICE
        self.ended = 0.0
        self.started = 0.0
        self.alone = False
        self.rested = 0.0
        self.spent = 0.0
        self.rests = False
        self.waiting: OrderedDict[Callable[[], None], None] = OrderedDict()

    @property
    def must_wait(self) -> bool:
        """Whether nothing is begun at once, but behind what waits and what others have to do."""
        return self.rests or bool(self.waiting)

    @property
    def rank(self) -> float:
        """What it has used, or its network has."""
        network = self.network
        return self.used if network is None or network.used < self.used else network.used

    @property
    def order(self) -> float:
        """By which those that wait have their turns, the least first: what will have been used after the turn."""
        return self.rank + self.expected

    def pay(self, seconds: float, least: float, most: float) -> float:
        """Count work; returns :attr:`rank`.

        Args:
            seconds: that it took.
            least: nothing is saved up below it.
            most: nothing is owed above it.
        """
        used = self.used if self.used > least else least
        self.used = used = min(used + (seconds / SPREAD if self.carries else seconds), most)
        half = self.expected / 2
        self.expected = min(seconds, AHEAD) if seconds > half else half
        network = self.network
        if network is None:
            return used
        network.used = min((network.used if network.used > least else least) + seconds / SPREAD, most)
        return used if used > network.used else network.used


class Turns:
    """Gives the shares that have work left one turn after the other, and sockets and timers theirs in between.

    Args:
        clock: schedules the rounds.
        seconds: measures turns.
        length: seconds of a turn.
        alone: seconds of a turn of one that had the last turn, too.

    Attributes:
        seconds: as above.
        count: pieces of work that wait for a turn.
    """

    def __init__(
        self,
        clock: IReactorTime,
        seconds: Callable[[], float] = time.perf_counter,
        length: float = SLICE,
        alone: float = ALONE,
    ) -> None:
        self._clock = clock
        self.seconds = seconds
        self.count = 0
        self._length = length
        self._alone = alone
        self._last: Share | None = None
        self._accounts: WeakValueDictionary[str, Share] = WeakValueDictionary()
        self._networks: WeakValueDictionary[str, Network] = WeakValueDictionary()
        self._waiting: list[tuple[float, int, Share]] = []  # a heap, by order and then by time
        self._asked = 0
        self._front = 0.0  # rank of the share that had a turn last, among those that wait where any do
        self._resting: list[Share] = []
        self._next: IDelayedCall | None = None

    def share_of(self, account: str) -> Share:
        """The share of an account; the same one as long as anybody has it."""
        share = self._accounts.get(account)
        if share is None:
            share = self._accounts[account] = Share()
        return share

    def network_of(self, host: str) -> Network | None:
        """What the accounts that log in from an address have together; the same one as long as anybody has it.

        Args:
            host: the address; of this machine, or empty, for ``None``: a proxy may stand for many.
        """
        if not host or is_loopback(host):
            return None
        name = network_of(host)
        network = self._networks.get(name)
        if network is None:
            network = self._networks[name] = Network()
        return network

    def begin(self, share: Share) -> float:
        """A turn begins; returns when it is over, by :attr:`seconds`."""
        now = share.started = self.seconds()
        waiting = self._waiting
        if share is self._last and (not waiting or (len(waiting) == 1 and waiting[0][2] is share)):
            share.alone = True
            return now + self._alone
        share.alone = False
        if not share.carries:
            self._last = share
        return now + self._length

    def end(self, share: Share) -> None:
        """The turn has ended; where the share has spent enough, it rests until others have had their turns.

        What others have to do takes them several turns with pauses in between, for their answers and for the disk. So
        a share whose work cannot be interrupted soon enough rests for as long as it kept others waiting.
        """
        now = self.seconds()
        took = now - share.started
        front = self._front
        least = front - AHEAD if share.started - share.ended < IDLE else front
        rank = share.pay(took, least, front + BEHIND)
        if rank > front and not self._waiting:  # nobody is behind it who could catch up
            self._front = rank
        share.ended = now
        share.spent += took
        if share.spent >= self._length and not share.rests and not share.carries:
            share.rests = True
            share.rested = now + min(took - self._length, LONGEST_REST) if took > LONG and not share.alone else now
            self._resting.append(share)
            self._schedule(share.rested)

    def add(self, share: Share, work: Callable[[], None]) -> None:
        """Have something called in a turn of a share, behind what waits for one; once, however often it is added."""
        if not share.waiting:
            idle = self.seconds() - share.ended >= IDLE
            share.used = max(share.used, self._front if idle else self._front - AHEAD)
            self._wait(share)
            self._schedule(share.rested)
        if work not in share.waiting:
            share.waiting[work] = None
            self.count += 1

    def after_others(self, account: str, work: Callable[[], None]) -> None:
        """Have something called in a turn of an account, which need have no connection; see :meth:`add`."""
        share = self.share_of(account)

        def turn() -> None:
            self.begin(share)
            try:
                work()
            finally:
                self.end(share)

        self.add(share, turn)

    def _schedule(self, due: float) -> None:
        """Have a round at a time by :attr:`seconds`, or before; at once where it is past."""
        delay = max(0.0, due - self.seconds())
        if self._next is not None:
            if self._next.getTime() <= self._clock.seconds() + delay:
                return
            self._next.cancel()
        self._next = self._clock.callLater(delay, self._round)

    def _round(self) -> None:
        self._next = None
        self._wake()
        end = self.seconds() + self._length
        share: Share | None = None
        for _ in range(self.count):
            share = self._ready()
            if share is None:
                break
            self._go_on(share)
            if self.seconds() >= end:
                break
        if self._waiting and share is not None:
            self._schedule(0.0)
        elif self._waiting or self._resting:
            waiting = (share for _, _, share in self._waiting)
            self._schedule(min(each.rested for each in (*waiting, *self._resting)))

    def _wake(self) -> None:
        """Others have had their turns; those that have rested long enough may go on."""
        now = self.seconds()
        resting, self._resting = self._resting, []
        for share in resting:
            if share.rested > now:
                self._resting.append(share)
            else:
                share.rests = False
                share.spent = 0.0

    def _ready(self) -> Share | None:
        """Whose turn it is; ``None`` where all that have work left rest."""
        now = self.seconds()
        found: Share | None = None
        resting: list[Share] = []
        while self._waiting and found is None:
            order, _, share = heapq.heappop(self._waiting)
            if share.order > order:  # it has worked meanwhile, or others of its network have
                self._wait(share)
            elif share.rested > now:
                resting.append(share)
            else:
                self._front = max(self._front, share.rank)
                found = share
        for each in resting:
            self._wait(each)
        return found

    def _wait(self, share: Share) -> None:
        self._asked += 1
        heapq.heappush(self._waiting, (share.order, self._asked, share))

    def _go_on(self, share: Share) -> None:
        """A share has a turn, with what waits longest in it."""
        work, _ = share.waiting.popitem(last=False)
        self.count -= 1
        if share.waiting:
            self._wait(share)
        try:
            work()
        except Exception:  # noqa: BLE001 - it is logged, and the others have their turns all the same
            log.failure("a connection's turn failed")
