"""Making, opening and owning a database."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from broker.errors import BrokerError, Code
from broker.store.sql.database import Database, parse_url
from tests.contract.databases import postgresql


def modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_a_missing_directory_and_file_are_made_for_their_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "data"
    database = Database(f"sqlite:///{directory}/broker.db", exclusive=True)
    database.open()
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM entry"))
        found = modes(directory)
    database.close()

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert set(found) == {"broker.db", "broker.db.lock", "broker.db-wal", "broker.db-shm"}
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 0), ("busy_timeout", 5000)]
)
def test_sqlite_is_told_to_write_through(sqlite_url: str, pragma: str, value: object) -> None:
    database = Database(sqlite_url, exclusive=True)
    database.open()

    with database.transaction() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value
    database.close()


def test_postgresql_answers_after_it_has_written_whatever_its_default_is(postgresql_url: str) -> None:
    with create_engine(postgresql_url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        name = connection.engine.url.database
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    database = Database(postgresql_url, exclusive=True)

    with database.transaction() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    database.close()


def test_a_second_broker_is_refused_until_the_first_has_ended(url: str) -> None:
    first, second = (Database(url, exclusive=True, patience=0.1) for _ in range(2))
    first.open()

    with pytest.raises(BrokerError, match="Another broker is running") as caught:
        second.open()
    assert caught.value.code == Code.RESOURCE_CONFIGURATION
    assert "broker.db" in caught.value.message or "***" in caught.value.message

    first.close()
    second.open()
    second.close()


def test_who_only_looks_at_accounts_is_not_refused(url: str) -> None:
    broker, other = Database(url, exclusive=True), Database(url, exclusive=False)
    broker.open()
    other.open()

    with other.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM account")).scalar() == 0
    other.close()
    broker.close()


def test_an_old_schema_is_not_changed_under_a_running_broker(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broker, other = (Database(url, exclusive=exclusive, patience=0.1) for exclusive in (True, False))
    broker.open()
    monkeypatch.setattr("broker.store.sql.database.NEWEST", "9999")

    with pytest.raises(BrokerError, match="Another broker is running"):
        other.open()

    broker.close()
    other.open()
    other.close()


def test_after_a_failed_transaction_the_next_one_has_a_new_connection(url: str) -> None:
    database = Database(url, exclusive=True)
    database.open()
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        connection.execute(text("INSERT INTO handled VALUES (1, 2)"))
        failed = connection.connection.driver_connection
        _ = 1 // 0

    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM handled")).scalar() == 0
        assert connection.connection.driver_connection is not failed
    database.close()


def test_a_database_in_another_encoding_is_refused() -> None:
    with (
        postgresql(template=None) as url,
        create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection,
    ):
        connection.execute(text("CREATE DATABASE broker_test_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"))
        try:
            latin = connection.engine.url.set(database="broker_test_latin")
            database = Database(latin.render_as_string(hide_password=False), exclusive=True)
            with pytest.raises(BrokerError, match="LATIN1; it must be UTF8"):
                database.open()
        finally:
            connection.execute(text("DROP DATABASE broker_test_latin WITH (FORCE)"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://joe:secret@host/broker", "no store for 'mysql' databases"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_urls_of_no_use_are_refused(url: str, message: str) -> None:
    with pytest.raises(BrokerError, match=message) as caught:
        parse_url(url)

    assert caught.value.code == Code.RESOURCE_CONFIGURATION
    assert "secret" not in caught.value.message


def test_postgresql_needs_no_driver_in_its_url() -> None:
    assert parse_url("postgresql://joe@host/broker").drivername == "postgresql+psycopg"
