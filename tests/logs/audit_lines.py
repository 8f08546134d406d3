"""The audit, in the hands of a test."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.logger import LogEvent, formatEvent


def audit_lines(events: Iterable[LogEvent]) -> list[str]:
    """The lines of the audit among what was logged."""
    return [formatEvent(event) for event in events if event["log_namespace"] == "broker.audit"]
