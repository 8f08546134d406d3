"""Cases of the native protocol, and the nearest equal work of other brokers.

Nearest to oneway is QoS 0 of MQTT, and AMQP without acknowledgements and confirms. Nearest to acknowledged is QoS 1,
and AMQP with acknowledgements and confirms; where messages are persistent, with sessions that last and ``persistence
true``, and with durable queues and persistent messages. Where we have updates of 100, these may have a hundred messages
that are not acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.case import Case, Drive, Field, Figure, Figures, Run
from bench.disk import sync_times
from bench.system import System

TIMED: Mapping[str, Any] = {"seconds": 2.0, "warm_up": 0.5}
RATE = Figure("delivered_per_s", "deliveries")
EFFORT = Figure("per_cpu_s", "in a second of server time", "")
CPU = (
    Figure("driver_cpu", "driver", "cpu", more_is_better=False),
    Figure("server_cpu", "server", "cpu", more_is_better=False),
    Figure("other_cpu", "others", "cpu", more_is_better=False),
)
_RATES = "Native protocol"
_AWAY = "Native protocol, to a receiver that is away"
_TRIPS = "Native protocol, round trips without load"
_DRAIN = Figure("drained_per_s", "drained")
_LATENCY = (
    Figure("acknowledged_p50_ms", "answer p50", "ms", more_is_better=False),
    Figure("acknowledged_p99_ms", "answer p99", "ms", more_is_better=False),
    Figure("delivered_p50_ms", "delivery p50", "ms", more_is_better=False),
    Figure("delivered_p99_ms", "delivery p99", "ms", more_is_better=False),
    Figure("sync_p50_ms", "disk sync p50", "ms", more_is_better=False),
    Figure("sync_p99_ms", "disk sync p99", "ms", more_is_better=False),
)
_BULK = "updates of 100"
_KEPT = {"persistence": "true"}


def native_cases() -> list[Case]:
    """All of them."""
    return [*_oneway(), *_volatile(), *_durable(), *_sessions(), *_latencies()]


def _oneway() -> list[Case]:
    cases = []
    for subscribers in (1, 10, 100):
        title = f"oneway, volatile, {_subscribers(subscribers)}, 100 B"
        others = _others(subscribers) if subscribers < 100 else {}
        cases.append(_rate(f"oneway-{subscribers}", title, others, oneway=True, subscribers=subscribers))
    cases.append(_rate("oneway-bulk-100", f"oneway, volatile, {_BULK}, 1 subscriber, 100 B", oneway=True, bulk=100))
    for name, size in (("1k", 1024), ("64k", 65_536)):
        title = f"oneway, volatile, 1 subscriber, {size // 1024} KiB"
        cases.append(_rate(f"oneway-{name}", title, _others(1, size), oneway=True, size=size))
    return cases


def _volatile() -> list[Case]:
    begin = "acknowledged, volatile"
    relay = Drive("relay", "relay", {**TIMED, "answered": True}, {"cut": "native"})
    cases = [
        _rate("ack-1", f"{begin}, updates of 1, 1 subscriber, 100 B"),
        _rate(
            "ack-bulk-100", f"{begin}, {_BULK}, 1 subscriber, 100 B", {**_acknowledging(1), "relay": relay}, bulk=100
        ),
        _rate("ack-bulk-100-array-50", f"{begin}, requests of 50, {_BULK}, 1 subscriber, 100 B", bulk=100, array=50),
    ]
    for subscribers in (10, 100):
        title = f"{begin}, {_BULK}, {subscribers} subscribers, 100 B"
        others = _acknowledging(subscribers) if subscribers < 100 else {}
        cases.append(_rate(f"ack-{subscribers}-bulk-100", title, others, bulk=100, subscribers=subscribers))
    for name, size in (("1k", 1024), ("64k", 65_536)):
        title = f"{begin}, {_BULK}, 1 subscriber, {size // 1024} KiB"
        cases.append(_rate(f"ack-{name}-bulk-100", title, bulk=100, size=size))
    return cases


def _durable() -> list[Case]:
    begin = "acknowledged, persistent"
    cases = [_rate("durable-1", f"{begin}, updates of 1, 1 subscriber, 100 B", persistent=True)]
    for subscribers in (1, 10):
        cases.append(
            _rate(
                f"durable-{subscribers}-bulk-100" if subscribers > 1 else "durable-bulk-100",
                f"{begin}, {_BULK}, {_subscribers(subscribers)}, 100 B",
                _keeping(subscribers),
                persistent=True,
                bulk=100,
                subscribers=subscribers,
            )
        )
    for name, size in (("1k", 1024), ("64k", 65_536)):
        title = f"{begin}, {_BULK}, 1 subscriber, {size // 1024} KiB"
        cases.append(_rate(f"durable-{name}-bulk-100", title, persistent=True, bulk=100, size=size))
    return cases


def _sessions() -> list[Case]:
    own: dict[str, Any] = {"to": "session", "persistent": True}
    messages = 100_000
    absent = {**own, "bulk": 100, "messages": messages}
    queued = (
        Figure("published_per_s", "queued"),
        _DRAIN,
        EFFORT,
        Figure("drained_per_cpu_s", "drained in a second of server time", ""),
        *CPU,
    )
    others: dict[str, Run] = {
        "mosquitto": _mqtt("mqtt-absent", _KEPT, qos=1, lasting=True, messages=messages),
        "rabbitmq": _amqp("amqp-absent", acknowledged=True, persistent=True, messages=messages),
    }
    ours = Drive("native-absent", "native", {**TIMED, **absent})
    arrays = Drive("native-absent", "native", {**TIMED, **absent, "array": 50})
    return [
        _rate("ptp-1", "point to point, persistent, updates of 1, 100 B", **own),
        _rate("ptp-bulk-100", f"point to point, persistent, {_BULK}, 100 B", _keeping(1), bulk=100, **own),
        Case("native-absent", _AWAY, "persistent, 100 B", queued, {"broker": ours, **others}),
        Case("native-absent-array-50", _AWAY, "persistent, requests of 50, 100 B", queued, {"broker": arrays}),
    ]


def _latencies() -> list[Case]:
    volatile = {**TIMED, "to": "session", "probes": 1000}
    return [
        Case("latency-volatile", _TRIPS, "volatile", _LATENCY, {"broker": Synced(volatile)}),
        Case("latency-durable", _TRIPS, "persistent", _LATENCY, {"broker": Synced({**volatile, "persistent": True})}),
    ]


@dataclass(frozen=True, slots=True)
class Synced:
    """Round trips, and right after them the disk's own time for a sync.

    Args:
        specification: of the load.
    """

    specification: Mapping[str, Any]

    def __call__(self, where: Field, system: System) -> Figures:
        """Do it."""
        figures = Drive("native-latency", "native", self.specification)(where, system)
        with where.directory() as path:
            return {**figures, **sync_times(path, 1000)}


def _others(subscribers: int, size: int = 100) -> dict[str, Run]:
    """Without acknowledgements."""
    work = {"subscribers": subscribers, "size": size, "window": 250 if size > 10_000 else 500}
    return {
        "mosquitto": _mqtt("mqtt", {}, qos=0, **work),
        "rabbitmq": _amqp("amqp", **work),
        "relay": Drive("relay", "relay", {**TIMED, **work}, {"cut": "native"}),
    }


def _acknowledging(subscribers: int) -> dict[str, Run]:
    return {
        "mosquitto": _mqtt("mqtt", {}, qos=1, subscribers=subscribers),
        "rabbitmq": _amqp("amqp", acknowledged=True, subscribers=subscribers),
    }


def _keeping(subscribers: int) -> dict[str, Run]:
    """With everything on disk."""
    return {
        "mosquitto": _mqtt("mqtt", _KEPT, qos=1, lasting=True, subscribers=subscribers),
        "rabbitmq": _amqp("amqp", acknowledged=True, persistent=True, subscribers=subscribers),
    }


def _rate(name: str, title: str, others: Mapping[str, Run] | None = None, **specification: Any) -> Case:
    ours = Drive("native", "native", {**TIMED, **specification})
    return Case(f"native-{name}", _RATES, title, (RATE, EFFORT, *CPU), {"broker": ours, **(others or {})})


def _mqtt(load: str, settings: Mapping[str, str], **specification: Any) -> Drive:
    return Drive(load, "mqtt", {**TIMED, **specification}, settings)


def _amqp(load: str, **specification: Any) -> Drive:
    return Drive(load, "amqp", {**TIMED, **specification})


def _subscribers(number: int) -> str:
    return "1 subscriber" if number == 1 else f"{number} subscribers"
