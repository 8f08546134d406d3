"""The blocking face of the client, for programs that do not run Twisted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from broker.client.options import (
    DEFAULT_PUBLISH,
    DEFAULT_SUBSCRIBE,
    ConnectOptions,
    PublishOptions,
    SubscribeOptions,
)
from broker.client.session import Client, State
from broker.client.values import Published, Subscribed, Update
from broker.model.connect import ConnectQos

T = TypeVar("T")

_starting = threading.Lock()


def running_reactor() -> Any:
    """The reactor, running: where the program runs it, or else in a thread of its own that ends with the program."""
    from twisted.internet import reactor

    running: Any = reactor
    with _starting:
        if not running.running:
            started = threading.Event()
            running.callWhenRunning(started.set)
            threading.Thread(
                target=lambda: running.run(installSignalHandlers=False), name="broker client", daemon=True
            ).start()
            started.wait()
    return running


class BlockingClient:
    """A session at a broker; every method waits for its outcome. Must not be used in the reactor's own thread.

    Updates are taken from :meth:`updates`. One is acknowledged when the next is asked for, so that what the program was
    working on when it died is delivered again.

    Args:
        host: of the broker.
        port: of the broker.
        options: who connects.
        settings: as for :class:`broker.client.Client`.
    """

    def __init__(self, host: str, port: int, options: ConnectOptions, **settings: Any) -> None:
        self._reactor = running_reactor()
        self._updates: queue.SimpleQueue[tuple[Update, Deferred[None]]] = queue.SimpleQueue()
        self._taken: Deferred[None] | None = None
        self._client = Client(self._reactor, host, port, options, on_update=self._arrived, **settings)

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._client.options.session:
            self.leave()
        else:
            self.disconnect()

    @property
    def state(self) -> State:
        """Of the connection."""
        return self._client.state

    @property
    def name(self) -> str:
        """Absolute name of the session."""
        return self._client.name

    @property
    def secret_id(self) -> str:
        """Secret id of the session; it can be taken up with it."""
        answer = self._client.answer
        return answer.session.secret_id if answer is not None else ""

    @property
    def reconnected(self) -> bool:
        """Whether the last login found the session that was there before."""
        return self._client.reconnected

    def connect(self, *, wait: bool = False) -> ConnectQos:
        """See :meth:`broker.client.Client.connect`; so for the other methods."""
        return self._run(self._client.connect(wait=wait))

    def subscribe(
        self, oid: str = "", *, xpath: str = "", domain: str = "", options: SubscribeOptions = DEFAULT_SUBSCRIBE
    ) -> Subscribed:
        """Subscribe."""
        return self._run(self._client.subscribe(oid, xpath=xpath, domain=domain, options=options))

    def unsubscribe(self, oid: str = "", *, xpath: str = "", domain: str = "", subscription_id: str = "") -> int:
        """End subscriptions."""
        ended = self._client.unsubscribe(oid, xpath=xpath, domain=domain, subscription_id=subscription_id)
        return self._run(ended)

    def publish(self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH) -> Published:
        """Publish a message."""
        return self._run(self._client.publish(oid, content, options))

    def publish_many(
        self, messages: Iterable[tuple[str, bytes | str]], options: PublishOptions = DEFAULT_PUBLISH
    ) -> list[Published]:
        """Publish messages in one request."""
        return self._run(self._client.publish_many(messages, options))

    def publish_oneway(self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH) -> None:
        """Publish a message without an answer; it is lost where there is no connection."""
        self._reactor.callFromThread(self._client.publish_oneway, oid, content, options)

    def get(
        self, oid: str = "", *, xpath: str = "", domain: str = "", options: SubscribeOptions = DEFAULT_SUBSCRIBE
    ) -> list[Update]:
        """Read the newest messages of topics."""
        return self._run(self._client.get(oid, xpath=xpath, domain=domain, options=options))

    def erase(self, oid: str = "", *, xpath: str = "", domain: str = "", force: bool = False) -> list[str]:
        """Erase topics."""
        return self._run(self._client.erase(oid, xpath=xpath, domain=domain, force=force))

    def ping(self) -> str:
        """Ask the broker how it is."""
        return self._run(self._client.ping())

    def updates(self, timeout: float | None = None) -> Iterator[Update]:
        """Updates as they arrive.

        Args:
            timeout: seconds to wait for the next one, then the iterator ends; ``None`` for ever.
        """
        while True:
            self.acknowledge()
            try:
                update, taken = self._updates.get(timeout=timeout)
            except queue.Empty:
                return
            self._taken = taken
            yield update

    def acknowledge(self) -> None:
        """Acknowledge the update that was taken last, before the next one is asked for."""
        taken, self._taken = self._taken, None
        if taken is not None:
            self._reactor.callFromThread(taken.callback, None)

    def disconnect(self) -> None:
        """End the session at the broker."""
        self.acknowledge()
        self._run(self._client.disconnect())

    def leave(self) -> None:
        """End the connection only; the update that was taken last is delivered again unless it was acknowledged."""
        self._run(self._client.leave())

    def _arrived(self, update: Update) -> Deferred[None]:
        taken: Deferred[None] = Deferred()
        self._updates.put((update, taken))
        return taken

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        run: Any = blockingCallFromThread
        result: T = run(self._reactor, Deferred.fromCoroutine, coroutine)
        return result
