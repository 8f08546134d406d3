"""What a check finds, and what it is made on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from broker.config.properties import Properties
from broker.runlevels.plan import PlannedPlugin


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """The broker starts; somebody should look at it."""
    PROBLEM = "problem"
    """The broker does not start, or does not do what it should."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at.

    Args:
        section: of the check, such as ``certificates``.
        severity: how bad it is.
        detail: one sentence.
        what_to_do: one sentence; empty where nothing is to be done.
    """

    section: str
    severity: Severity
    detail: str
    what_to_do: str = ""

    def as_json(self) -> Mapping[str, str]:
        """For programs, with the names that the API uses."""
        told = {"section": self.section, "severity": self.severity.value, "detail": self.detail}
        return {**told, "whatToDo": self.what_to_do} if self.what_to_do else told


@dataclass(frozen=True, slots=True)
class Findings:
    """Makes findings of one section.

    Args:
        section: its name.
    """

    section: str

    def ok(self, detail: str) -> Finding:
        """All is well."""
        return Finding(self.section, Severity.OK, detail)

    def warning(self, detail: str, what_to_do: str = "") -> Finding:
        """Somebody should look at it."""
        return Finding(self.section, Severity.WARNING, detail, what_to_do)

    def problem(self, detail: str, what_to_do: str = "") -> Finding:
        """It does not work so."""
        return Finding(self.section, Severity.PROBLEM, detail, what_to_do)


@dataclass(frozen=True, slots=True)
class Subject:
    """A broker as it is configured.

    Args:
        data: its data directory.
        properties: that it has.
        plugins: those of its plugin file that it would start.
        process: of the broker that runs on the data directory; ``None`` where none does.
    """

    data: Path
    properties: Properties
    plugins: tuple[PlannedPlugin, ...] = field(default=())
    process: int | None = None
