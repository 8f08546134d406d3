"""Batches and queries, one after the other, each until it succeeds (design D2, D3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.errors import BrokerError, Code
from broker.histogram import Histogram
from broker.store.batch import Batch
from broker.store.commits import CommitWaiters
from broker.store.sql.failures import translate
from broker.store.sql.ownership import DatabaseTakenOver
from broker.store.sql.worker import Worker
from broker.timers import cancel

T = TypeVar("T")

FIRST_RETRY = 0.1
"""Seconds to wait after a failed commit; doubled with every further one."""
LAZY = 0.02
"""Seconds for which operations may wait that nobody waits for."""
TIDY_AFTER = 1.0
"""Seconds for which a writer may put work off."""
LAST_RETRY = 5.0
"""Seconds to wait between commits at most."""
MAX_QUERIES = 16
"""Questions that are asked in one go: two changes of thread for all of them."""

COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COMMIT_OPERATIONS = (1, 10, 100, 1000, 10_000, 100_000)

log = Logger()


class _State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    CLOSING = "closing"


class _Query:
    """A read between two batches.

    Args:
        ask: run by the worker.
        patient: ask again until the database answers, as commits do; else fail at once.
    """

    __slots__ = ("answer", "ask", "patient", "repeated")

    def __init__(self, ask: Callable[[], Any], patient: bool) -> None:
        self.ask = ask
        self.patient = patient
        self.repeated = False
        self.answer: Deferred[Any] = Deferred()


class CommitLoop:
    """Gathers operations in the open batch and commits one batch after the other.

    In the turn after somebody asks to be told of its commit the batch goes to the worker; while it is written the next
    one gathers, so that the busier the broker is, the more goes into one transaction. What nobody waits for, such as
    entries that are settled, goes with it, or within :data:`LAZY`. A query closes the batch before it, and sees
    exactly what was appended before it.

    What cannot be committed is kept and tried again until the database works: meanwhile :attr:`failure` is set and
    nothing is reported as committed.

    Args:
        reactor: schedules commits.
        worker: runs ``write`` and queries.
        write: commits a batch.
        tidy: does what ``write`` puts off; run every second while batches are written.

    Attributes:
        batch: the open one; call :meth:`appended` after every operation.
        before_commit: called before the open batch is closed, with whether a query cuts the turn; it may append. So
            what belongs to a turn's operations is in one transaction with them.
        position: of the last operation.
        committed: all operations up to this position are on disk.
        commit_seconds: how long commits took.
        commit_operations: how many operations were in them.
        reads: questions that were asked; never falls.
        failure: what keeps the loop from committing, or ``None``.
        failing_since: when it began to, in seconds by the reactor's clock, or ``None``.
        on_taken_over: called when another broker has the database: then nothing is committed or answered any more.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        worker: Worker,
        write: Callable[[Batch], None],
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        self.batch = Batch()
        self.before_commit: Callable[[bool], None] | None = None
        self.position = 0
        self.committed = 0
        self.failure: BrokerError | None = None
        self._reactor = reactor
        self._worker = worker
        self._write = write
        self._tidy = tidy
        self._tidying: IDelayedCall | None = None
        self._waiters = CommitWaiters()
        self._state = _State.CLOSED
        self._queue: deque[Batch | _Query] = deque()
        self._current: Batch | _Query | None = None
        self._with_it: list[_Query] = []  # queries that are asked in one go with the current one
        self._idle = True  # nothing is scheduled (but at leisure), running or waiting for another try
        self._leisure: IDelayedCall | None = None
        self._due: IDelayedCall | None = None
        self._closed_bytes = 0
        self._delay = FIRST_RETRY
        self._retry: IDelayedCall | None = None
        self.failing_since: float | None = None
        self.on_taken_over: Callable[[BrokerError], object] = lambda failure: None
        self.commit_seconds = Histogram(COMMIT_SECONDS)
        self.commit_operations = Histogram(COMMIT_OPERATIONS)
        self.reads = 0
        self._began = 0.0
        self._stopped: Deferred[None] = Deferred()

    @property
    def is_open(self) -> bool:
        """Whether operations are taken."""
        return self._state is not _State.CLOSED

    @property
    def waiting(self) -> int:
        """Batches and questions that wait for the thread."""
        return len(self._queue)

    @property
    def backlog(self) -> int:
        """Bytes of messages that are appended and not yet committed."""
        return self._closed_bytes + self.batch.bytes

    def start(self, last_id: int) -> None:
        """Begin to take operations, after ids up to ``last_id``."""
        self.batch = Batch(last_id)
        self.batch.position = self.position
        self.failure = self.failing_since = None
        self._delay = FIRST_RETRY
        self._stopped = Deferred()
        self._state = _State.OPEN

    def stop(self) -> Deferred[None]:
        """Commit what has gathered, and take no more.

        A database that fails now is tried once and no more; the Deferred then fails with ``resource.*``, and so do
        queries that have no answer.
        """
        self._state = _State.CLOSING
        cancel(self._tidying)
        cancel(self._leisure)
        self._tidying = self._leisure = None
        if self._retry is not None:
            self._retry.cancel()
            self._attempt()
        elif self._idle:
            self._wake()
        return self._stopped

    def appended(self) -> None:
        """Count the operation that was just added to the batch."""
        self.position += 1
        if self._leisure is None and self._idle:
            self._wait()

    def when_committed(self, position: int, callback: Callable[[], object]) -> None:
        """Call back once ``position`` is committed; at once if it is."""
        if position <= self.committed:
            callback()
        else:
            self._waiters.add(position, callback)
            if self._idle and self._state is not _State.CLOSED:
                self._wake()

    def end_turn(self) -> None:
        """Begin with the commit that is due now, and not in the next turn, which is not over before more is read."""
        due, self._due = self._due, None
        if due is not None:
            due.cancel()
            self._next(due=True)

    def ask(
        self, query: Callable[[], T], *, patient: bool, concerns: Callable[[Batch], bool] = lambda batch: True
    ) -> Deferred[T]:
        """Run a query after everything that was appended before it, and that it may ask for, is committed.

        Args:
            query: run by the worker, after all queries before it; may run more than once.
            patient: ask again until the database answers; else, after a second try, fail with ``resource.*``, and
                at once while the database fails.
            concerns: whether the query may ask for something in a batch; it need not wait for the disk where none
                of those that wait does.
        """
        if self._state is _State.CLOSED:
            return fail(_not_open())
        if self.failure is not None and not patient:
            return fail(self.failure)
        self.reads += 1
        asked = _Query(query, patient)
        if concerns(self.batch):
            self._close_batch(amid_turn=True)
        queue = self._queue
        place = len(queue)
        while place and isinstance(batch := queue[place - 1], Batch) and not concerns(batch):
            place -= 1
        queue.insert(place, asked)
        if self._idle:
            self._wake()
        return asked.answer

    def _wait(self) -> None:
        if self._state is _State.CLOSED:
            raise _not_open()
        self._leisure = self._reactor.callLater(LAZY, self._leisure_over)

    def _leisure_over(self) -> None:
        self._leisure = None
        if self._idle and self.batch.position < self.position:
            self._wake()

    def _wake(self) -> None:
        if self._state is _State.CLOSED:
            raise _not_open()
        self._idle = False
        self._due = self._reactor.callLater(0, self._begin)

    def _begin(self) -> None:
        self._due = None
        self._next(due=True)

    def _close_batch(self, *, amid_turn: bool = False) -> None:
        if self.before_commit is not None:
            try:
                self.before_commit(amid_turn)
            except Exception:  # noqa: BLE001 - it is logged, and must not keep others' commits from going
                log.failure("What was due before a commit failed; the commit goes on without it")
        batch = self.batch
        if batch.position == self.position:
            return
        batch.position = self.position
        self._closed_bytes += batch.bytes
        self._queue.append(batch)
        self.batch = Batch(batch.last_id)
        self.batch.position = self.position

    def _next(self, *, due: bool = False) -> None:
        """Go on with what is queued, and with the open batch where it is due or somebody waits for it."""
        while True:
            if not self._queue and (due or self._waiters or self._state is _State.CLOSING):
                self._close_batch()
                due = False
            if not self._queue:
                break
            item = self._queue.popleft()
            if isinstance(item, Batch) and item.is_empty:
                self._commit_done(item)  # all of it was elided (design D4)
                continue
            self._current = item
            if isinstance(item, _Query):
                self._take_queries()
            self._attempt()
            return
        self._idle = True
        if self.batch.position < self.position and self._leisure is None:
            self._wait()
        if self._state is _State.CLOSING:
            self._state = _State.CLOSED
            self._stopped.callback(None)

    def _take_queries(self) -> None:
        while self._queue and len(self._with_it) < MAX_QUERIES - 1:
            following = self._queue[0]
            if isinstance(following, Batch):
                break
            self._with_it.append(following)
            self._queue.popleft()

    def _attempt(self) -> None:
        self._retry = None
        item = self._current
        if isinstance(item, Batch):
            self._began = self._reactor.seconds()
            self._worker.run(lambda: self._write(item)).addCallbacks(self._succeeded, self._failed)
        elif item is not None:
            asked = [item, *self._with_it]
            self._worker.run(lambda: _answers(asked)).addCallbacks(self._answered, self._failed)

    def _succeeded(self, _: None) -> None:
        batch, self._current = self._current, None
        assert isinstance(batch, Batch)
        self.commit_seconds.observe(self._reactor.seconds() - self._began)
        self.commit_operations.observe(batch.position - self.committed)
        self._works_again()
        self._commit_done(batch)
        self._next()

    def _answered(self, results: list[Any]) -> None:
        assert isinstance(self._current, _Query)
        asked = [self._current, *self._with_it]
        self._current, self._with_it = None, []
        self._works_again()
        self._queue.extendleft(reversed(asked[len(results) :]))
        for query, result in zip(asked, results, strict=False):
            query.answer.callback(result)
        self._next()

    def _commit_done(self, batch: Batch) -> None:
        if self._tidying is None and self._state is _State.OPEN:
            self._tidying = self._reactor.callLater(TIDY_AFTER, self._tidy_up)
        self._closed_bytes -= batch.bytes
        self.committed = batch.position
        self._waiters.fire(self.committed)

    def _tidy_up(self) -> None:
        self._tidying = None
        # Where the database is taken over there is nothing to tidy, and the next commit tells of it.
        self.ask(self._tidy, patient=True).addErrback(lambda failure: failure.trap(BrokerError) and None)

    def _failed(self, reason: Failure) -> None:
        failure = translate(reason.value)
        if isinstance(failure, DatabaseTakenOver):
            self._lose(failure)
            return
        item = self._current
        self._queue.extendleft(reversed(self._with_it))
        self._with_it = []
        if isinstance(item, _Query) and not item.patient and not item.repeated:
            item.repeated = True  # a connection that was lost while nobody used it is no failure yet
            self._attempt()
            return
        if isinstance(item, _Query) and (not item.patient or failure.code is Code.RESOURCE_DB_UNKNOWN):
            # No other answer is to be expected, or somebody waits who can do without.
            self._current = None
            item.answer.errback(failure)
            self._next()
            return
        if self.failing_since is None:
            self.failing_since = self._reactor.seconds()
            log.error("The store cannot commit, and will try until it can: {failure}", failure=failure)
        self.failure = failure
        self._refuse_impatient(failure)
        if self._state is _State.CLOSING:
            self._give_up(failure)
            return
        self._retry = self._reactor.callLater(self._delay, self._attempt)
        self._delay = min(2 * self._delay, LAST_RETRY)

    def _works_again(self) -> None:
        self._delay = FIRST_RETRY
        if self.failing_since is not None:
            seconds = self._reactor.seconds() - self.failing_since
            self.failure = self.failing_since = None
            log.info("The store commits again, after {seconds:.1f} seconds", seconds=seconds)

    def _refuse_impatient(self, failure: BrokerError) -> None:
        refused = [item for item in self._queue if isinstance(item, _Query) and not item.patient]
        for query in refused:
            self._queue.remove(query)
            query.answer.errback(failure)

    def _lose(self, failure: BrokerError) -> None:
        """Another broker has the database; this one is told so, and must never tell anybody that anything is done."""
        stopping = self._state is _State.CLOSING
        cancel(self._tidying)
        cancel(self._leisure)
        cancel(self._due)
        self._tidying = self._leisure = self._due = None
        self.failure = failure
        if self.failing_since is None:
            self.failing_since = self._reactor.seconds()
        self._queue.extendleft(reversed(self._with_it))
        self._with_it = []
        self._give_up(failure, told=stopping)
        self._idle = False  # what is appended from now on goes nowhere
        self.on_taken_over(failure)

    def _give_up(self, failure: BrokerError, *, told: bool = True) -> None:
        unanswered = [item for item in (self._current, *self._queue) if isinstance(item, _Query)]
        self._current = None
        self._queue.clear()
        self._waiters.clear()
        self._closed_bytes = 0
        self.batch = Batch()
        self._idle = True
        self._state = _State.CLOSED
        for query in unanswered:
            query.answer.errback(failure)
        if told:
            self._stopped.errback(failure)


def _answers(queries: list[_Query]) -> list[Any]:
    """Ask up to one that fails, which is told by its being the first, when it is asked again."""
    answers: list[Any] = []
    for query in queries:
        try:
            answers.append(query.ask())
        except Exception:
            if not answers:
                raise
            break
    return answers


def _not_open() -> BrokerError:
    return BrokerError(Code.INTERNAL_ILLEGAL_STATE, "The store is not open", "/store")
