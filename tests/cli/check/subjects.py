"""Brokers that checks are made on."""

from __future__ import annotations

from pathlib import Path

from broker.cli.check.configuration import check_configuration
from broker.cli.check.findings import Finding, Subject
from broker.config.properties import Properties
from broker.config.sources import COMMAND_LINE
from broker.config.syntax import Setting


def properties_of(settings: dict[str, str]) -> Properties:
    """Properties of a command line."""
    return Properties([Setting(name, value, COMMAND_LINE) for name, value in settings.items()])


def subject(data: Path, settings: dict[str, str] | None = None, process: int | None = None) -> Subject:
    """A broker with the plugins of the package."""
    properties = properties_of(settings or {})
    found, plugins = check_configuration(properties, None)
    assert [each.severity for each in found] == ["ok"], found
    return Subject(data, properties, plugins, process)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    """How bad each is, and what it says."""
    return [(each.severity.value, each.detail) for each in findings]
