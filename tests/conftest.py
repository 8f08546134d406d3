"""What all tests share: hypothesis profiles, a data directory, and what a run says about the tests that it left out."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As for a job that a shell has begun in the background: processes that tests start would ignore it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Time limits of single examples measure the machine, not the broker; and a gate must give the same answer twice.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


SYSTEM_TIMEOUT = 240
"""Seconds for a test with real processes, on a slow or busy machine; one that has a limit of its own keeps it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("system") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SYSTEM_TIMEOUT))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data directory of a broker."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped makes the run fail")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say by name what was left out, for each reason; pytest itself says where the reason was given."""
    skipped: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        skipped[reason.removeprefix("Skipped: ")].append(report.nodeid)
    for reason, names in skipped.items():
        terminalreporter.section(f"{len(names)} left out: {reason}")
        for name in sorted(names):
            terminalreporter.line(name)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where nothing may be skipped and something was; the controller of parallel workers has all reports."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("no_skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
