"""Doubles that the tests of logins share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from twisted.internet.defer import Deferred, execute, succeed
from twisted.logger import ILogObserver, LogEvent, formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.auth.scram import MINIMUM_ITERATIONS, make_account
from broker.model.connect import Credentials
from broker.model.records import AccountRecord
from broker.ports import IStore

P = ParamSpec("P")
T = TypeVar("T")


def _outcome(work: Deferred[T] | Coroutine[Any, Any, T]) -> T | Failure:
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    results: list[T | Failure] = []
    deferred.addBoth(results.append)
    assert results, "it has not fired"
    return results[0]


def result_of(work: Deferred[T] | Coroutine[Any, Any, T]) -> T:
    """The result of something asynchronous that must be over by now; raises what it failed with."""
    outcome = _outcome(work)
    if isinstance(outcome, Failure):
        outcome.raiseException()
    return outcome


def error_of(work: Deferred[T] | Coroutine[Any, Any, T]) -> BaseException:
    """The exception that something asynchronous has failed with by now."""
    outcome = _outcome(work)
    assert isinstance(outcome, Failure), f"it has not failed but returned {outcome!r}"
    assert outcome.value is not None
    return outcome.value


class InlineExecutor:
    """Works at once, and counts how often."""

    def __init__(self) -> None:
        self.works: list[Callable[..., Any]] = []

    def __call__(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        self.works.append(work)
        return execute(work, *args, **kwargs)


class HeldExecutor:
    """Works when it is told to."""

    def __init__(self) -> None:
        self.held: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def __call__(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        deferred: Deferred[T] = Deferred()
        self.held.append((deferred, lambda: work(*args, **kwargs)))
        return deferred

    def release(self) -> None:
        """Do what has gathered."""
        held, self.held = self.held, []
        for deferred, work in held:
            deferred.callback(work())


@implementer(ILogObserver)
class Logged:
    """What was logged."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    def of_level(self, name: str) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_level"].name == name]

    @property
    def raw(self) -> str:
        """All that an observer could write, also what the texts leave out."""
        return repr(self.events)


class AccountShelf:
    """The part of a store that keeps accounts."""

    def __init__(self, *records: AccountRecord) -> None:
        self.records = {record.name: record for record in records}
        self.asked: list[str] = []

    def get_account(self, name: str) -> Deferred[AccountRecord | None]:
        self.asked.append(name)
        return succeed(self.records.get(name))

    def keep(self, record: AccountRecord) -> None:
        self.records[record.name] = record

    @property
    def store(self) -> IStore:
        return cast("IStore", self)


def account(name: str, password: str) -> AccountRecord:
    return make_account(name, password, created=0, iterations=MINIMUM_ITERATIONS)


def login(user: str, password: str, type: str = "htpasswd") -> Credentials:
    return Credentials(type, user, password)
