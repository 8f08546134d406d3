"""How many connections a listener lets in, and from whom."""

from __future__ import annotations

from collections import Counter

from twisted.logger import Logger

log = Logger()


class Admission:
    """Counts the connections of one listener, and those of each address that have not logged in.

    Args:
        max_connections: most connections.
        max_pending: most connections of one address that have not logged in yet.
    """

    def __init__(self, max_connections: int, max_pending: int) -> None:
        self._max_connections = max_connections
        self._max_pending = max_pending
        self._connections: dict[object, str] = {}
        self._strangers: dict[object, str] = {}
        self._pending: Counter[str] = Counter()

    def admits(self, host: str) -> bool:
        """Whether one more connection of an address may come in; the log says where it may not."""
        if len(self._connections) < self._max_connections and self._pending[host] < self._max_pending:
            return True
        log.warn("{host}: refused: too many connections", host=host)
        return False

    def opened(self, connection: object, host: str) -> None:
        """A connection is there and has not logged in yet."""
        self._connections[connection] = host
        self._strangers[connection] = host
        self._pending[host] += 1

    def logged_in(self, connection: object) -> None:
        """A connection has logged in."""
        host = self._strangers.pop(connection, None)
        if host is not None:
            self._pending[host] -= 1
            if not self._pending[host]:
                del self._pending[host]

    def closed(self, connection: object) -> None:
        """A connection is gone."""
        self.logged_in(connection)
        self._connections.pop(connection, None)

    def __len__(self) -> int:
        return len(self._connections)

    @property
    def strangers(self) -> int:
        """Connections that have not logged in."""
        return len(self._strangers)
