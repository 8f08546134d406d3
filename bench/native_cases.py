"""Cases of the native protocol, and the nearest equal work of other brokers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.case import Case, Drive, Figure, Run

TIMED: Mapping[str, Any] = {"seconds": 3.0, "warm_up": 0.7}
RATE = Figure("delivered_per_s", "deliveries")
CPU = (
    Figure("driver_cpu", "driver", "cpu", more_is_better=False),
    Figure("server_cpu", "server", "cpu", more_is_better=False),
    Figure("other_cpu", "others", "cpu", more_is_better=False),
)
DRAIN = Figure("drained_per_s", "drained")
GROUP = "Native protocol"
LATENCY = (
    Figure("acknowledged_p50_ms", "answer p50", "ms", more_is_better=False),
    Figure("acknowledged_p99_ms", "answer p99", "ms", more_is_better=False),
    Figure("delivered_p50_ms", "delivery p50", "ms", more_is_better=False),
    Figure("delivered_p99_ms", "delivery p99", "ms", more_is_better=False),
)


def native_cases() -> list[Case]:
    """All of them."""
    return [*_topics(), *_sessions(), *_latencies()]


def _topics() -> list[Case]:
    return [
        _rate("oneway-1", "oneway, volatile, 1 subscriber, 100 B", oneway=True),
        _rate("oneway-10", "oneway, volatile, 10 subscribers, 100 B", oneway=True, subscribers=10),
        _rate("oneway-100", "oneway, volatile, 100 subscribers, 100 B", oneway=True, subscribers=100),
        _rate("oneway-bulk-100", "oneway, volatile, updates of 100, 1 subscriber, 100 B", oneway=True, bulk=100),
        _rate("oneway-1k", "oneway, volatile, 1 subscriber, 1 KiB", oneway=True, size=1024),
        _rate("oneway-64k", "oneway, volatile, 1 subscriber, 64 KiB", oneway=True, size=65_536),
        _rate("ack-1", "acknowledged, volatile, updates of 1, 1 subscriber, 100 B"),
        _rate("ack-bulk-100", "acknowledged, volatile, updates of 100, 1 subscriber, 100 B", bulk=100),
        _rate(
            "ack-bulk-100-array-50",
            "acknowledged, volatile, requests of 50, updates of 100, 1 subscriber, 100 B",
            bulk=100,
            array=50,
        ),
        _rate(
            "ack-10-bulk-100", "acknowledged, volatile, updates of 100, 10 subscribers, 100 B", bulk=100, subscribers=10
        ),
        _rate(
            "ack-100-bulk-100",
            "acknowledged, volatile, updates of 100, 100 subscribers, 100 B",
            bulk=100,
            subscribers=100,
        ),
        _rate("ack-1k-bulk-100", "acknowledged, volatile, updates of 100, 1 subscriber, 1 KiB", bulk=100, size=1024),
        _rate(
            "ack-64k-bulk-100", "acknowledged, volatile, updates of 100, 1 subscriber, 64 KiB", bulk=100, size=65_536
        ),
        _rate("durable-1", "acknowledged, persistent, updates of 1, 1 subscriber, 100 B", persistent=True),
        _rate(
            "durable-bulk-100",
            "acknowledged, persistent, updates of 100, 1 subscriber, 100 B",
            persistent=True,
            bulk=100,
        ),
        _rate(
            "durable-10-bulk-100",
            "acknowledged, persistent, updates of 100, 10 subscribers, 100 B",
            persistent=True,
            bulk=100,
            subscribers=10,
        ),
        _rate(
            "durable-1k-bulk-100",
            "acknowledged, persistent, updates of 100, 1 subscriber, 1 KiB",
            persistent=True,
            bulk=100,
            size=1024,
        ),
        _rate(
            "durable-64k-bulk-100",
            "acknowledged, persistent, updates of 100, 1 subscriber, 64 KiB",
            persistent=True,
            bulk=100,
            size=65_536,
        ),
    ]


def _sessions() -> list[Case]:
    absent = {"to": "session", "persistent": True, "bulk": 100, "messages": 100_000}
    queued = (Figure("published_per_s", "queued"), DRAIN, *CPU)
    return [
        _rate("ptp-1", "point to point, persistent, updates of 1, 100 B", to="session", persistent=True),
        _rate(
            "ptp-bulk-100", "point to point, persistent, updates of 100, 100 B", to="session", persistent=True, bulk=100
        ),
        _case("absent", "to a session that is away, persistent, 100 B", queued, _ours("native-absent", **absent)),
        _case(
            "absent-array-50",
            "to a session that is away, persistent, requests of 50, 100 B",
            queued,
            _ours("native-absent", array=50, **absent),
        ),
    ]


def _latencies() -> list[Case]:
    return [
        _case(
            "latency-volatile",
            "round trip without load, volatile",
            LATENCY,
            _ours("native-latency", to="session", probes=1000),
        ),
        _case(
            "latency-durable",
            "round trip without load, persistent",
            LATENCY,
            _ours("native-latency", to="session", persistent=True, probes=1000),
        ),
    ]


def _rate(name: str, title: str, **specification: Any) -> Case:
    return _case(name, title, (RATE, *CPU), _ours("native", **specification))


def _case(name: str, title: str, figures: tuple[Figure, ...], ours: Run, **others: Run) -> Case:
    return Case(f"native-{name}", GROUP, title, figures, {"broker": ours, **others})


def _ours(load: str, **specification: Any) -> Drive:
    return Drive(load, "native", {**TIMED, **specification})
