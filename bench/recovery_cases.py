"""Cases of much that is left behind: recovery after a crash, and a deep queue.

All of it is built through the protocol.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.broker_system import BrokerSystem
from bench.case import Case, CaseError, Drive, Driver, Field, Figure, Figures
from bench.system import Settings, System

_DEEP_GROUP = "A deep queue"
_RECOVERY_GROUP = "Recovery"
_ANYBODY: Settings = {
    "Security.Server.Plugin.htpasswd.secretfile": "NONE",
    "session.maxSessions": "100000",
    "plugin/socket/backlog": "4096",
    "plugin/socket/maxPendingLogins": "20000",
}
_POLL = 0.02
_PATIENCE = 10.0
_RECOVERY = (
    Figure("ports_open_s", "ready after", "s", more_is_better=False),
    Figure("let_in_s", "first let in after", "s", more_is_better=False),
    Figure("rss_recovered_mib", "memory then", "MiB", more_is_better=False),
    Figure("rss_built_mib", "memory before", "MiB", more_is_better=False),
    Figure("rss_sessions_mib", "with sessions alone", "MiB", more_is_better=False),
    Figure("sessions_per_s", "sessions made"),
    Figure("queued_per_s", "queued"),
    Figure("database_mib", "database", "MiB", more_is_better=False),
)
_DEEP = (
    Figure("peak_mib", "most memory", "MiB", more_is_better=False),
    Figure("filled_peak_mib", "most while filling", "MiB", more_is_better=False),
    Figure("rate_1_per_s", "first tenth"),
    Figure("rate_10_per_s", "last tenth"),
    Figure("last_to_first", "last : first", ""),
    Figure("rate_empty_per_s", "right after, to an empty queue"),
    Figure("last_to_empty", "last : that", ""),
    Figure("drained_per_s", "drained"),
    *(Figure(f"rss_{step}_mib", f"memory at {step}/10", "MiB", more_is_better=False) for step in range(1, 11)),
)


def recovery_cases() -> list[Case]:
    """All of them."""
    deep = {"to": "session", "persistent": True, "bulk": 100, "messages": 1_000_000, "seconds": 1.0, "warm_up": 0.0}
    return [
        Case(
            "deep-queue",
            _DEEP_GROUP,
            "1,000,000 persistent messages to one session that is away, 100 B",
            _DEEP,
            {"broker": Drive("deep", "native", deep)},
        ),
        Case(
            "recovery",
            _RECOVERY_GROUP,
            "`kill -9` with 100,000 persistent sessions and 1,000,000 persistent messages for them",
            _RECOVERY,
            {"broker": Recovery({"sessions": 100_000, "messages": 1_000_000})},
        ),
    ]


class Knocking(threading.Thread):
    """Tries a port again and again until it is let in.

    Args:
        host: of the port.
        port: its number.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True)
        self._address = (host, port)
        self._opened = 0.0
        self.start()

    def run(self) -> None:
        """Try, and note when."""
        while True:
            with contextlib.suppress(OSError), socket.create_connection(self._address, timeout=1):
                self._opened = time.monotonic()
                return
            time.sleep(_POLL)

    def opened(self) -> float:
        """When it was let in; the port must be open by now.

        Raises:
            CaseError: it was not.
        """
        self.join(_PATIENCE)
        if not self._opened:
            raise CaseError("the broker says that it is ready, and lets nobody in")
        return self._opened


@dataclass(frozen=True, slots=True)
class Recovery:
    """Build, kill, start again; then some sessions look whether all is there.

    Args:
        specification: of the load.
    """

    specification: Mapping[str, Any]

    def __call__(self, where: Field, system: System) -> Figures:
        """Do it."""
        assert isinstance(system, BrokerSystem)
        with where.started(system, _ANYBODY) as running:
            driver = Driver("population", running, "native", where.scaled(self.specification))
            try:
                driver.hear()
                running.kill()
                size = sum(file.stat().st_size for file in running.data.glob("broker.db*"))
                knocking = Knocking(*running.ports["native"])
                start = time.monotonic()
                again = system.start_again(running, _ANYBODY, patience=600)
                figures = {
                    "ports_open_s": time.monotonic() - start,
                    "let_in_s": knocking.opened() - start,
                    "rss_recovered_mib": again.rss_mib(),
                    "database_mib": size / (1 << 20),
                }
                try:
                    driver.tell(port=again.ports["native"][1])
                    return {**driver.figures(), **figures}
                finally:
                    again.kill()
            finally:
                driver.kill()
