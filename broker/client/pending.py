"""Every request between the program and the broker: in flight, waiting for a connection, or given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.client.request_queue import Request, RequestQueue
from broker.client.unacknowledged import Unacknowledged
from broker.errors import BrokerError, Code
from broker.native.wire.frames import Unit

log = Logger()

WINDOWS = (50_000, 64, 1)
"""Requests in flight, by how many connections ended on the next one. A broker that ends the connection upon a message
ends it for those around it, too: they are sent in smaller and smaller company, until the message is alone."""
MAX_CLOSED = 5
"""Connections that may end on one request: two in company, three alone."""
LOST = (Code.COMMUNICATION_NO_CONNECTION, Code.COMMUNICATION_RESPONSE_TIMEOUT)
"""What a connection says of requests when it ends."""
PATIENT = b"get"
"""May be answered late, when there is something to answer with; it has a deadline of its own."""


class Caller(Protocol):
    """A connection, as far as it takes requests."""

    def call(self, method: bytes, body: bytes = b"") -> Deferred[list[Unit]]:
        """Send a request; fires with its answer."""


class PendingRequests:
    """Sends requests in order, again where a connection is lost before the answer, and knows what was not answered.

    Args:
        most: requests that may wait for a connection.
        goes_on: whether there will be another connection after one that is lost.

    Attributes:
        answers: how many came; a sign that the broker works.
    """

    def __init__(self, most: int, goes_on: Callable[[], bool]) -> None:
        self.answers = 0
        self._goes_on = goes_on
        self._backlog = RequestQueue(most)
        self._sent: dict[int, Request] = {}
        self._suspects = [0] * len(WINDOWS)  # in flight, by how many connections ended on them; the first is not used
        self._given_up: list[tuple[Request, BrokerError]] = []
        self._connection: Caller | None = None
        self._quiet: list[Deferred[None]] = []

    def connected(self, connection: Caller) -> None:
        """Send what waits."""
        self._connection = connection
        self._pump()

    def disconnected(self) -> None:
        """Nothing can be sent now."""
        self._connection = None

    def put(self, request: Request) -> None:
        """Let a request wait for a connection.

        Raises:
            BrokerError: ``resource.overflow.queue.entries`` where too many wait.
        """
        self._backlog.put(request, len(self._given_up))

    def send(self, request: Request) -> None:
        """Send a request, behind those that wait.

        Raises:
            BrokerError: ``resource.overflow.queue.entries`` or ``resource.exhaust`` where too many wait.
        """
        if self._connection is None or self._backlog or len(self._sent) >= self._window(request):
            self.put(request)
            self._pump()
            return
        self._backlog.number(request)
        self._call(self._connection, request)

    def oldest(self) -> int:
        """Number of the request that has been in flight for the longest time; 0 for none."""
        return next((number for number, request in self._sent.items() if request.method != PATIENT), 0)

    def queued(self) -> list[Unacknowledged]:
        """What the program was told to wait, and is not acknowledged: first what was given up."""
        lost = [each for request, error in self._given_up for each in request.unacknowledged(error)]
        waiting = sorted([*self._sent.values(), *self._backlog], key=lambda each: each.number)
        return lost + [
            each
            for request in waiting
            if request.answer is None and not request.abandoned
            for each in request.unacknowledged()
        ]

    def take_given_up(self) -> list[Unacknowledged]:
        """Hand out what was given up, and forget it."""
        given_up, self._given_up = self._given_up, []
        given_up.sort(key=lambda each: each[0].number)
        return [each for request, error in given_up for each in request.unacknowledged(error)]

    def give_up(self, error: BrokerError) -> None:
        """Nothing will be sent any more."""
        for request in [*self._sent.values(), *self._backlog.take()]:
            self._settle(request, error)
        self._sent.clear()
        self._suspects = [0] * len(WINDOWS)
        self._tell_quiet()

    def quiet(self) -> Deferred[None]:
        """Fires when nothing waits and nothing is in flight."""
        waiter: Deferred[None] = Deferred(self._quiet_cancelled)
        if self._sent or self._backlog.first() is not None:
            self._quiet.append(waiter)
        else:
            waiter.callback(None)
        return waiter

    def _quiet_cancelled(self, waiter: Deferred[None]) -> None:
        self._quiet.remove(waiter)

    def _tell_quiet(self) -> None:
        if self._quiet and not self._sent and self._backlog.first() is None:
            waiters, self._quiet = self._quiet, []
            for waiter in waiters:
                waiter.callback(None)

    def _pump(self) -> None:
        while self._connection is not None and (request := self._backlog.first()) is not None:
            if len(self._sent) >= self._window(request):
                return
            next(self._backlog.take())
            try:
                self._call(self._connection, request)
            except BrokerError as error:
                self._settle(request, error)

    def _window(self, request: Request) -> int:
        """How many may be in flight with a request."""
        suspects = self._suspects
        most = 2 if suspects[2] else 1 if suspects[1] else 0
        return WINDOWS[max(most, min(request.closed, 2))]

    def _call(self, connection: Caller, request: Request) -> None:
        answer = connection.call(request.method, request.body)
        self._sent[request.number] = request
        if request.closed:
            self._suspects[min(request.closed, 2)] += 1
        answer.addCallbacks(self._answered, self._failed, callbackArgs=(request,), errbackArgs=(request,))

    def _answered(self, units: list[Unit], request: Request) -> None:
        self._forget(request)
        try:
            if request.settled is not None:
                request.settled(units)
        except BrokerError as error:  # of an answer that cannot be read
            self._settle(request, error)
        if request.answer is not None and not request.abandoned:
            request.answer.callback(units)
        self._go_on()

    def _failed(self, failure: Failure, request: Request) -> None:
        if self._sent.get(request.number) is not request:
            return  # given up already
        self._forget(request)
        error = failure.value
        if not isinstance(error, BrokerError):
            log.failure("a request failed", failure)
            error = BrokerError(Code.INTERNAL_UNKNOWN, failure.getErrorMessage())
        if error.code not in LOST or not self._goes_on():
            self._settle(request, error)
            self._go_on()
            return
        request.closed += 1
        if request.closed >= MAX_CLOSED:
            reason = f"the connection ended each of the {request.closed} times that this request was sent"
            self._settle(request, BrokerError(Code.INTERNAL_UNKNOWN, f"{reason}: {error.message}"))
        elif not request.abandoned:
            self._backlog.put(request)
        self._tell_quiet()

    def _forget(self, request: Request) -> None:
        self.answers += 1
        self._sent.pop(request.number, None)
        if request.closed:
            self._suspects[min(request.closed, 2)] -= 1

    def _go_on(self) -> None:
        if self._backlog:
            self._pump()
        if self._quiet:
            self._tell_quiet()

    def _settle(self, request: Request, error: BrokerError) -> None:
        """There will be no answer: tell who waits for it, or note it for the program to ask."""
        if request.abandoned:
            return
        request.abandoned = True
        if request.settled is not None:
            request.settled(None)
        if request.answer is not None:
            request.answer.errback(error)
        else:
            log.warn("a request that waited was not acknowledged: {error}", error=str(error))
            self._given_up.append((request, error))
