"""Cases of XMPP."""

from __future__ import annotations

from typing import Any

from bench.case import Case, Drive, Figure, Run
from bench.native_cases import CPU, EFFORT, RATE, TIMED

GROUP = "XMPP"
PLAIN = {"xmpp.plainWithoutTls": "true"}
DELIVERY = (
    Figure("delivered_p50_ms", "delivery p50", "ms", more_is_better=False),
    Figure("delivered_p99_ms", "delivery p99", "ms", more_is_better=False),
)


def xmpp_cases() -> list[Case]:
    """All of them."""
    return [
        _pairs("pair", "1 pair", pairs=1),
        _pairs("pairs-10", "10 pairs", pairs=10),
        _with_tls("pair-tls", "1 pair, TLS", pairs=1),
        _with_tls("pairs-10-tls", "10 pairs, TLS", pairs=10),
        _with_tls("pair-sm-tls", "1 pair, TLS, stream management, resumable after a crash", pairs=1, managed=True),
        _pairs("pair-sm", "1 pair, stream management, resumable after a crash", pairs=1, managed=True),
        _pairs("pairs-10-sm", "10 pairs, stream management, resumable after a crash", pairs=10, managed=True),
        _less_durable("pair-sm-messages", "1 pair, stream management, `sm.durable=messages`", "messages", pairs=1),
        _less_durable("pair-sm-memory", "1 pair, stream management, `sm.durable=no`", "no", pairs=1),
        _less_durable("pairs-10-sm-memory", "10 pairs, stream management, `sm.durable=no`", "no", pairs=10),
    ]


def _pairs(name: str, title: str, **specification: Any) -> Case:
    return _case(name, title, PLAIN, specification)


def _with_tls(name: str, title: str, **specification: Any) -> Case:
    """The broker alone, and behind connection managers."""
    complete = {**TIMED, "window": 500, "probes": 300, "tls": True, **specification}
    runs: dict[str, Run] = {each: Drive("xmpp", "xmpp", complete) for each in ("broker", "managers")}
    return Case(f"xmpp-{name}", GROUP, title, (RATE, EFFORT, *DELIVERY, *CPU), runs)


def _less_durable(name: str, title: str, durable: str, **specification: Any) -> Case:
    return _case(name, title, {**PLAIN, "sm.durable": durable}, {**specification, "managed": True})


def _case(name: str, title: str, settings: dict[str, str], specification: dict[str, Any]) -> Case:
    complete = {**TIMED, "window": 500, "probes": 300, **specification}
    runs: dict[str, Run] = {
        "broker": Drive("xmpp", "xmpp", complete, settings),
        "ejabberd": Drive("xmpp", "xmpp", complete),
        "prosody": Drive("xmpp", "xmpp", complete),
    }
    if not complete.get("managed"):
        lanes = {**TIMED, "content": "xmpp", "lanes": complete["pairs"]}
        runs["relay"] = Drive("relay", "relay", lanes, {"cut": "xmpp"})
    return Case(f"xmpp-{name}", GROUP, title, (RATE, EFFORT, *DELIVERY, *CPU), runs)
