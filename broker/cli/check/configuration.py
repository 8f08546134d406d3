"""Properties and plugin file, read as a start reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from broker.cli.check.findings import Finding, Findings
from broker.config.properties import Properties
from broker.errors import BrokerError
from broker.runlevels.plan import PlannedPlugin

CONFIGURATION = Findings("configuration")


def check_configuration(
    properties: Properties, plugin_file: Path | None
) -> tuple[list[Finding], tuple[PlannedPlugin, ...]]:
    """Read everything that a start reads before it touches anything.

    Args:
        properties: of the command line, the environment and the property file.
        plugin_file: named on the command line, or ``None`` for that of the package.

    Returns:
        What was found, and the plugins that would be started.
    """
    from broker.app import CORE
    from broker.config import declared
    from broker.runlevels.check import check
    from broker.runlevels.pluginfile import read

    findings: list[Finding] = []
    plugins: tuple[PlannedPlugin, ...] = ()

    def plan() -> None:
        nonlocal plugins
        plugins = tuple(each for each in check(read(plugin_file), properties, CORE).plugins if each.startup_level)

    registry = declared.load()
    with _warnings() as warnings:
        for step in (lambda: registry.validate(properties), plan, lambda: registry.report(properties)):
            findings += _problems(step)
    findings += [CONFIGURATION.warning(text) for text in warnings]
    if not findings:
        count = len(properties.given())
        findings.append(CONFIGURATION.ok(f"{count} properties are set, {len(plugins)} plugins would be started"))
    return findings, plugins


def _problems(step: Callable[[], None]) -> Iterator[Finding]:
    try:
        step()
    except BrokerError as error:
        yield from (CONFIGURATION.problem(line) for line in error.message.splitlines())


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the log is warned of meanwhile: a start says there what it ignores."""
    found: list[str] = []

    @provider(ILogObserver)
    def take(event: LogEvent) -> None:
        if event.get("log_level") is LogLevel.warn:
            found.append(formatEvent(event))

    globalLogPublisher.addObserver(take)
    try:
        yield found
    finally:
        globalLogPublisher.removeObserver(take)
