"""Rows that are no records: the store opens all the same, and everything else is there."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.model.records import Recovered, UnreadableMessage
from broker.store.sql.schema import metadata
from tests.contract.records import EPOCH, account, document, entry, message, session, subject, subscription, topic
from tests.contract.stages import SqliteStage
from tests.contract.store_contract import read

QUEUE = 7
ODD: list[Any] = ["garbage", b"\xff\xfe\x00garbage", 2.5, 2**63 - 1, -(2**63)]
"""Values that SQLite keeps in any column."""
TABLES = ("subject", "session", "subscription", "topic", "message", "entry", "handled", "document")
COLUMNS = [(table, column.name) for table in TABLES for column in metadata.tables[table].columns]


def fill(stage: SqliteStage) -> None:
    store = stage.store
    for id in (1, 2):
        store.put_subject(subject(EPOCH + id, f"name{id}"))
        store.put_session(session(EPOCH + 10 + id))
        store.put_subscription(subscription(f"__subId:{id}", EPOCH + 10 + id))
        store.put_topic(topic(EPOCH + 20 + id, f"oid{id}"))
        store.put_entry(entry(QUEUE, 30 + id, 30 + id), message(30 + id))
        store.put_handled(EPOCH + 10 + id, id)
        store.put_document(document("joe", f"name{id}"))
    stage.run(stage.store.close())


def start(stage: SqliteStage) -> Recovered:
    stage.store = stage.make()
    stage.run(stage.store.open())
    return stage.run(stage.store.recover())


def count(recovered: Recovered, table: str) -> int:
    found: dict[str, Any] = {
        "subject": recovered.subjects,
        "session": recovered.sessions,
        "subscription": recovered.subscriptions,
        "topic": recovered.topics,
        "handled": recovered.handled,
    }
    return len(found[table])


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_row_with_an_odd_value_costs_itself_at_most(sqlite_stage: SqliteStage, table: str, column: str) -> None:
    stage = sqlite_stage
    fill(stage)
    kept = table not in ("entry", "message")  # whose rows go with each other
    key = next(each.name for each in metadata.tables[table].columns if each.name != column or table == "document")
    for odd in ODD:
        try:
            stage.edit(f"UPDATE {table} SET {column} = ? WHERE {key} = (SELECT min({key}) FROM {table})", odd)
        except sqlite3.IntegrityError:  # that column keeps none of this kind
            continue
        recovered = start(stage)
        for each in {*TABLES[:4], "handled"} - {table}:
            assert count(recovered, each) == 2
        if table in TABLES[:4] or table == "handled":
            assert count(recovered, table) + len(recovered.unreadable) == 2
        if kept:
            assert read(stage, QUEUE) == [31, 32]
        stage.run(stage.store.read_entries(QUEUE, 4, -1, 100))
        stage.run(stage.store.read_expired(2**62, 100, 1 << 20))
        assert table == "document" or len(stage.run(stage.store.read_documents("", "roster"))) == 2
        stage.store.put_entry(entry(QUEUE, 99, 99), message(99))  # and it works
        stage.commit()
        stage.store.settle(QUEUE, 4, EPOCH + 99, EPOCH + 99)
        stage.run(stage.store.close())
        if kept:
            assert stage.edit(f"SELECT count(*) FROM {table}") == [(2,)]
    start(stage)


def test_entries_that_cannot_be_read_keep_their_place_and_hold_up_none(sqlite_stage: SqliteStage) -> None:
    stage = sqlite_stage
    fill(stage)
    stage.edit("UPDATE entry SET flags = 'odd' WHERE seq = ?", EPOCH + 31)
    assert start(stage).depths[0].entries == 2
    first, second = stage.run(stage.store.read_entries(QUEUE, 4, -1, 100))
    assert first[0].seq == EPOCH + 31
    assert isinstance(first[1], UnreadableMessage)
    assert "flags is str, not int" in first[1].sender
    assert second == (entry(QUEUE, 32, 32), message(32))


@pytest.mark.parametrize("value", ["garbage", b"\xff", 2**63 - 1, -1, 2.5])
def test_an_odd_highest_id_is_worked_out_anew(sqlite_stage: SqliteStage, value: Any) -> None:
    stage = sqlite_stage
    fill(stage)
    stage.edit("UPDATE meta SET value = ? WHERE name = 'last_id'", value)
    assert start(stage).last_id == EPOCH + 32


def test_sizes_whose_sum_is_out_of_range_are_no_failure(sqlite_stage: SqliteStage) -> None:
    stage = sqlite_stage
    fill(stage)
    stage.edit("UPDATE entry SET size = ?", 2**63 - 1)
    assert start(stage).depths[0].entries == 2


def test_a_size_that_is_infinite_is_no_failure(sqlite_stage: SqliteStage) -> None:
    stage = sqlite_stage
    fill(stage)
    stage.edit("UPDATE entry SET size = '9e999'")
    assert start(stage).depths[0].entries == 2


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("scram_sha_1", b"\xff"),
        ("scram_sha_1", ""),
        ("scram_sha_256", "4096$c2FsdA==$c3RvcmVk"),
        ("scram_sha_256", "²$c2FsdA==$c3RvcmVk$c2VydmVy"),
        ("scram_sha_256", "4096$c2FsdA=$c3RvcmVk$c2VydmVy"),
        ("created", "yesterday"),
    ],
)
def test_an_odd_account_hides_no_other_and_is_named(sqlite_stage: SqliteStage, column: str, value: Any) -> None:
    stage = sqlite_stage
    for name in ("joe", "jack"):
        stage.run(stage.store.put_account(account(name)))
    stage.edit(f"UPDATE account SET {column} = ? WHERE name = 'joe'", value)
    told: list[tuple[str, str]] = []
    stage.store.on_unreadable = lambda row: told.append((row.kind, row.key))
    assert [each.name for each in stage.run(stage.store.list_accounts())] == ["jack"]
    assert told == [("account", "joe")]
    with pytest.raises(BrokerError, match="The account 'joe' cannot be read") as caught:
        stage.run(stage.store.get_account("joe"))
    assert caught.value.code == Code.RESOURCE_DB_UNKNOWN
    assert len(told) == 2
    stage.run(stage.store.close())
    assert [(row.kind, row.key) for row in start(stage).unreadable] == [("account", "joe")]


def test_a_text_that_is_no_utf_8_is_told(sqlite_stage: SqliteStage) -> None:
    stage = sqlite_stage
    fill(stage)
    stage.edit("UPDATE topic SET oid = CAST(X'FF41' AS TEXT) WHERE id = ?", EPOCH + 21)
    stage.edit("UPDATE document SET name = CAST(X'FF41' AS TEXT) WHERE name = 'name1'")
    told: list[str] = []
    recovered = start(stage)
    stage.store.on_unreadable = lambda row: told.append(row.kind)
    assert [each.oid for each in recovered.topics] == ["oid2"]
    assert [(each.kind, each.reason) for each in recovered.unreadable] == [("topic", "oid is bytes, not str")]
    assert [each.name for each in stage.run(stage.store.read_documents("joe", "roster"))] == ["name2"]
    assert told == ["document"]
