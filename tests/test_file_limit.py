"""How many files may be open."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest
from twisted.logger import formatEvent

from broker.file_limit import SPARE, log, warn_of_file_limit

RAISE = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
from broker.file_limit import raise_file_limit
print(raise_file_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    found: list[str] = []
    monkeypatch.setattr(log, "observer", lambda event: found.append(formatEvent(event)))
    yield found


def test_the_soft_limit_becomes_the_hard_one() -> None:
    done = subprocess.run([sys.executable, "-c", RAISE], text=True, capture_output=True, check=True)

    assert done.stdout.split() == ["200", "200", "200"]


def test_fewer_files_than_connections_are_told_of(lines: list[str]) -> None:
    warn_of_file_limit(1024, 1024 - SPARE + 1)

    assert "1024 files may be open" in lines[0]


@pytest.mark.parametrize("limit", [1024, resource.RLIM_INFINITY])
def test_enough_files_are_not_worth_a_line(limit: int, lines: list[str]) -> None:
    warn_of_file_limit(limit, 1024 - SPARE)

    assert lines == []
