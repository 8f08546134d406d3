"""Every store passes the one contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.databases import emptied_postgresql
from tests.contract.stages import MemoryStage, PostgresqlStage, SqliteStage, Stage
from tests.contract.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return MemoryStage()


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[Stage]:
        stage = SqliteStage(tmp_path)
        yield stage
        stage.close()


class TestPostgresqlStore(StoreContract):
    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        with emptied_postgresql() as url:
            stage = PostgresqlStage(url)
            yield stage
            stage.close()
