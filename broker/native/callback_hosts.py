"""Which callback servers the broker dials, and how often (spec xmlblaster §4.1)."""

from __future__ import annotations

from collections.abc import Callable, Collection

from broker.errors import BrokerError, Code
from broker.model.host import address_of

CLIENT = "client"
"""Name of the address that a client has connected from."""
ANY = "*"
BURST = 10
"""Dials for a login name that need not wait."""
INTERVAL = 6.0
"""Seconds between two of them after that: ten in a minute."""
SESSION_INTERVAL = 1.0
"""Seconds between two dials for one session at least."""
_MAX_REMEMBERED = 10_000


class CallbackHosts:
    """Decides what may be dialled, which at first is nothing: clients would reach what only the broker can.

    Args:
        names: hosts, or ``host:port``; ``client`` is the client's own address, ``*`` any address that is given by its
            number. Neither of these two is the broker's own machine: its loopback addresses must be named.
        own_ports: tells the ports that the broker listens on; they are dialled only where ``host:port`` is named.
    """

    def __init__(self, names: Collection[str], own_ports: Callable[[], Collection[int]] = lambda: ()) -> None:
        self._names = frozenset(names)
        self._own_ports = own_ports

    def check(self, host: str, port: int, peer: str) -> None:
        """Refuse an address that must not be dialled.

        Args:
            host: name or address.
            port: of the server.
            peer: address of the client; empty where it is not known any more.

        Raises:
            BrokerError: ``resource.configuration.address``.
        """
        names = self._names
        if f"{host}:{port}" in names or f"[{host}]:{port}" in names:
            return
        if port not in self._own_ports():
            if host in names:
                return
            if _is_elsewhere(host) and (ANY in names or (CLIENT in names and host == (peer or host))):
                return
        raise BrokerError(
            Code.RESOURCE_CONFIGURATION_ADDRESS,
            f"the callback server '{host[:256]}:{port}' may not be dialled: it is not among the callbackHosts",
        )


class DialPace:
    """Spreads dials, so that nobody makes the broker knock at a door as fast as it can; knows no clock."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._last: dict[int, float] = {}

    def delay(self, login: str, session: int, now: float) -> float:
        """Seconds to wait before the next dial, which is counted.

        Args:
            login: whose session it is.
            session: its id.
            now: seconds, of a clock that nobody sets.
        """
        self._forget(now)
        due = max(self._due.get(login, now), now) + INTERVAL
        self._due[login] = due
        at = max(now, due - BURST * INTERVAL, self._last.get(session, now - SESSION_INTERVAL) + SESSION_INTERVAL)
        self._last[session] = at
        return at - now

    def _forget(self, now: float) -> None:
        if len(self._due) + len(self._last) > _MAX_REMEMBERED:
            self._due = {login: due for login, due in self._due.items() if due > now}
            self._last = {session: at for session, at in self._last.items() if at + SESSION_INTERVAL > now}


def _is_elsewhere(host: str) -> bool:
    """Whether a host is an address, by its number, of another machine; a name may become any address later."""
    address = address_of(host)
    return address is not None and not (
        address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local
    )
