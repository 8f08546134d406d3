"""Alarms: what is wrong now, looked for every 10 seconds and not let go at the first good moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from broker.admin.findings.conditions import ALARMS, CERTIFICATE_EXPIRES, STORE_FAILING, Condition
from broker.admin.findings.finding import RANKS, Finding
from broker.admin.findings.watch import INTERVAL, Watch
from broker.core.events import Events
from broker.timers import cancel

log = Logger()

CLEAR_AFTER = 3
"""Looks that must find nothing before an alarm is cleared."""


@dataclass(slots=True)
class Alarm:
    """Something that is wrong.

    Args:
        finding: as it was found the last time.
        since: milliseconds since 1970.
        missed: how often it was not found since then.
    """

    finding: Finding
    since: int
    missed: int = 0


class Alarms:
    """Looks for what is wrong, as long as it is running.

    Args:
        watch: the numbers.
        reactor: waits.
        conditions: that are looked for.

    Attributes:
        on_change: each is told of an alarm that is raised (``True``) or cleared.
    """

    def __init__(self, watch: Watch, reactor: Any, conditions: Sequence[Condition] = ALARMS) -> None:
        self.on_change: list[Callable[[Alarm, bool], None]] = []
        self._watch = watch
        self._reactor = reactor
        self._conditions = conditions
        self._raised: dict[Condition, Alarm] = {}
        self._call: IDelayedCall | None = None

    @property
    def raised(self) -> list[Alarm]:
        """What is wrong, the worst first."""
        return sorted(self._raised.values(), key=lambda each: (RANKS[each.finding.severity], each.since))

    def start(self) -> None:
        """Begin to look."""
        self._call = self._reactor.callLater(INTERVAL, self._again)

    def stop(self) -> None:
        """Look no more."""
        cancel(self._call)
        self._call = None

    def look(self) -> None:
        """Look now; what cannot be looked at stays as it was, and the log says so."""
        self._watch.look()
        for condition in self._conditions:
            try:
                self._judge(condition)
            except Exception:  # noqa: BLE001 - it is logged, and keeps nobody from hearing of the others
                log.failure("a condition of alarms cannot be judged")

    def _judge(self, condition: Condition) -> None:
        alarm = self._raised.get(condition)
        finding = condition(self._watch, alarm is not None)
        if finding is not None:
            if alarm is None:
                alarm = self._raised[condition] = Alarm(finding, int(self._watch.wall() * 1000))
                log.warn("alarm {code}: {title}", code=finding.code, title=finding.title)
                self._tell(alarm, raised=True)
            alarm.finding, alarm.missed = finding, 0
        elif alarm is not None:
            alarm.missed += 1
            if alarm.missed >= CLEAR_AFTER:
                del self._raised[condition]
                log.info("alarm {code} is over", code=alarm.finding.code)
                self._tell(alarm, raised=False)

    def _tell(self, alarm: Alarm, *, raised: bool) -> None:
        for each in self.on_change:
            each(alarm, raised)

    def _again(self) -> None:
        self.start()
        self.look()


def tell_alarm(events: Events, alarm: Alarm, raised: bool) -> None:
    """Tell an alarm as events.

    Args:
        events: of the broker.
        alarm: that is raised or cleared.
        raised: which of them.
    """
    found = alarm.finding
    events.tell(f"alarm/event/{'raised' if raised else 'cleared'}", code=found.code, title=found.title)
    if found.code == STORE_FAILING:
        events.tell(f"store/event/{'failing' if raised else 'works'}", reason=found.title)
    elif found.code == CERTIFICATE_EXPIRES and raised:
        events.tell("tls/event/expires", **found.evidence)
