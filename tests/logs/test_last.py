from __future__ import annotations

import pytest
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from broker.logs.last import MAX_CHARACTERS, LastLines


def logger(last: LastLines) -> Logger:
    return Logger("broker.core.queues", observer=last)


@pytest.mark.parametrize("level", [LogLevel.error, LogLevel.critical])
def test_the_last_error_is_kept_until_another_comes(level: LogLevel) -> None:
    last = LastLines()
    logger(last).emit(level, "queue {id} is broken", id=7)
    logger(last).warn("slow")
    logger(last).info("all is well")
    assert (last.error, last.warning) == ("queue 7 is broken", "slow")


def test_a_failure_is_told_with_what_it_was() -> None:
    last = LastLines()
    logger(last).failure("a commit failed", Failure(ValueError("no room")))
    assert last.error == "a commit failed: no room"


def test_a_long_text_is_cut() -> None:
    last = LastLines()
    logger(last).error("{text}", text="x" * 5000)
    assert len(last.error) == MAX_CHARACTERS
