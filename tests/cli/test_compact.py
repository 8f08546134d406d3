"""``broker compact``, on the database of a data directory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.cli.main import main
from broker.errors import BrokerError
from broker.store.sql.accounts import AccountTable
from broker.store.sql.compact import compact
from broker.store.sql.database import Database
from tests.auth.support import account


def database_of(data: Path) -> Database:
    database = Database(f"sqlite:///{data}/broker.db", exclusive=True)
    database.open()
    return database


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A data directory whose database has an account, and room of what was deleted."""
    with AccountTable(f"sqlite:///{tmp_path}/broker.db") as accounts:
        accounts.put(account("joe", "secret"))
    database = database_of(tmp_path)
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE big (data)"))
        connection.execute(text("INSERT INTO big VALUES (zeroblob(5000000))"))
    with database.transaction() as connection:
        connection.execute(text("DROP TABLE big"))
    database.close()
    return tmp_path


def test_the_file_is_as_small_as_its_contents(grown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (grown / "broker.db").stat().st_size > 5_000_000
    assert main(["--data", str(grown), "compact"]) == 0
    size = (grown / "broker.db").stat().st_size
    assert size < 500_000
    assert re.fullmatch(rf"broker\.db: \d{{7}} bytes before, {size} bytes after\n", capsys.readouterr().out)


def test_what_is_in_it_stays(grown: Path) -> None:
    main(["--data", str(grown), "compact"])
    with AccountTable(f"sqlite:///{grown}/broker.db") as accounts:
        assert accounts.get("joe") is not None


def test_a_running_broker_is_left_alone(grown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = database_of(grown)
    assert main(["--data", str(grown), "compact"]) == 1
    assert "Another broker is running" in capsys.readouterr().err
    running.close()
    assert (grown / "broker.db").stat().st_size > 5_000_000


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "compact"]) == 1
    assert "There is no database" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_postgresql_sees_to_that_itself() -> None:
    with pytest.raises(BrokerError, match="autovacuum"):
        compact("postgresql://joe@localhost/broker")
