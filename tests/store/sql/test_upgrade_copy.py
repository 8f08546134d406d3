"""The copy before an upgrade, the way back, and what an upgrade would do."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from broker.errors import BrokerError
from broker.failpoints import VARIABLE
from broker.store.manifest import read_manifest
from broker.store.sql import schema
from broker.store.sql.accounts import AccountTable
from broker.store.sql.backup import alone_in
from broker.store.sql.database import Database, engine_of
from broker.store.sql.restore import restore
from broker.store.sql.revisions import NEWEST, known_revisions, revision_of
from broker.store.sql.upgrade import configuration, upgrade
from broker.store.sql.upgrade_check import check_upgrade
from tests.contract.databases import postgresql

OLDEST = "0001"
NODE = b"<key oid='news' contentMime='application/xml'><node owner='joe@localhost' title='News'/></key>"
ROWS: dict[str, list[dict[str, Any]]] = {
    "meta": [{"name": "last_id", "value": 99}, {"name": "commit_number", "value": 7}],
    "account": [{"name": "joé", "scram_sha_1": "1", "scram_sha_256": "256", "created": 1000}],
    "subject": [{"id": 1, "name": "joé"}],
    "session": [
        {
            "id": 7,
            "subject": "joé",
            "public_id": -7,
            "kind": "native",
            "secret_id": "5ec1e7",
            "state": b"\x00\xff",
            "persistent": 1,
            "dispatcher_active": 1,
            "epoch": 3,
            "created": 1000,
            "seen": 2000,
            "attached": 0,
        }
    ],
    "subscription": [{"id": "s", "session_id": 7, "key": b"<key/>", "qos": b"<qos/>", "created": 1000}],
    "topic": [
        {"id": 3, "oid": "news", "key": NODE, "qos": b"<qos/>"},
        {"id": 4, "oid": "plain", "key": b"<key/>", "qos": b""},
    ],
    "message": [
        {"id": 11, "oid": "news", "sender": "joé", "key": b"k", "qos": b"q", "content": b"\x00\xff", "expires": 0}
    ],
    "entry": [
        {
            "queue_id": 7,
            "rank": 4,
            "seq": 12,
            "message_id": 11,
            "subscription_id": "s",
            "flags": 0,
            "redeliver": 1,
            "size": 10,
            "number": 5,
        }
    ],
    "handled": [{"session_id": 7, "count": 3}],
    "document": [{"owner": "joé", "kind": "roster", "name": "ann", "data": b"<item/>", "expires": 0}],
    "journal": [{"number": 8, "batch": b"\x93"}],
}
"""A row of everything, in the oldest schema."""


def to(engine: Engine, revision: str) -> None:
    """Go up or down to a revision."""
    current = revision_of(engine)
    config = configuration()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        move = command.upgrade if current is None or current < revision else command.downgrade
        move(config, revision)


def populate(engine: Engine) -> None:
    """Make a database of the oldest schema, with a row of everything."""
    to(engine, OLDEST)
    with engine.begin() as connection:
        quote = connection.dialect.identifier_preparer.quote
        for table, rows in ROWS.items():
            for row in rows:
                names = ", ".join(map(quote, row))
                values = ", ".join(f":{name}" for name in row)
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)


def contents(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    with engine.connect() as connection:
        return {
            table: sorted(
                (dict(row) for row in connection.execute(text(f"SELECT * FROM {table}")).mappings()), key=repr
            )
            for table in inspect(engine).get_table_names()
        }


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[Engine]:
    if request.param == "sqlite":
        yield engine_of(sqlite_url)
        return
    with postgresql(template=None) as url:
        yield engine_of(url)


@pytest.fixture
def old(sqlite_url: str) -> Path:
    """A database of SQLite that has the oldest schema."""
    populate(engine_of(sqlite_url))
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("DELETE FROM journal")  # what is in it is no batch
        connection.commit()
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.mark.parametrize("revision", sorted(known_revisions())[:-1])
def test_up_and_down_to_a_revision_and_up_again_keeps_everything(engine: Engine, revision: str) -> None:
    populate(engine)
    if revision != OLDEST:
        to(engine, revision)
    before = contents(engine)
    to(engine, NEWEST)
    upgraded = contents(engine)

    to(engine, revision)
    assert contents(engine) == before
    to(engine, NEWEST)
    assert contents(engine) == upgraded
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_every_column_of_the_oldest_schema_has_a_value_in_these_tests(engine: Engine) -> None:
    populate(engine)
    tables = inspect(engine)

    assert {table: set(rows[0]) for table, rows in ROWS.items()} == {
        table: {column["name"] for column in tables.get_columns(table)}
        for table in tables.get_table_names()
        if table != "alembic_version"
    }


def test_a_database_is_copied_before_its_schema_is_changed(old: Path) -> None:
    before = contents(engine_of(f"sqlite:///{old}"))
    database = Database(f"sqlite:///{old}", exclusive=True)
    database.open()
    database.close()

    copy = old.parent / "backups" / f"before-{NEWEST}.db"
    assert contents(engine_of(f"sqlite:///{copy}")) == before
    assert read_manifest(copy).revision == OLDEST


def test_a_command_that_changes_the_schema_copies_the_database_too(old: Path) -> None:
    AccountTable(f"sqlite:///{old}").close()

    assert (old.parent / "backups" / f"before-{NEWEST}.db").is_file()


def test_the_copy_can_be_restored(old: Path, tmp_path: Path) -> None:
    AccountTable(f"sqlite:///{old}").close()
    restored = restore(old.parent / "backups" / f"before-{NEWEST}.db", tmp_path / "new")

    assert (restored.counts.topics, restored.counts.entries) == (2, 1)


def test_without_a_copy_if_that_is_wanted(old: Path) -> None:
    database = Database(f"sqlite:///{old}", exclusive=True, copy_before_upgrade=False)
    database.open()
    database.close()

    assert not (old.parent / "backups").exists()


def test_a_new_database_and_one_that_is_up_to_date_are_not_copied(sqlite_url: str) -> None:
    for _ in range(2):
        database = Database(sqlite_url, exclusive=True)
        database.open()
        database.close()

    assert not (Path(sqlite_url.removeprefix("sqlite:///")).parent / "backups").exists()


def test_a_second_attempt_replaces_the_copy_of_the_first(old: Path) -> None:
    directory = old.parent / "backups"
    directory.mkdir()
    (directory / f"before-{NEWEST}.db").write_bytes(b"of the first")
    AccountTable(f"sqlite:///{old}").close()

    assert read_manifest(directory / f"before-{NEWEST}.db").size_bytes > 1000
    assert len(os.listdir(directory)) == 2


def test_an_upgrade_waits_for_a_backup_that_is_just_being_made(old: Path) -> None:
    directory = old.parent / "backups"
    (directory / "heron-20261130T120000Z.part").mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        with alone_in(directory):
            (directory / "heron-20261130T120000Z.part").mkdir()
            upgraded = pool.submit(lambda: AccountTable(f"sqlite:///{old}").close())
            with pytest.raises(TimeoutError):
                upgraded.result(timeout=0.5)
            assert (directory / "heron-20261130T120000Z.part").is_dir()
        upgraded.result()

    assert revision_of(engine_of(f"sqlite:///{old}")) == NEWEST


class Full:
    """A disk without room."""

    free = 0


def test_without_room_for_a_copy_nothing_is_changed(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: Full())
    with pytest.raises(BrokerError, match=r"set backup\.beforeUpgrade=false"):
        Database(f"sqlite:///{old}", exclusive=True).open()

    assert revision_of(engine_of(f"sqlite:///{old}")) == OLDEST


def test_an_upgrade_that_is_killed_in_the_middle_changes_nothing_and_is_done_by_the_next_start(old: Path) -> None:
    url = f"sqlite:///{old}"
    before = contents(engine_of(url))
    opens = f"from broker.store.sql.database import Database; Database({url!r}, exclusive=True).open()"
    killed = subprocess.run([sys.executable, "-c", opens], env={**os.environ, VARIABLE: "schema changed:1"})
    assert killed.returncode == -signal.SIGKILL
    assert contents(engine_of(url)) == before

    database = Database(url, exclusive=True)
    database.open()
    database.close()
    assert revision_of(engine_of(url)) == NEWEST
    assert contents(engine_of(url))["entry"] == before["entry"]


def test_a_check_tells_what_would_be_done_and_does_it_on_a_copy_only(old: Path) -> None:
    before = contents(engine_of(f"sqlite:///{old}"))
    times = iter([10.0, 12.5])
    found = check_upgrade(f"sqlite:///{old}", monotonic=lambda: next(times))

    assert (found.before, found.after, found.seconds, found.irreversible) == (OLDEST, NEWEST, 2.5, "")
    assert [step[:4] for step in found.steps] == sorted(known_revisions())[1:]
    assert contents(engine_of(f"sqlite:///{old}")) == before
    assert not (old.parent / "backups").exists()


def test_a_check_of_a_database_that_is_up_to_date_has_no_steps(sqlite_url: str) -> None:
    upgrade(engine_of(sqlite_url))

    assert check_upgrade(sqlite_url).steps == ()


def test_a_check_of_a_newer_database_says_so(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    with pytest.raises(BrokerError, match="newer version"):
        check_upgrade(f"sqlite:///{old}")
