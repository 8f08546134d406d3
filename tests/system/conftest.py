"""What the tests with real processes share: time for a machine that is slow, or busy with other tests."""

from __future__ import annotations

from pathlib import Path

import pytest

TIMEOUT = 240
"""Seconds; a test that gives itself another limit keeps it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT))
