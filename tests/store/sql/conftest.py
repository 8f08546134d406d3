"""Databases for the tests of the store on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import logged_errors
from tests.contract.databases import emptied_postgresql, postgresql
from tests.contract.stages import PostgresqlStage, SqliteStage, SqlStage

__all__ = ["logged_errors"]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Of a file that does not exist yet."""
    return f"sqlite:///{tmp_path}/broker.db"


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """Of a new database with tables."""
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Of either."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def sqlite_stage(tmp_path: Path) -> Iterator[SqliteStage]:
    stage = SqliteStage(tmp_path)
    yield stage
    stage.close()


@pytest.fixture
def postgresql_stage() -> Iterator[PostgresqlStage]:
    with emptied_postgresql() as url:
        stage = PostgresqlStage(url)
        yield stage
        stage.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def stage(request: pytest.FixtureRequest) -> SqlStage:
    """A store on either."""
    stage: SqlStage = request.getfixturevalue(f"{request.param}_stage")
    return stage
