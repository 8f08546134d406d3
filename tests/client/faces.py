"""The client's interface, whatever is behind it: one suite runs against the double and against a real broker."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from broker.client import Client, ConnectOptions, MemoryBroker, MemoryClient, UnacknowledgedError
from broker.client.blocking import running_reactor
from broker.client.session import UpdateCallback
from tests.system.launcher import BrokerProcess, wait_until

T = TypeVar("T")


class Memory:
    """Clients of the double."""

    def __init__(self) -> None:
        self._broker = MemoryBroker()

    def client(self, options: ConnectOptions, on_update: UpdateCallback | None = None) -> MemoryClient:
        """A client that is connected."""
        made = self._broker.client(options, on_update)
        self.run(made.connect())
        return made

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end."""
        results: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        result: T = results[0]
        return result

    def settle(self, arrived: list[Any], count: int) -> None:
        """Updates are there at once."""

    def clear(self) -> None:
        """Nothing stays."""


class Real:
    """Clients of a broker that was started for them."""

    def __init__(self, directory: Path) -> None:
        self.process = BrokerProcess(directory / "data", settings={"admin.users": "joe"})
        self.process.add_accounts("joe", "jack")
        self.process.start()
        self._clients: list[Client] = []

    def client(self, options: ConnectOptions, on_update: UpdateCallback | None = None, **settings: Any) -> Client:
        """A client that is connected."""
        host, port = self.process.address()
        made = Client(running_reactor(), host, port, options, on_update=on_update, delay=0.05, **settings)
        self.run(made.connect())
        self._clients.append(made)
        return made

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end, in the reactor's thread."""
        call: Any = blockingCallFromThread
        result: T = call(running_reactor(), Deferred.fromCoroutine, coroutine)
        return result

    def settle(self, arrived: list[Any], count: int) -> None:
        """Wait for updates."""
        wait_until(lambda: len(arrived) >= count, 10)

    def clear(self) -> None:
        """End the clients, and erase all topics."""
        self.run(self.client(ConnectOptions("joe", "secret")).erase(xpath="//key"))
        self._leave()

    def close(self) -> None:
        """End the clients and the broker."""
        self._leave()
        self.process.close()

    def _leave(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            with contextlib.suppress(UnacknowledgedError):  # of tests that let something wait
                self.run(client.leave())
