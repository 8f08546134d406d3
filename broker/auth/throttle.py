"""A limit on guessing passwords (spec xmlblaster §22.3: the first broker had none)."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from broker.model.host import is_loopback, network_of

_TOLERANCE = 1e-9


class _Failures(NamedTuple):
    level: float
    since: float


class LoginThrottle:
    """Failed logins of each peer address, as a bucket that leaks; knows no clock.

    Args:
        failures: failed logins that an address has free; then one attempt each ``window / failures`` seconds.
        window: seconds in which that many failures are forgotten.
        max_delay: seconds that a refused attempt waits for its answer at most.
        addresses: that are remembered; the one that has not failed for longest is forgotten.
        loopback: ``False`` spares clients on the same machine.
    """

    def __init__(
        self,
        *,
        failures: int = 10,
        window: float = 60.0,
        max_delay: float = 5.0,
        addresses: int = 10_000,
        loopback: bool = True,
    ) -> None:
        self._failures = failures
        self._window = window
        self._max_delay = max_delay
        self._addresses = addresses
        self._loopback = loopback
        self._table: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def delay(self, host: str, now: float) -> float:
        """How a login from that address is to be met.

        Args:
            host: peer address.
            now: seconds, of a clock that the other calls use too.

        Returns:
            0 where the login may be checked, else the seconds to wait before it is refused without a check.
        """
        excess = self._level(network_of(host), now) + 1 - self._failures
        if excess <= _TOLERANCE:
            return 0.0
        return min(excess * self._window / self._failures, self._max_delay)

    def failed(self, host: str, now: float) -> None:
        """Note a login from that address that was checked and was wrong."""
        if not self._loopback and is_loopback(host):
            return
        network = network_of(host)
        level = min(self._level(network, now) + 1, self._failures)
        self._table[network] = _Failures(level, now)
        self._table.move_to_end(network)
        if len(self._table) > self._addresses:
            self._table.popitem(last=False)

    def _level(self, network: str, now: float) -> float:
        known = self._table.get(network)
        if known is None:
            return 0.0
        # A clock that was set back must not make the bucket fuller.
        leaked = max(0.0, now - known.since) * self._failures / self._window
        if leaked >= known.level:
            del self._table[network]
            return 0.0
        return known.level - leaked
