"""Checks of single things, for monitoring that asks for each by its name (``/health/checks``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec

from broker.admin.findings import conditions
from broker.admin.findings.conditions import Condition
from broker.admin.findings.finding import Finding, Severity
from broker.admin.findings.watch import Watch
from broker.admin.health import Phase
from broker.runlevels.levels import describe


class Status(StrEnum):
    """How a check went."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """A check.

    Args:
        name: of it.
        status: how it went.
        detail: one sentence, for those who may see it.
    """

    name: str
    status: Status
    detail: str = ""


class CheckName(StrEnum):
    """What is checked."""

    RUN_LEVEL = "runLevel"
    LISTENERS = "listeners"
    STORE = "store"
    DISK = "disk"
    MEMORY = "memory"
    FILES = "files"
    CERTIFICATES = "certificates"
    QUEUES = "queues"
    BACKUP = "backup"
    REACTOR = "reactor"
    CLOCK = "clock"


WITHIN_DAYS = 21
WITHIN_HOURS = 26


class Checks:
    """Checks a broker.

    Args:
        watch: its numbers.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def check(self, name: CheckName, days: int = WITHIN_DAYS, hours: int = WITHIN_HOURS) -> Check:
        """Check one thing.

        Args:
            name: what.
            days: that a certificate must be good for.
            hours: that a backup may be old.
        """
        if name is CheckName.RUN_LEVEL:
            return self._run_level()
        if name is CheckName.LISTENERS:
            serving = self._watch.sources.instance.serving
            return Check(name, Status.PASS if serving else Status.FAIL, "" if serving else "the ports are not open")
        found = [condition(self._watch, False) for condition in self._conditions(name, days, hours)]
        return _judged(name, [each for each in found if each is not None])

    def all(self) -> list[Check]:
        """Check everything."""
        return [self.check(name) for name in CheckName]

    def _run_level(self) -> Check:
        sources = self._watch.sources
        phase = sources.health.phase
        detail = f"the broker is at run level {describe(sources.instance.run_levels.level)}"
        if phase is Phase.RUNNING:
            return Check(CheckName.RUN_LEVEL, Status.PASS, detail)
        comes_up = phase in (Phase.STARTING, Phase.RECOVERING)
        return Check(CheckName.RUN_LEVEL, Status.WARN if comes_up else Status.FAIL, detail)

    def _conditions(self, name: CheckName, days: int, hours: int) -> Sequence[Condition]:
        if name is CheckName.CERTIFICATES:
            return (conditions.certificates_expire(days),)
        if name is CheckName.BACKUP:
            return (conditions.backup_is_old(hours),)
        return _CONDITIONS[name]


_CONDITIONS: Mapping[CheckName, Sequence[Callable[[Watch, bool], Finding | None]]] = {
    CheckName.STORE: (conditions.store_fails,),
    CheckName.DISK: (conditions.disk_fills,),
    CheckName.MEMORY: (conditions.memory_is_high,),
    CheckName.FILES: (conditions.files_run_out, conditions.connections_run_out),
    CheckName.QUEUES: (conditions.queues_are_nearly_full, conditions.queues_are_stuck),
    CheckName.REACTOR: (conditions.reactor_is_slow,),
    CheckName.CLOCK: (conditions.clock_jumps,),
}


def _judged(name: CheckName, found: Sequence[Finding]) -> Check:
    if not found:
        return Check(name, Status.PASS)
    worst = any(each.severity is Severity.CRITICAL for each in found)
    return Check(name, Status.FAIL if worst else Status.WARN, "; ".join(each.title for each in found))
