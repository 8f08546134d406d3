"""When batches go, and what happens where they cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from broker.errors import BrokerError, Code
from broker.model.records import SubjectRecord
from broker.store.batch import Batch
from broker.store.sql.commit_loop import LAZY, MAX_QUERIES, TIDY_AFTER, CommitLoop
from tests.contract.records import EPOCH, RANK, entry, message
from tests.contract.stages import HeldWorker


def unavailable() -> Exception:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    return error


class Loop:
    """A commit loop whose disk is a list."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.worker = HeldWorker()
        self.broken: Exception | None = None
        self.attempts = 0
        self.written: list[list[int]] = []
        self.loop = CommitLoop(self.clock, self.worker, self._write)
        self.loop.start(0)

    def _write(self, batch: Batch) -> None:
        self.touch()
        self.written.append([id for id, record in batch.subjects.items() if record])

    def touch(self) -> None:
        self.attempts += 1
        if self.broken is not None:
            raise self.broken

    def look(self) -> list[list[int]]:
        """A question."""
        self.touch()
        return list(self.written)

    def append_for_nobody(self, *ids: int) -> None:
        for id in ids:
            self.loop.batch.put_subject(SubjectRecord(id, "joe"))
            self.loop.appended()

    def append(self, *ids: int) -> None:
        self.append_for_nobody(*ids)
        self.loop.when_committed(self.loop.position, lambda: None)

    def tell(self, told: list[str], text: str) -> None:
        self.loop.when_committed(self.loop.position, lambda: told.append(text))


@pytest.fixture
def given() -> Loop:
    return Loop()


def failure_of(deferred: Deferred[Any]) -> BrokerError:
    caught: list[Failure] = []
    deferred.addErrback(caught.append)
    (failure,) = caught
    error = failure.value
    assert isinstance(error, BrokerError)
    return error


def test_operations_of_one_turn_are_one_batch(given: Loop) -> None:
    given.append(1, 2, 3)
    assert given.written == []

    given.clock.advance(0)

    assert given.written == [[1, 2, 3]]


def test_what_somebody_waits_for_is_written_at_the_end_of_the_turn(given: Loop) -> None:
    given.append(1, 2)
    given.loop.end_turn()
    assert given.written == [[1, 2]]

    given.clock.advance(0)

    assert given.written == [[1, 2]]


def test_the_end_of_a_turn_hurries_nothing_that_nobody_waits_for(given: Loop) -> None:
    given.append_for_nobody(1)
    given.loop.end_turn()
    assert given.written == []

    given.clock.advance(LAZY)

    assert given.written == [[1]]


def test_the_end_of_a_turn_changes_nothing_while_a_batch_is_written(given: Loop) -> None:
    given.worker.held = True
    given.append(1)
    given.loop.end_turn()
    given.append(2)
    given.loop.end_turn()
    assert given.worker.waiting == 1

    given.worker.release()

    assert given.written == [[1], [2]]


def test_operations_gather_while_a_batch_is_written(given: Loop) -> None:
    given.worker.held = True
    given.append(1)
    given.clock.advance(0)
    given.append(2)
    given.clock.advance(0)
    given.append(3)
    given.clock.advance(0)
    assert given.worker.waiting == 1

    given.worker.release()

    assert given.written == [[1], [2, 3]]


def test_a_batch_that_came_to_nothing_is_not_written(given: Loop) -> None:
    told: list[str] = []
    given.loop.batch.put_entry(entry(7, 1, 1), message(1))
    given.loop.batch.settle(7, RANK, EPOCH + 1, EPOCH + 1)
    given.loop.appended()
    given.tell(told, "committed")

    given.clock.advance(0)

    assert (given.attempts, told) == (0, ["committed"])


def test_what_is_due_before_a_commit_is_in_the_batch(given: Loop) -> None:
    due = [[2]]
    given.loop.before_commit = lambda amid_turn: given.append(*(due.pop() if due else []))
    given.append(1)
    given.clock.advance(0)
    due.append([4])
    given.append(3)
    given.clock.advance(0)

    assert given.written == [[1, 2], [3, 4]]


def test_what_is_due_before_a_commit_is_in_the_batch_though_a_question_closes_it(given: Loop) -> None:
    due = [[2]]
    given.loop.before_commit = lambda amid_turn: given.append(*(due.pop() if due else []))
    given.append(1)
    given.loop.ask(given.look, patient=True)
    given.append(3)
    given.clock.advance(0)

    assert given.written == [[1, 2], [3]]


def test_what_is_due_is_told_whether_a_question_cuts_the_turn(given: Loop) -> None:
    cuts: list[bool] = []
    given.loop.before_commit = cuts.append
    given.append(1)
    given.loop.ask(given.look, patient=True)
    asked = list(cuts)
    given.append(2)
    given.clock.advance(0)

    assert asked == [True]
    assert set(cuts[1:]) == {False}


def test_a_failure_before_a_commit_does_not_hold_it_up(given: Loop, logged_errors: list[str]) -> None:
    given.loop.before_commit = lambda amid_turn: given.written.remove([0])
    given.append(1)
    given.clock.advance(0)
    given.append(2)
    given.clock.advance(0)

    assert given.written == [[1], [2]]
    assert set(logged_errors) == {"What was due before a commit failed; the commit goes on without it"}


def test_a_question_is_asked_between_the_batches_before_and_after_it(given: Loop) -> None:
    given.append(1)
    answer = given.loop.ask(given.look, patient=True)
    given.append(2)

    given.clock.advance(0)

    assert given.written == [[1], [2]]
    assert answer.result == [[1]]


def test_a_question_does_not_wait_for_batches_that_do_not_concern_it(given: Loop) -> None:
    given.worker.held = True
    given.append(1)
    given.clock.advance(0)  # is being written
    given.append(2)
    first = given.loop.ask(given.look, patient=True)
    given.append(3)

    second = given.loop.ask(given.look, patient=False, concerns=lambda batch: False)
    third = given.loop.ask(given.look, patient=True, concerns=lambda batch: 3 in batch.subjects)
    given.worker.release()
    given.clock.advance(0)

    assert given.written == [[1], [2], [3]]
    assert (first.result, second.result, third.result) == ([[1], [2]], [[1], [2]], [[1], [2], [3]])


def test_a_question_that_no_batch_concerns_closes_none(given: Loop) -> None:
    given.append(1)
    answer = given.loop.ask(given.look, patient=True, concerns=lambda batch: False)
    given.append(2)
    given.clock.advance(0)

    assert answer.result == []
    assert given.written == [[1, 2]]


def test_questions_that_wait_are_asked_in_one_go(given: Loop) -> None:
    given.worker.held = True
    given.append(1)
    answers = [given.loop.ask(given.look, patient=True) for _ in range(MAX_QUERIES + 1)]
    given.append(2)
    given.clock.advance(0)
    given.worker.step()  # the batch before them
    assert given.worker.waiting == 1
    given.worker.step()

    assert [answer.called for answer in answers] == [True] * MAX_QUERIES + [False]
    assert answers[0].result == [[1]]
    given.worker.release()
    assert answers[-1].result == [[1]]
    assert given.written == [[1], [2]]


def test_of_questions_in_one_go_one_without_an_answer_keeps_none_from_the_others(given: Loop) -> None:
    def fail() -> None:
        raise sqlite3.ProgrammingError("no such column")

    given.worker.held = True
    first, wrong, last = (given.loop.ask(ask, patient=True) for ask in (given.look, fail, given.look))
    given.clock.advance(0)
    given.worker.release()

    assert (first.result, last.result) == ([], [])
    assert failure_of(wrong).code == Code.RESOURCE_DB_UNKNOWN


def test_of_questions_in_one_go_the_impatient_ones_fail_with_the_database_and_the_others_wait(given: Loop) -> None:
    given.worker.held = True
    patient, impatient, last = (given.loop.ask(given.look, patient=wait) for wait in (True, False, True))
    given.clock.advance(0)
    given.broken = unavailable()
    given.worker.release()

    assert failure_of(impatient).code == Code.RESOURCE_DB_UNAVAILABLE
    assert not (patient.called or last.called)
    given.broken = None
    given.clock.advance(0.1)
    assert (patient.result, last.result) == ([], [])


def test_what_nobody_waits_for_is_committed_at_leisure(given: Loop) -> None:
    given.append_for_nobody(1)
    given.append_for_nobody(2)
    given.clock.advance(LAZY * 0.9)
    assert given.written == []

    given.clock.advance(LAZY * 0.2)
    given.clock.advance(0)

    assert given.written == [[1, 2]]
    assert not [call for call in given.clock.getDelayedCalls() if call.getTime() < given.clock.seconds() + LAZY]


def test_what_nobody_waits_for_goes_with_what_somebody_does(given: Loop) -> None:
    given.append_for_nobody(1)
    given.append(2)
    given.clock.advance(0)
    assert given.written == [[1, 2]]

    given.append_for_nobody(3)
    given.clock.advance(0)
    assert given.written == [[1, 2]]


def test_one_timer_serves_what_nobody_waits_for_before_and_after_a_commit(given: Loop) -> None:
    given.append_for_nobody(1)
    given.clock.advance(LAZY / 2)
    given.append(2)
    given.clock.advance(0)
    given.append_for_nobody(3)
    assert given.written == [[1, 2]]

    given.clock.advance(LAZY / 2)
    given.clock.advance(0)

    assert given.written == [[1, 2], [3]]


def test_what_nobody_waits_for_does_not_follow_a_commit_at_once(given: Loop) -> None:
    given.worker.held = True
    given.append(1)
    given.clock.advance(0)
    given.append_for_nobody(2)
    given.worker.release()
    assert given.written == [[1]]

    given.clock.advance(LAZY)
    given.clock.advance(0)

    assert given.written == [[1], [2]]


def test_the_writer_tidies_up_a_second_after_it_has_written(given: Loop) -> None:
    tidied: list[list[list[int]]] = []
    loop = CommitLoop(given.clock, given.worker, given._write, lambda: tidied.append(list(given.written)))
    loop.start(0)
    loop.batch.put_subject(SubjectRecord(1, "joe"))
    loop.appended()
    given.clock.advance(0)
    assert tidied == []

    given.clock.advance(TIDY_AFTER)
    given.clock.advance(0)
    given.clock.advance(10 * TIDY_AFTER)

    assert tidied == [[[1]]]


def test_a_failed_commit_is_tried_again_ever_more_seldom(given: Loop, logged_errors: list[str]) -> None:
    given.broken = unavailable()
    given.append(1)
    given.clock.advance(0)
    delays = []
    for _ in range(8):
        retry = max(given.clock.getDelayedCalls(), key=lambda call: call.getTime())
        delays.append(retry.getTime() - given.clock.seconds())
        given.clock.advance(delays[-1])

    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])
    assert given.attempts == 9
    assert len(logged_errors) == 1


def test_what_gathers_while_commits_fail_goes_after_it_in_order(given: Loop) -> None:
    told: list[str] = []
    given.broken = unavailable()
    given.append(1)
    given.tell(told, "first")
    given.clock.advance(0)
    given.append(2)
    given.tell(told, "second")
    given.clock.advance(0.1)
    assert given.loop.failure is not None
    assert given.loop.failure.code == Code.RESOURCE_DB_UNAVAILABLE
    assert told == []

    given.broken = None
    given.clock.advance(5)

    assert given.written == [[1], [2]]
    assert told == ["first", "second"]
    assert given.loop.failure is None


def test_after_a_failure_that_is_over_the_next_one_is_tried_again_soon(given: Loop) -> None:
    given.broken = unavailable()
    given.append(1)
    given.clock.pump([0, 0.1, 0.2, 0.4])
    given.broken = None
    given.clock.advance(5)
    given.broken = unavailable()
    given.append(2)
    given.clock.advance(0)
    given.broken = None

    given.clock.advance(0.1)

    assert given.written == [[1], [2]]


def test_a_patient_question_waits_for_the_database(given: Loop) -> None:
    given.broken = unavailable()
    answer = given.loop.ask(given.look, patient=True)
    given.clock.advance(0)
    assert not answer.called

    given.broken = None
    given.clock.advance(0.1)

    assert answer.result == []


def test_a_patient_question_that_has_no_answer_fails(given: Loop) -> None:
    given.broken = sqlite3.ProgrammingError("no such column")
    answer = given.loop.ask(given.look, patient=True)
    given.clock.advance(0)

    assert failure_of(answer).code == Code.RESOURCE_DB_UNKNOWN
    assert given.loop.failure is None


def test_an_impatient_question_survives_a_connection_that_was_lost_meanwhile(given: Loop) -> None:
    def look() -> str:
        if given.attempts == 0:
            given.attempts = 1
            raise unavailable()
        return "answer"

    answer = given.loop.ask(look, patient=False)
    given.clock.advance(0)

    assert answer.result == "answer"


def test_an_impatient_question_fails_with_the_database(given: Loop) -> None:
    given.broken = unavailable()
    answer = given.loop.ask(given.look, patient=False)
    given.clock.advance(0)

    assert failure_of(answer).code == Code.RESOURCE_DB_UNAVAILABLE


def test_impatient_questions_do_not_wait_for_a_batch_that_cannot_be_committed(given: Loop) -> None:
    given.broken = unavailable()
    given.append(1)
    waiting = given.loop.ask(given.look, patient=False)
    patient = given.loop.ask(given.look, patient=True)
    given.clock.advance(0)

    assert failure_of(waiting).code == Code.RESOURCE_DB_UNAVAILABLE
    assert failure_of(given.loop.ask(given.look, patient=False)).code == Code.RESOURCE_DB_UNAVAILABLE
    assert not patient.called


def test_stopping_commits_what_has_gathered(given: Loop) -> None:
    given.worker.held = True
    given.append(1)
    given.clock.advance(0)
    given.append(2)
    told: list[object] = []
    given.loop.stop().addCallback(told.append)
    assert told == []

    given.worker.release()

    assert told == [None]
    assert given.written == [[1], [2]]
    assert not given.loop.is_open


def test_stopping_an_idle_loop_ends_in_the_next_turn(given: Loop) -> None:
    stopped = given.loop.stop()
    given.clock.advance(0)

    assert stopped.called


def test_a_database_that_fails_when_the_loop_stops_is_given_up(given: Loop) -> None:
    told: list[str] = []
    given.broken = unavailable()
    given.append(1)
    given.tell(told, "committed")
    given.clock.advance(0)
    question = given.loop.ask(given.look, patient=True)

    stopped = given.loop.stop()

    assert failure_of(stopped).code == Code.RESOURCE_DB_UNAVAILABLE
    assert failure_of(question).code == Code.RESOURCE_DB_UNAVAILABLE
    assert given.clock.getDelayedCalls() == []
    assert (told, given.loop.backlog) == ([], 0)


def test_a_database_that_works_again_when_the_loop_stops_gets_everything(given: Loop) -> None:
    given.broken = unavailable()
    given.append(1)
    given.clock.advance(0)
    given.broken = None

    stopped = given.loop.stop()
    given.clock.advance(0)

    assert stopped.called
    assert given.written == [[1]]


@pytest.mark.parametrize(
    "use",
    [
        lambda loop: loop.appended(),
        lambda loop: loop.ask(lambda: None, patient=True).result.raiseException(),
    ],
)
def test_a_loop_that_has_stopped_takes_nothing(given: Loop, use: Callable[[CommitLoop], None]) -> None:
    given.loop.stop()
    given.clock.advance(0)

    with pytest.raises(BrokerError) as caught:
        use(given.loop)

    assert caught.value.code == Code.INTERNAL_ILLEGAL_STATE


def test_a_loop_can_be_started_again(given: Loop) -> None:
    given.append(1)
    given.loop.stop()
    given.clock.advance(0)
    given.loop.start(10)
    assert given.loop.batch.last_id == 10

    given.append(2)
    given.clock.advance(0)

    assert given.written == [[1], [2]]
