"""What a broker that runs on the data directory says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from broker.cli.check.findings import Finding, Findings, Severity, Subject
from broker.cli.transport import Administration, UnixAddress
from broker.errors import BrokerError

RUNNING = Findings("running")
SOCKET_FILE = "admin.sock"
TIMEOUT = 5.0
"""Seconds that it has for an answer."""
SEVERITIES = {"pass": Severity.OK, "warn": Severity.WARNING, "fail": Severity.PROBLEM}
DIAGNOSE = "broker diagnose tells what to do"


def check_running(subject: Subject, administration: Administration | None = None) -> Iterator[Finding]:
    """Ask it for its own checks; nothing is found where none runs.

    Args:
        subject: the broker.
        administration: of it, unless it is where the configuration says.
    """
    if subject.process is None:
        return
    named = next((path for each in subject.plugins if (path := each.attributes.get("socket", "").strip())), "")
    socket = Path(named) if named else subject.data / SOCKET_FILE
    asked = administration or Administration([UnixAddress(socket)], TIMEOUT)
    try:
        checks = asked.ask("GET", "/health/checks").read_object().get("checks")
    except BrokerError as error:
        reason = f"process {subject.process} runs here, and cannot be asked: {error.message}"
        yield RUNNING.warning(reason, "see its log")
        return
    for each in checks if isinstance(checks, list) else ():
        severity = SEVERITIES.get(str(each.get("status")), Severity.WARNING)
        told = ": ".join(str(each[name]) for name in ("name", "detail") if each.get(name))
        yield Finding(RUNNING.section, severity, told, "" if severity is Severity.OK else DIAGNOSE)
