"""Stages for the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher
from zope.interface import provider


@pytest.fixture
def logged_errors() -> Iterator[list[str]]:
    """Formats of what was logged as critical or as error."""
    formats: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_level") in {LogLevel.critical, LogLevel.error}:
            formats.append(event["log_format"])

    globalLogPublisher.addObserver(observe)
    yield formats
    globalLogPublisher.removeObserver(observe)
