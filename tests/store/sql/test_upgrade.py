"""The schema's revisions (design D14)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Table, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from broker.errors import BrokerError, Code
from broker.model import records
from broker.store.sql import schema
from broker.store.sql.database import engine_of
from broker.store.sql.revisions import NEWEST, revision_of
from broker.store.sql.upgrade import configuration, upgrade
from tests.contract.databases import postgresql

RECORDS: dict[Table, Any] = {
    schema.account: records.AccountRecord,
    schema.subject: records.SubjectRecord,
    schema.session: records.SessionRecord,
    schema.subscription: records.SubscriptionRecord,
    schema.topic: records.TopicRecord,
    schema.message: records.MessageRecord,
    schema.entry: records.EntryRecord,
    schema.document: records.DocumentRecord,
    schema.audit: records.AuditRecord,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, sqlite_url: str) -> Iterator[str]:
    if request.param == "sqlite":
        yield sqlite_url
        return
    with postgresql(template=None) as url:
        yield url


@pytest.mark.parametrize("table", RECORDS, ids=lambda table: str(table.name))
def test_a_record_is_a_row(table: Table) -> None:
    assert tuple(table.columns.keys()) == RECORDS[table]._fields


def test_the_revisions_make_exactly_the_schema(empty_url: str) -> None:
    engine = engine_of(empty_url)
    upgrade(engine)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []


def test_on_sqlite_the_revisions_make_the_same_tables_to_the_letter(sqlite_url: str) -> None:
    revised, created = engine_of(sqlite_url), create_engine("sqlite://")
    upgrade(revised)
    schema.metadata.create_all(created)

    definitions = []
    for engine in (revised, created):
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%'"))
            definitions.append({name: " ".join((sql or "").split()) for name, sql in rows})
    assert definitions[0] == definitions[1]


def test_a_database_that_is_up_to_date_is_left_alone(empty_url: str) -> None:
    engine = engine_of(empty_url)
    upgrade(engine)
    upgrade(engine)

    assert revision_of(engine) == NEWEST


def test_the_program_needs_the_last_revision_of_the_folder() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == NEWEST


def test_a_database_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'broker.db'}"
    opened = f"from broker.store.sql.database import Database; Database({url!r}, exclusive=False).open()"
    for known in (True, False):
        asked = f"{opened}; import sys; assert ('alembic' in sys.modules) is {known}"
        subprocess.run([sys.executable, "-c", asked], check=True)


def test_an_empty_database_has_no_revision(empty_url: str) -> None:
    assert revision_of(engine_of(empty_url)) is None


def test_a_newer_database_is_refused_and_not_touched(empty_url: str) -> None:
    engine = engine_of(empty_url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(BrokerError, match="was written by a newer version") as caught:
        upgrade(engine)

    assert caught.value.code == Code.RESOURCE_CONFIGURATION
    assert revision_of(engine) == "9999"


def test_a_revision_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    plain = create_engine(empty_url, poolclass=NullPool)
    with plain.begin() as connection:
        connection.execute(text("CREATE TABLE entry (unexpected INTEGER)"))

    with pytest.raises(Exception, match="entry"):
        upgrade(engine_of(empty_url))

    assert inspect(plain).get_table_names() == ["entry"]


NODE = b"<key oid='news' contentMime='application/xml'><node owner='joe@localhost' title='The &lt;news&gt;'/></key>"
NATIVE = b"<key oid='plain'><x><node owner='mary@localhost'/></x></key>"


def _at(engine: Engine, revision: str) -> None:
    config = configuration()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_topics_keep_the_owners_that_their_keys_named(empty_url: str) -> None:
    engine = engine_of(empty_url)
    _at(engine, "0001")
    with engine.begin() as connection:
        for id, oid, key in [(1, "news", NODE), (2, "plain", NATIVE), (3, "unconfigured", b"")]:
            row = {"id": id, "oid": oid, "key": key, "qos": b"<qos/>"}
            connection.execute(text("INSERT INTO topic (id, oid, key, qos) VALUES (:id, :oid, :key, :qos)"), row)

    upgrade(engine)

    with engine.connect() as connection:
        rows = connection.execute(schema.topic.select().order_by(schema.topic.c.id)).all()
    assert [records.TopicRecord._make(row) for row in rows] == [
        records.TopicRecord(1, "news", NODE, b"<qos/>", "joe", "joe"),
        records.TopicRecord(2, "plain", NATIVE, b"<qos/>", ""),
        records.TopicRecord(3, "unconfigured", b"", b"<qos/>", ""),
    ]


def test_topics_count_for_their_owners_where_nobody_else_is_known(empty_url: str) -> None:
    engine = engine_of(empty_url)
    _at(engine, "0002")
    with engine.begin() as connection:
        for id, oid, owner in [(1, "news", "joe"), (2, "plain", "")]:
            row = {"id": id, "oid": oid, "key": b"<key/>", "qos": b"<qos/>", "owner": owner}
            statement = "INSERT INTO topic (id, oid, key, qos, owner) VALUES (:id, :oid, :key, :qos, :owner)"
            connection.execute(text(statement), row)

    upgrade(engine)

    with engine.connect() as connection:
        rows = connection.execute(schema.topic.select().order_by(schema.topic.c.id)).all()
    assert [(row.oid, row.owner, row.creator) for row in rows] == [("news", "joe", "joe"), ("plain", "", "")]


def test_nobody_has_a_role_or_is_blocked_after_the_upgrade(empty_url: str) -> None:
    engine = engine_of(empty_url)
    _at(engine, "0003")
    account = records.AccountRecord("joe", "4096$c2Fs$c3Rv$c2Vy", "4096$c2Fs$c3Rv$c2Vy", 1000)
    _insert(engine, "account", account._asdict(), "name, scram_sha_1, scram_sha_256, created")
    _insert(engine, "subject", {"id": 7, "name": "joe"}, "id, name")

    upgrade(engine)

    assert _all(engine, schema.account) == [account]
    assert _all(engine, schema.subject) == [records.SubjectRecord(7, "joe")]


def test_accounts_and_subjects_outlive_a_downgrade(empty_url: str) -> None:
    engine = engine_of(empty_url)
    upgrade(engine)
    account = records.AccountRecord("joe", "4096$c2Fs$c3Rv$c2Vy", "4096$c2Fs$c3Rv$c2Vy", 1000, "operator", 5)
    subject = records.SubjectRecord(7, "joe", 4, 5)
    _insert(engine, "account", account._asdict(), ", ".join(account._fields))
    _insert(engine, "subject", subject._asdict(), ", ".join(subject._fields))

    config = configuration()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    assert "audit" not in inspect(engine).get_table_names()
    upgrade(engine)

    assert _all(engine, schema.account) == [account._replace(role="", changed=0)]
    assert _all(engine, schema.subject) == [subject._replace(blocked=0, max_sessions=0)]


def _insert(engine: Engine, table: str, row: dict[str, Any], columns: str) -> None:
    values = ", ".join(f":{name}" for name in columns.split(", "))
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


def _all(engine: Engine, table: Table) -> list[Any]:
    with engine.connect() as connection:
        return [RECORDS[table]._make(row) for row in connection.execute(table.select())]
