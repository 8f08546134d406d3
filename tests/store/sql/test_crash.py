"""``kill -9`` loses nothing that the store reported as committed, and brings nothing back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from broker.model.records import QueueDepth
from tests.contract.records import RANK
from tests.contract.stages import PostgresqlStage, SqliteStage
from tests.contract.store_contract import read

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("lines", [1, 200, 2000])
def test_kill_loses_nothing_that_was_reported(url: str, tmp_path: Path, lines: int) -> None:
    command = [sys.executable, "-m", "tests.store.sql.writing_process", url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            reported = [process.stdout.readline() for _ in range(lines)]
        finally:
            process.kill()
        reported += process.stdout.readlines()

    words = [line.split() for line in reported if line.endswith("\n")]
    put = {int(number) for word, number in words if word == "put"}
    settled = {int(number) for word, number in words if word == "settled"}
    assert put

    survivor = SqliteStage(tmp_path) if url.startswith("sqlite") else PostgresqlStage(url, patience=10)
    recovered = survivor.run(survivor.store.recover())
    found = read(survivor, 7, limit=1_000_000)
    survivor.close()

    being_settled = {id for id in put if id % 3 == 0} - settled  # whose commit was not reported may be either
    assert put - settled - being_settled <= set(found)
    assert not settled & set(found)
    assert found == sorted(found)
    assert recovered.depths == [QueueDepth(7, RANK, len(found), 10 * len(found))]
