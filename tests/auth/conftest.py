"""What is logged, for tests that look for what must or must not be in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import globalLogPublisher

from tests.auth.support import Logged


@pytest.fixture
def logged() -> Iterator[Logged]:
    logged = Logged()
    globalLogPublisher.addObserver(logged)
    yield logged
    globalLogPublisher.removeObserver(logged)
