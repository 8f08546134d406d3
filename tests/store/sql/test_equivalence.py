"""The store on a database and the one in memory cannot be told apart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from broker.model.records import AuditQuery
from broker.store.sql import journal
from tests.contract.databases import empty, postgresql
from tests.contract.stages import MemoryStage, PostgresqlStage, SqliteStage, Stage
from tests.store.operations import QUEUES, RANKS, Operation, operations


def reads(stage: Stage) -> list[Any]:
    return [
        *(stage.run(stage.store.read_entries(queue, rank, 0, 100)) for queue in QUEUES for rank in RANKS),
        stage.run(stage.store.read_expired(100, 100, 10_000)),
        stage.run(stage.store.read_documents("", "roster")),
        stage.run(stage.store.read_audit(AuditQuery())),
    ]


def play(stage: Stage, given: list[Operation]) -> list[Any]:
    """What is read in between, and can be seen after the end."""
    seen: list[Any] = []
    for operation in given:
        if operation.name == "commit":
            stage.commit()
        elif operation.name == "read_entries":
            seen.append(stage.run(stage.store.read_entries(*operation.args)))
        else:
            getattr(stage.store, operation.name)(*operation.args)
    seen += reads(stage)
    stage.restart()
    seen.append(stage.run(stage.store.recover()))
    seen += reads(stage)
    stage.close()
    return seen


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with tables, to be copied: they take longer to make than all else here."""
    directory = tmp_path_factory.mktemp("migrated")
    SqliteStage(directory).close()
    return directory / "broker.db"


@pytest.mark.slow
@pytest.mark.timeout(240)  # many examples, each with a database
@given(given=operations(reads=True), small=st.sampled_from([0, 3, journal.SMALL]))
@settings(max_examples=60)
def test_on_sqlite(migrated: Path, given: list[Operation], small: int) -> None:
    with TemporaryDirectory() as directory, mock.patch.object(journal, "SMALL", small):
        shutil.copy(migrated, directory)

        assert play(SqliteStage(Path(directory)), given) == play(MemoryStage(), given)


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.mark.slow
@pytest.mark.timeout(240)  # many examples, each with a database
@given(given=operations(reads=True))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_on_postgresql(postgresql_url: str, given: list[Operation]) -> None:
    with create_engine(postgresql_url, poolclass=NullPool).begin() as connection:
        empty(connection)

    assert play(PostgresqlStage(postgresql_url), given) == play(MemoryStage(), given)
