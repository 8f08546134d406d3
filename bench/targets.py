"""What the broker is meant to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NO_SLOWER = 0.95
"""Share of the first rate that the last one must have; less would be noise."""
Report = Mapping[str, Any]


class NotMeasured(Exception):
    """A case that a target needs was not run."""


@dataclass(frozen=True, slots=True)
class Target:
    """One of them.

    Args:
        title: what is measured.
        goal: to be reached.
        unit: of both.
        value: reads it from a report.
        at_least: whether more is better.
    """

    title: str
    goal: float
    unit: str
    value: Callable[[Report], float]
    at_least: bool = True

    def met(self, value: float) -> bool:
        """Whether a value is good enough."""
        return value >= self.goal if self.at_least else value <= self.goal


def targets() -> Sequence[Target]:
    """All of them."""
    return [
        _rate("oneway, volatile, 1 subscriber", 100_000, "native-oneway-1"),
        _rate("acknowledged, volatile, updates of 1", 4_500, "native-ack-1"),
        _rate("acknowledged, volatile, updates of 100", 60_000, "native-ack-bulk-100"),
        _rate("acknowledged, volatile, updates of 100, 10 subscribers", 250_000, "native-ack-10-bulk-100"),
        _rate("persistent from point to point, synced, updates of 100", 25_000, "native-ptp-bulk-100"),
        _rate("persistent to a session that is away", 30_000, "native-absent", "published_per_s"),
        _rate("the same, drained, updates of 100", 50_000, "native-absent", "drained_per_s"),
        _ratio("XMPP, 1 pair : ejabberd", 2.0, "xmpp-pair", "ejabberd"),
        _ratio("XMPP, 1 pair : Prosody", 3.0, "xmpp-pair", "prosody"),
        _ratio("XMPP, 1 pair, durable stream management : ejabberd", 1.5, "xmpp-pair-sm", "ejabberd"),
        _ratio("XMPP, 1 pair, durable stream management : Prosody", 2.0, "xmpp-pair-sm", "prosody"),
        _added_latency("p50", 1.0),
        _added_latency("p99", 5.0),
        _most("memory of an idle session, native", 15, "KiB", "idle-native", "kib_of_session"),
        _most("memory of an idle session, XMPP with TLS", 60, "KiB", "idle-xmpp-tls", "kib_of_session"),
        _most("1,000,000 messages queued for one session: most memory", 300, "MiB", "deep-queue", "peak_mib"),
        Target(
            "1,000,000 messages queued for one session: last tenth : as much to an empty queue, right after",
            _NO_SLOWER,
            "",
            lambda report: median(report, "deep-queue", "last_to_empty"),
        ),
        _most(
            "recovery of 100,000 sessions and 1,000,000 messages, until ports open", 30, "s", "recovery", "ports_open_s"
        ),
    ]


def judge(report: Report) -> list[dict[str, Any]]:
    """Each target with its measured median, and whether it is met; ``None`` where it was not measured, or quickly."""
    found: list[dict[str, Any]] = []
    for target in targets():
        entry: dict[str, Any] = {
            "title": target.title,
            "goal": target.goal,
            "unit": target.unit,
            "at_least": target.at_least,
        }
        try:
            value = None if report["quick"] else target.value(report)
        except NotMeasured:
            value = None
        found.append({**entry, "median": value, "met": None if value is None else target.met(value)})
    return found


def median(report: Report, case: str, figure: str) -> float:
    """A figure of the broker.

    Raises:
        NotMeasured: there is none.
    """
    try:
        return float(_case(report, case)["summary"]["broker"][figure]["median"])
    except KeyError:
        raise NotMeasured(case) from None


def _case(report: Report, name: str) -> Mapping[str, Any]:
    for case in report["cases"]:
        if case["name"] == name:
            found: Mapping[str, Any] = case
            return found
    raise NotMeasured(name)


def _rate(title: str, goal: float, case: str, figure: str = "delivered_per_s") -> Target:
    return Target(title, goal, "/s", lambda report: median(report, case, figure))


def _most(title: str, goal: float, unit: str, case: str, figure: str) -> Target:
    return Target(title, goal, unit, lambda report: median(report, case, figure), at_least=False)


def _ratio(title: str, goal: float, case: str, peer: str) -> Target:
    def value(report: Report) -> float:
        ratio = _case(report, case)["ratios"].get(peer)
        if ratio is None:
            raise NotMeasured(case)
        return float(ratio["median"])

    return Target(title, goal, "times", value)


def _added_latency(which: str, goal: float) -> Target:
    """What persistence adds to the time until the answer, beyond one sync of the disk, each at its median or p99."""

    def value(report: Report) -> float:
        key = f"acknowledged_{which}_ms"
        durable, volatile = median(report, "latency-durable", key), median(report, "latency-volatile", key)
        return durable - volatile - median(report, "latency-durable", f"sync_{which}_ms")

    return Target(
        f"latency of the answer, persistent over volatile, beyond one disk sync, {which}", goal, "ms", value, False
    )
