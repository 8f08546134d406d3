"""Cases of many sessions: logging in, being idle, resuming after a crash."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.broker_system import BrokerSystem
from bench.case import Case, CaseError, Drive, Driver, Field, Figure, Figures, Run
from bench.managed_drive import Managed, Outages
from bench.native_cases import CPU, EFFORT, RATE
from bench.system import Settings, System
from bench.xmpp_cases import DELIVERY

_LOGINS = "Logins"
_MEMORY = "Memory of idle sessions"
_PACED = "Many clients that write seldom"
_RESUMING = "Resuming after `kill -9`"
_OUTAGES = "Back after `kill -9` of the broker, and of a manager"
_PLAIN = {"xmpp.plainWithoutTls": "true"}
_ROOMY: Settings = {
    "session.maxSessions": "100000",
    "plugin/socket/backlog": "4096",
    "plugin/xmpp/backlog": "4096",
    "plugin/socket/maxPendingLogins": "20000",
}
_ANYBODY: Settings = {**_ROOMY, **_PLAIN, "Security.Server.Plugin.htpasswd.secretfile": "NONE"}
_IDLE = 10_000
_NAMES = 10_100
"""More than there are clients, with those that warm up."""
_RETRIES = Figure("retries", "closed by the server and tried again", "", more_is_better=False)
_LOGIN = (
    Figure("logins_per_s", "logins"),
    Figure("login_p50_ms", "p50", "ms", more_is_better=False),
    Figure("login_p99_ms", "p99", "ms", more_is_better=False),
    _RETRIES,
    *CPU,
)
_SIZE = (
    Figure("kib_of_session", "a session", "KiB", more_is_better=False),
    Figure("rss_before_mib", "before", "MiB", more_is_better=False),
    Figure("rss_after_mib", "with all", "MiB", more_is_better=False),
    Figure("logins_per_s", "logins"),
    _RETRIES,
)
_BACK = (
    Figure("resumed_all_s", "all back", "s", more_is_better=False),
    Figure("resumed_p50_ms", "p50", "ms", more_is_better=False),
    Figure("resumed_p99_ms", "p99", "ms", more_is_better=False),
    _RETRIES,
    Figure("ports_open_s", "ports open after", "s", more_is_better=False),
    Figure("rss_mib", "memory", "MiB", more_is_better=False),
    *CPU,
)

_ALIVE = (
    Figure("broker_half_s", "half back after the broker's death", "s", more_is_better=False),
    Figure("broker_all_s", "all", "s", more_is_better=False),
    Figure("ports_open_s", "ports open after", "s", more_is_better=False),
    Figure("manager_half_s", "half back after the manager's death", "s", more_is_better=False),
    Figure("manager_all_s", "all", "s", more_is_better=False),
    _RETRIES,
)


def session_cases() -> list[Case]:
    """All of them."""
    return [*_logins(), *_idle(), _paced(), *_resumes(), _outages()]


def _logins() -> list[Case]:
    native = Drive("sessions", "native", {"protocol": "native", "clients": 1000}, _ROOMY)
    cases = [Case("login-native", _LOGINS, "native, 20 accounts", _LOGIN, {"broker": native})]
    for name, title, how in (
        ("plain", "XMPP, PLAIN, no TLS, 20 accounts", {}),
        ("scram", "XMPP, SCRAM-SHA-1, no TLS, 20 accounts", {"scram": True}),
        ("tls", "XMPP, STARTTLS, PLAIN, 20 accounts", {"tls": True}),
    ):
        work = {"protocol": "xmpp", "clients": 1000, **how}
        cases.append(Case(f"login-xmpp-{name}", _LOGINS, title, _LOGIN, _xmpp(work, {**_ROOMY, **_PLAIN})))
    return cases


def _idle() -> list[Case]:
    native = {"protocol": "native", "clients": _IDLE, "accounts": _NAMES}
    cases = [
        Case(
            "idle-native",
            _MEMORY,
            f"native, {_IDLE:,} login names",
            _SIZE,
            {"broker": Drive("sessions", "native", native, _ANYBODY)},
        )
    ]
    for name, title, tls in (("xmpp", "XMPP without TLS", False), ("xmpp-tls", "XMPP with TLS", True)):
        work = {**native, "protocol": "xmpp", "tls": tls, "available": True, "at_once": 100}
        cases.append(Case(f"idle-{name}", _MEMORY, f"{title}, {_IDLE:,} accounts", _SIZE, _xmpp(work, _ANYBODY)))
    return cases


def _paced() -> Case:
    work = {"clients": _IDLE, "rate": 2000, "seconds": 20.0, "warm_up": 5.0, "at_once": 100}
    runs: dict[str, Run] = {
        "broker": Drive("paced", "xmpp", work, _ANYBODY),
        "managers": Managed("paced", "xmpp", work, _ANYBODY),
    }
    title = f"{_IDLE:,} clients with TLS, together 2,000 messages a second, one at a time"
    return Case("paced-tls", _PACED, title, (RATE, EFFORT, *DELIVERY, *CPU), runs)


def _outages() -> Case:
    return Case(
        "outages-tls",
        _OUTAGES,
        f"{_IDLE:,} clients with TLS and resumable streams behind two managers",
        _ALIVE,
        {"managers": Outages({"clients": _IDLE, "at_once": 100}, _ANYBODY)},
    )


def _resumes() -> list[Case]:
    return [
        Case(
            "resume-plain",
            _RESUMING,
            f"XMPP, {_IDLE:,} login names, passwords not checked",
            _BACK,
            {"broker": Resume({"clients": _IDLE, "accounts": _NAMES, "available": True}, _ANYBODY)},
        ),
        Case(
            "resume-scram",
            _RESUMING,
            f"XMPP, {_IDLE:,} streams of 20 accounts, SCRAM-SHA-1",
            _BACK,
            {"broker": Resume({"clients": _IDLE, "accounts": 20, "scram": True}, {**_ROOMY, **_PLAIN})},
        ),
    ]


def _xmpp(work: Mapping[str, Any], ours: Settings) -> dict[str, Run]:
    theirs = {setting: "true" for setting, needed in (("tls", "tls"), ("hashed", "scram")) if work.get(needed)}
    if "accounts" in work:
        theirs["accounts"] = str(_NAMES)
    behind: dict[str, Run] = {"managers": Managed("sessions", "xmpp", work, ours)} if work.get("tls") else {}
    return {
        "broker": Drive("sessions", "xmpp", work, ours),
        **behind,
        "ejabberd": Drive("sessions", "xmpp", work, theirs),
        "prosody": Drive("sessions", "xmpp", work, theirs),
    }


@dataclass(frozen=True, slots=True)
class Resume:
    """Log clients in, kill the broker, start it again, and have all resume at once.

    Args:
        specification: of the load.
        settings: of the broker.
    """

    specification: Mapping[str, Any]
    settings: Settings

    def __call__(self, where: Field, system: System) -> Figures:
        """Do it."""
        assert isinstance(system, BrokerSystem)
        with where.started(system, self.settings) as running:
            driver = Driver("resume", running, "xmpp", where.scaled(self.specification))
            try:
                driver.hear()
                running.kill()
                start = time.monotonic()
                again = system.start_again(running, self.settings)
                ports_open = time.monotonic() - start
                try:
                    driver.tell(watch=list(again.pids))
                    return {**driver.figures(), "ports_open_s": ports_open, "rss_mib": again.rss_mib()}
                except CaseError as error:
                    raise CaseError(f"{error}\nafter the start: {again.process.text()[-1000:]}") from None
                finally:
                    again.kill()
            finally:
                driver.kill()
