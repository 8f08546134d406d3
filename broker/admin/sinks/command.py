"""Events that run a command of the machine (spec xmlblaster §16.7, ``destination.exec``)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.admin.sinks.details import Details
from broker.admin.sinks.variables import Variables
from broker.errors import BrokerError, Code
from broker.timers import cancel

log = Logger()

SETTINGS = ("command", "envp", "dir", "waitFor", "logSevereText", "activationDelayAfterStartupSec")
MAX_RUNNING = 4
"""Commands of one sink at once."""
MAX_SECONDS = 20.0
"""After which a command is killed."""
MAX_TEXT = 10_000
"""Characters of a value in the environment of a command."""


class _Running(ProcessProtocol):
    """One run of a command; what it writes is not kept.

    Args:
        clock: ends it when it takes too long.
    """

    def __init__(self, clock: Any) -> None:
        self.ended: Deferred[None] = Deferred()
        self._clock = clock
        self._call: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """It runs, and gets nothing to read."""
        assert self.transport is not None
        self.transport.closeStdin()
        self._call = self._clock.callLater(MAX_SECONDS, self._kill)

    def processEnded(self, reason: Failure) -> None:
        """It has ended."""
        cancel(self._call)
        code = getattr(reason.value, "exitCode", None)
        if code == 0:
            self.ended.callback(None)
        else:
            outcome = "was killed" if code is None else f"ended with {code}"
            self.ended.errback(BrokerError(Code.RESOURCE_UNAVAILABLE, f"the command {outcome}"))

    def _kill(self) -> None:
        assert self.transport is not None
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            return


class CommandSink:
    """Runs a command for each event, which is told of it in its environment. No shell reads anything of an event.

    Args:
        reactor: starts processes, and waits.
        variables: of ``severe``.
        command: program, with its whole path, and arguments.
        environment: of it, beside that of the event.
        directory: in which it runs; empty for that of the broker.
        wait: have the next event wait until it has ended.
        severe: a line for the log, with variables, each time; empty for none.
        delay: seconds after the start in which nothing is run.
    """

    def __init__(
        self,
        reactor: Any,
        variables: Variables,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        directory: str = "",
        wait: bool = False,
        severe: str = "",
        delay: float = 0.0,
    ) -> None:
        self.name = f"the command {command[0]} of events"
        self._reactor = reactor
        self._variables = variables
        self._command = list(command)
        self._environment = dict(environment)
        self._directory = directory or None
        self._wait = wait
        self._severe = severe
        self._begin = reactor.seconds() + delay
        self._running = 0

    async def deliver(self, details: Details) -> None:
        """Run it.

        Raises:
            BrokerError: ``resource.exhaust`` where too many run, ``resource.unavailable`` where it fails.
            OSError: where it cannot be started.
        """
        if self._reactor.seconds() < self._begin:
            return
        if self._running >= MAX_RUNNING:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"{MAX_RUNNING} of it run already")
        if self._severe:
            log.error("{text}", text=self._variables.replace(self._severe, details))
        process = _Running(self._reactor)
        environment = {"PATH": os.defpath, **self._environment, **_told(details)}
        self._reactor.spawnProcess(process, self._command[0], self._command, environment, self._directory)
        self._running += 1
        process.ended.addBoth(self._ended)
        if self._wait:
            await process.ended
        else:
            process.ended.addErrback(lambda failure: log.info("{name}: {why}", name=self.name, why=str(failure.value)))

    def _ended(self, result: Any) -> Any:
        self._running -= 1
        return result


def _told(details: Details) -> dict[str, str]:
    values = {
        "summary": details.summary,
        "description": details.description,
        "eventType": details.type,
        "errorCode": details.error_code,
        "sessionName": details.absolute_name,
        "jvmPid": str(os.getpid()),
    }
    return {name: value.replace("\0", "")[:MAX_TEXT] for name, value in values.items()}
