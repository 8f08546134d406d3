"""What the process does on signals."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broker.signals import ENDING, serve, spare

USED = (signal.SIGHUP, signal.SIGUSR1, *ENDING)


class Reactor:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.stops = 0
        self.shutting_down: list[Callable[[], None]] = []
        self.running: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.called: list[Any] = []

    def callFromThread(self, function: Any, *arguments: Any, **named: Any) -> None:
        self.called.append(function)

    def callWhenRunning(self, function: Callable[..., None], *arguments: Any) -> None:
        self.running.append((function, arguments))

    def addSystemEventTrigger(self, phase: str, event: str, function: Callable[[], None]) -> None:
        assert (phase, event) == ("before", "shutdown")
        self.shutting_down.append(function)

    def run(self) -> None:
        """Begin to run, which installs handlers of its own as Twisted's does."""
        for each in ENDING:
            signal.signal(each, self.stop)
        for function, arguments in self.running:
            function(*arguments)

    def stop(self, *_: object) -> None:
        self.stops += 1


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    before = {each: signal.getsignal(each) for each in USED}
    made = Reactor()
    serve(made, reload=reload, rotate_log=rotate_log)
    made.run()
    yield made
    faulthandler.unregister(signal.SIGQUIT)
    for number, handler in before.items():
        signal.signal(number, handler)


def reload() -> None:
    """Stands for reloading."""


def rotate_log() -> None:
    """Stands for a new log file."""


def test_hang_up_reloads_and_the_first_user_signal_rotates_the_log(reactor: Reactor) -> None:
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGUSR1)
    assert reactor.called == [reload, rotate_log]


@pytest.mark.parametrize("number", ENDING)
def test_the_reactor_is_asked_to_stop_once(reactor: Reactor, number: signal.Signals) -> None:
    signal.raise_signal(number)
    for each in ENDING:
        signal.raise_signal(each)
    assert reactor.stops == 1
    assert len(reactor.called) == 2  # the log says that it ends already


def test_a_reactor_that_stops_by_itself_is_not_asked_to(reactor: Reactor) -> None:
    # as at the end of a start that has failed
    for function in reactor.shutting_down:
        function()
    signal.raise_signal(signal.SIGTERM)
    assert reactor.stops == 0


def test_nothing_is_ended_by_a_reload_before_signals_are_served(reactor: Reactor) -> None:
    spare()
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGUSR1)
    assert reactor.called == []
