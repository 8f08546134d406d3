"""The blocking face of the client, for programs that do not run Twisted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
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
from broker.client.unacknowledged import Unacknowledged
from broker.client.values import Published, Subscribed, Update
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos

T = TypeVar("T")

QUICK_END = 1.0
"""Seconds that the broker has for the last answers where a ``with`` block ends by an exception."""

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

    What outcomes say, and what is never acknowledged, is as with :class:`broker.client.Client`: a method waits for the
    broker's answer, also across connections; while there is none, what may wait is answered ``QUEUED`` unless ``wait``
    is given. :meth:`flush`, :meth:`leave`, :meth:`disconnect` and the end of a ``with`` block raise an
    :class:`~broker.client.UnacknowledgedError` for what was answered ``QUEUED`` and not acknowledged afterwards.

    Updates are taken from :meth:`updates`. One is acknowledged when the next is asked for, so that what the program was
    working on when it died is delivered again. Those of one update (``ConnectOptions.burst``) are acknowledged
    together.

    Args:
        host: of the broker.
        port: of the broker.
        options: who connects.
        settings: as for :class:`broker.client.Client`; ``on_state`` is called in the reactor's thread.
    """

    def __init__(self, host: str, port: int, options: ConnectOptions, **settings: Any) -> None:
        self._reactor = running_reactor()
        self._on_state: Callable[[State], None] | None = settings.pop("on_state", None)
        self._updates: queue.SimpleQueue[tuple[Update, Deferred[None]] | None] = queue.SimpleQueue()
        self._taken: Deferred[None] | None = None
        self._client = Client(
            self._reactor, host, port, options, on_update=self._arrived, on_state=self._became, **settings
        )

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        end = self.leave if self._client.options.session else self.disconnect
        if error is None:
            end()
            return
        try:
            end(timeout=QUICK_END)
        except BrokerError as another:
            error.add_note(str(another))  # what made the block end is what the program has to know

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

    @property
    def unacknowledged(self) -> list[Unacknowledged]:
        """See :attr:`broker.client.Client.unacknowledged`."""

        async def read() -> list[Unacknowledged]:
            return self._client.unacknowledged

        return self._run(read())

    def subscribe(
        self,
        oid: str = "",
        *,
        xpath: str = "",
        domain: str = "",
        options: SubscribeOptions = DEFAULT_SUBSCRIBE,
        wait: bool = False,
    ) -> Subscribed:
        """Subscribe."""
        return self._run(self._client.subscribe(oid, xpath=xpath, domain=domain, options=options, wait=wait))

    def unsubscribe(
        self, oid: str = "", *, xpath: str = "", domain: str = "", subscription_id: str = "", wait: bool = False
    ) -> int:
        """End subscriptions."""
        ended = self._client.unsubscribe(oid, xpath=xpath, domain=domain, subscription_id=subscription_id, wait=wait)
        return self._run(ended)

    def publish(
        self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH, *, wait: bool = False
    ) -> Published:
        """Publish a message."""
        return self._run(self._client.publish(oid, content, options, wait=wait))

    def publish_soon(
        self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH
    ) -> Future[Published]:
        """Publish a message without waiting, so that many can be in flight.

        Returns:
            The outcome once the broker has answered, as of :meth:`publish` with ``wait``; or its exception. It can be
            cancelled until the message is handed to the client, which is at once unless the reactor is busy.
        """
        outcome: Future[Published] = Future()

        def start() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            publishing = Deferred.fromCoroutine(self._client.publish(oid, content, options, wait=True))
            publishing.addCallbacks(outcome.set_result, lambda failure: outcome.set_exception(failure.value))

        self._reactor.callFromThread(start)
        return outcome

    def publish_many(
        self,
        messages: Iterable[tuple[str, bytes | str]],
        options: PublishOptions = DEFAULT_PUBLISH,
        *,
        wait: bool = False,
    ) -> list[Published]:
        """Publish messages in one request."""
        return self._run(self._client.publish_many(messages, options, wait=wait))

    def publish_oneway(self, oid: str, content: bytes | str, options: PublishOptions = DEFAULT_PUBLISH) -> None:
        """Publish a message without an answer; it is lost where there is no connection."""
        self._reactor.callFromThread(self._client.publish_oneway, oid, content, options)

    def get(
        self,
        oid: str = "",
        *,
        xpath: str = "",
        domain: str = "",
        options: SubscribeOptions = DEFAULT_SUBSCRIBE,
        timeout: float | None = None,
    ) -> list[Update]:
        """Read the newest messages of topics."""
        return self._run(self._client.get(oid, xpath=xpath, domain=domain, options=options, timeout=timeout))

    def erase(
        self, oid: str = "", *, xpath: str = "", domain: str = "", force: bool = False, wait: bool = False
    ) -> list[str]:
        """Erase topics."""
        return self._run(self._client.erase(oid, xpath=xpath, domain=domain, force=force, wait=wait))

    def ping(self) -> str:
        """Ask the broker how it is."""
        return self._run(self._client.ping())

    def updates(self, timeout: float | None = None) -> Iterator[Update]:
        """Updates as they arrive.

        Args:
            timeout: seconds to wait for the next one, then the iterator ends; ``None`` for ever.

        Raises:
            BrokerError: why the client is ``DEAD``, so that none can come.
        """
        while True:
            self.acknowledge()
            if self._client.state is State.DEAD and self._updates.empty():
                raise self._dead()
            try:
                arrived = self._updates.get(timeout=timeout)
            except queue.Empty:
                return
            if arrived is None:
                continue
            update, self._taken = arrived
            yield update

    def _dead(self) -> BrokerError:
        return self._client.error or BrokerError(Code.USER_NOT_CONNECTED, "the client is not connected")

    def _became(self, state: State) -> None:
        if state is State.DEAD:
            self._updates.put(None)  # wakes who waits for an update
        if self._on_state is not None:
            self._on_state(state)

    def acknowledge(self) -> None:
        """Acknowledge the update that was taken last, before the next one is asked for."""
        taken, self._taken = self._taken, None
        if taken is not None:
            self._reactor.callFromThread(taken.callback, None)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until the broker has acknowledged everything."""
        self._run(self._client.flush(timeout))

    def disconnect(self, *, timeout: float | None = None) -> None:
        """End the session at the broker."""
        self.acknowledge()
        self._run(self._client.disconnect(timeout=timeout))

    def leave(self, *, timeout: float | None = None) -> None:
        """End the connection only; the update that was taken last is delivered again unless it was acknowledged."""
        self._run(self._client.leave(timeout=timeout))

    def _arrived(self, update: Update) -> Deferred[None]:
        taken: Deferred[None] = Deferred()
        self._updates.put((update, taken))
        return taken

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        run: Any = blockingCallFromThread
        result: T = run(self._reactor, Deferred.fromCoroutine, coroutine)
        return result
