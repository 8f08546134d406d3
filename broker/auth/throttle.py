"""A limit on guessing passwords (spec xmlblaster §22.3: the first broker had none)."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from broker.model.host import is_loopback, network_of

_TOLERANCE = 1e-9
SPREAD = 10
"""How many times as many failures an address may have over accounts that have no failures otherwise."""


class Bucket:
    """Attempts of one kind: those that failed leak out in time, those that are open wait for their outcome.

    Args:
        size: attempts that it holds.
        window: seconds in which that many failures are forgotten.

    Attributes:
        open: attempts without an outcome.
        waiting: called, the first one first, when an attempt has its outcome.
    """

    __slots__ = ("_level", "_rate", "_since", "_size", "open", "waiting")

    def __init__(self, size: int, window: float) -> None:
        self._size = size
        self._rate = size / window
        self._level = 0.0
        self._since = 0.0
        self.open = 0
        self.waiting: deque[Callable[[], None]] = deque()

    def failures(self, now: float) -> float:
        """Failures that are not forgotten."""
        # A clock that was set back must not make the bucket fuller.
        return max(0.0, self._level - max(0.0, now - self._since) * self._rate)

    def has_room(self, now: float) -> bool:
        """Whether one more attempt may begin."""
        return self.failures(now) + self.open + 1 <= self._size + _TOLERANCE

    def delay(self, now: float) -> float:
        """Seconds until one may begin, where failures are in its way; 0 where only open attempts are."""
        excess = self.failures(now) + 1 - self._size
        return 0.0 if excess <= _TOLERANCE else excess / self._rate

    def release(self, now: float, *, failed: bool) -> None:
        """An attempt has its outcome."""
        self.open -= 1
        if failed:
            self._level = min(self.failures(now) + 1, self._size)
            self._since = now
        self.wake()

    def wake(self) -> None:
        """Let the next one try that waits for room."""
        if self.waiting:
            self.waiting.popleft()()

    def is_idle(self, now: float) -> bool:
        """Whether nothing is to be remembered."""
        return not self.open and not self.waiting and not self.failures(now)


class _Buckets:
    """Buckets by name; of those that nobody uses, the one that has not been used for longest is forgotten."""

    def __init__(self, size: int, window: float, limit: int) -> None:
        self._size = size
        self._window = window
        self._limit = limit
        self._table: OrderedDict[object, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def find(self, key: object) -> Bucket:
        """The bucket of a name; a new one is not remembered yet."""
        return self._table.get(key) or Bucket(self._size, self._window)

    def keep(self, key: object, bucket: Bucket) -> None:
        """Remember a bucket."""
        self._table[key] = bucket
        self._table.move_to_end(key)
        for _ in range(len(self._table) - self._limit):
            oldest, its = next(iter(self._table.items()))
            if its.open:
                self._table.move_to_end(oldest)
            else:
                del self._table[oldest]

    def drop_if_idle(self, key: object, now: float) -> None:
        """Forget a bucket that has nothing to remember."""
        bucket = self._table.get(key)
        if bucket is not None and bucket.is_idle(now):
            del self._table[key]


_Place = tuple[_Buckets, object, Bucket]
"""A bucket of a table, with its name there."""


class Attempt:
    """A login that was let through, and waits for its outcome: it counts as a failure until then."""

    __slots__ = ("_buckets", "_pair", "_throttle", "over")

    def __init__(self, throttle: LoginThrottle, pair: tuple[str, str], buckets: list[_Place]):
        self._throttle = throttle
        self._pair = pair
        self._buckets = buckets
        self.over = False

    def uses(self, bucket: Bucket) -> bool:
        """Whether it has taken a place in a bucket."""
        return any(each is bucket for _, _, each in self._buckets)

    def succeeded(self, now: float) -> None:
        """User and password were right: it does not count, and this account is known at its address from now on."""
        if not self.over:
            self._throttle.remember(self._pair)
            self._end(now, failed=False)

    def failed(self, now: float) -> None:
        """They were wrong, or the client gave up."""
        self._end(now, failed=True)

    def dismiss(self, now: float) -> None:
        """Nobody could tell: it does not count."""
        self._end(now, failed=False)

    def _end(self, now: float, *, failed: bool) -> None:
        if self.over:
            return
        self.over = True
        for table, key, bucket in self._buckets:
            bucket.release(now, failed=failed)
            table.drop_if_idle(key, now)


class Refused(NamedTuple):
    """A login that is not let through.

    Args:
        delay: seconds to wait before it is refused; 0 where it has to wait for others that have no outcome yet.
        bucket: that has no room.
    """

    delay: float
    bucket: Bucket


class LoginThrottle:
    """Logins of each account and of each peer address, as buckets that leak; knows no clock.

    An attempt takes its place in the buckets when it begins, and gives it back when it succeeds: of many that begin at
    once no more can fail than of those that begin one after the other.

    Whoever guesses at one account must not lock its owner out, nor everybody who shares the address. So an account that
    has logged in from an address has a bucket of its own there, and counts in no other; and an address that has failed
    too often may still log in to accounts that have not, within a wider bucket.

    Args:
        failures: failed logins that an account, or an address, has free; then one attempt each ``window / failures``
            seconds.
        window: seconds in which that many failures are forgotten.
        max_delay: seconds that a refused attempt waits for its answer at most.
        entries: of each kind that are remembered; the one that was not used for longest is forgotten.
        loopback: ``False`` spares clients on the same machine.
    """

    def __init__(
        self,
        *,
        failures: int = 10,
        window: float = 60.0,
        max_delay: float = 5.0,
        entries: int = 10_000,
        loopback: bool = True,
    ) -> None:
        self._max_delay = max_delay
        self._loopback = loopback
        self._accounts = _Buckets(failures, window, entries)
        self._addresses = _Buckets(failures, window, entries)
        self._spread = _Buckets(failures * SPREAD, window, entries)
        self._pairs = _Buckets(failures, window, entries)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._entries = entries

    def __len__(self) -> int:
        return sum(map(len, (self._accounts, self._addresses, self._spread, self._pairs)))

    def begin(self, user: str, host: str, now: float) -> Attempt | Refused:
        """How a login is to be met.

        Args:
            user: name of the account that the client gives.
            host: peer address.
            now: seconds, of a clock that the outcome is told by, too.
        """
        network = network_of(host)
        pair = network, user
        if not self._loopback and is_loopback(host):
            return Attempt(self, pair, [])
        if pair in self._known:
            own = self._pairs.find(pair)
            taken: list[_Place] = [(self._pairs, pair, own)]
            needed = [own]
        else:
            account, address = self._accounts.find(user), self._addresses.find(network)
            spread = self._spread.find(network)
            taken = [(self._accounts, user, account), (self._addresses, network, address)]
            taken.append((self._spread, network, spread))
            needed = [account, spread] if not account.failures(now) else [account, spread, address]
        for bucket in needed:
            if not bucket.has_room(now):
                return Refused(min(bucket.delay(now), self._max_delay), bucket)
        for table, key, bucket in taken:
            bucket.open += 1
            table.keep(key, bucket)
        return Attempt(self, pair, taken)

    def remember(self, pair: tuple[str, str]) -> None:
        """An account has logged in from an address."""
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > self._entries:
            self._known.popitem(last=False)
