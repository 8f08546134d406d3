"""The store on real databases that fail, fill up, or are taken away."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

import msgpack
import psycopg
import pytest
from sqlalchemy import create_engine, event, insert, select, text
from sqlalchemy.pool import NullPool
from zope.interface.verify import verifyObject

from broker.errors import BrokerError, Code
from broker.ports import IStore
from broker.store.batch import Batch
from broker.store.packing import pack
from broker.store.sql.journal import SMALL
from broker.store.sql.ownership import DatabaseInUse, DatabaseTakenOver, lock_database
from broker.store.sql.schema import journal, session
from broker.store.sql.store import STANDBY_LOOK, SqlStore
from broker.store.sql.writer import read_numbers
from tests.contract.records import EPOCH, RANK, document, entry, message, subject
from tests.contract.records import session as session_record
from tests.contract.stages import HeldWorker, PostgresqlStage, SqliteStage, SqlStage
from tests.contract.store_contract import put, read, settle

MANY = 4 * SMALL


def journal_of(stage: SqlStage) -> list[bytes]:
    with create_engine(stage.url(), poolclass=NullPool).connect() as connection:
        return list(connection.scalars(select(journal.c.batch)))


def rows_of(stage: SqlStage) -> list[int]:
    with create_engine(stage.url(), poolclass=NullPool).connect() as connection:
        return list(connection.scalars(select(journal.c.number).order_by(journal.c.number)))


def execute(stage: SqlStage, statement: str) -> None:
    with create_engine(stage.url(), poolclass=NullPool).begin() as connection:
        connection.execute(text(statement))


def numbers(stage: SqlStage) -> dict[str, int]:
    with create_engine(stage.url(), poolclass=NullPool).connect() as connection:
        return read_numbers(connection)


class Told:
    """Remembers what it was told."""

    def __init__(self, stage: SqlStage) -> None:
        self._stage = stage
        self.ids: list[int] = []

    def put(self, id: int) -> None:
        put(self._stage, id, 7)
        self._stage.store.when_committed(self._stage.store.position, lambda: self.ids.append(id))


@pytest.fixture
def told(stage: SqlStage) -> Told:
    return Told(stage)


def test_it_is_a_store(sqlite_stage: SqliteStage) -> None:
    assert verifyObject(IStore, sqlite_stage.store)


def test_a_batch_that_came_to_nothing_costs_no_statement(sqlite_stage: SqliteStage) -> None:
    sqlite_stage.statements.clear()
    put(sqlite_stage, 1, 7)
    settle(sqlite_stage, 7, 1)
    sqlite_stage.commit()

    assert sqlite_stage.statements == []


def test_a_batch_of_a_hundred_messages_costs_few_statements(stage: SqlStage) -> None:
    stage.statements.clear()
    for id in range(100):
        put(stage, id, 7)
    stage.commit()

    assert len(stage.statements) < 15


def test_every_commit_is_one_transaction_with_the_next_number(stage: SqlStage) -> None:
    before = numbers(stage)["commit_number"]
    for id in range(3):
        put(stage, id, 7)
        put(stage, id + 100, 7)
        stage.commit()

    assert (rows_of(stage), numbers(stage)["commit_number"]) == ([before + 1, before + 2, before + 3], before)

    stage.tidy()

    assert numbers(stage) == {"commit_number": before + 4, "last_id": EPOCH + 102}


# --- failures ---


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_commit_that_fails_before_it_is_written_is_written_later(stage: SqlStage, told: Told, attempts: int) -> None:
    before = numbers(stage)["commit_number"]
    stage.commits_to_fail = attempts
    told.put(1)
    stage.turn()
    assert (told.ids, journal_of(stage)) == ([], [])

    for _ in range(attempts):
        stage.clock.advance(5)

    assert told.ids == [1]
    assert rows_of(stage) == [before + 1]
    assert read(stage, 7) == [1]


def test_a_commit_whose_answer_is_lost_is_not_done_twice(stage: SqlStage, told: Told) -> None:
    put(stage, 1, 7)
    stage.commit()
    before = numbers(stage)["commit_number"]
    stage.answers_to_lose = 1
    told.put(2)
    settle(stage, 7, 1)
    stage.turn()
    assert told.ids == []
    assert rows_of(stage) == [before + 1, before + 2]
    first = f"(SELECT batch FROM journal WHERE number = {before + 1})"
    execute(stage, f"UPDATE journal SET batch = {first} WHERE number = {before + 2}")

    stage.clock.advance(0.1)

    assert told.ids == [2]
    assert journal_of(stage) == 2 * journal_of(stage)[:1]  # and not written again
    assert read(stage, 7) == [2]


@pytest.mark.parametrize("messages", [1, MANY])
def test_a_journal_whose_folding_has_no_answer_is_not_folded_twice(stage: SqlStage, messages: int) -> None:
    for id in range(messages):
        put(stage, id, 7)
    stage.store.move_all(7, 8, -1)
    put(stage, messages, 7)
    stage.commit()
    for id in range(MANY):
        put(stage, 1000 + id, 9)
    stage.answers_to_lose = 1
    stage.store.when_committed(stage.store.position, lambda: None)

    stage.turn()
    stage.clock.advance(0.1)  # once more: what was put into the queue after it was moved would be moved, too

    assert journal_of(stage) == []
    assert (read(stage, 7), read(stage, 8)) == ([messages], list(range(messages)))


def test_a_small_batch_is_one_row_of_the_journal_until_it_is_folded(stage: SqlStage) -> None:
    put(stage, 1, 7)
    stage.commit()
    assert (len(journal_of(stage)), stage.rows_on_disk()) == (1, (0, 0))

    stage.tidy()

    assert (len(journal_of(stage)), stage.rows_on_disk()) == (0, (1, 1))


def test_of_what_was_settled_before_the_journal_is_folded_nothing_is_written(sqlite_stage: SqliteStage) -> None:
    put(sqlite_stage, 1, 7)
    sqlite_stage.commit()
    settle(sqlite_stage, 7, 1)
    sqlite_stage.commit()
    sqlite_stage.statements.clear()

    sqlite_stage.tidy()

    assert not [each for each in sqlite_stage.statements if "message" in each or "entry" in each]
    assert journal_of(sqlite_stage) == []


def test_documents_are_read_without_folding_what_does_not_change_them(sqlite_stage: SqliteStage) -> None:
    store = sqlite_stage.store
    put(sqlite_stage, 1, 7)
    sqlite_stage.commit()
    assert sqlite_stage.run(store.read_documents("joe", "roster")) == []
    assert len(journal_of(sqlite_stage)) == 1

    store.put_document(document("joe", "a"))

    assert sqlite_stage.run(store.read_documents("joe", "roster")) == [document("joe", "a")]
    assert journal_of(sqlite_stage) == []


def test_entries_are_read_without_folding_what_changes_none_of_them(sqlite_stage: SqliteStage) -> None:
    for id in range(1, 4):
        put(sqlite_stage, id, 7)
    assert read(sqlite_stage, 7) == [1, 2, 3]

    settle(sqlite_stage, 7, 1)
    put(sqlite_stage, 4, 8)
    sqlite_stage.commit()

    assert read(sqlite_stage, 7, after=EPOCH + 1) == [2, 3]
    assert len(journal_of(sqlite_stage)) == 1
    assert read(sqlite_stage, 7) == [2, 3]
    assert journal_of(sqlite_stage) == []


def test_many_messages_that_stay_go_to_their_tables_at_once(stage: SqlStage) -> None:
    for id in range(MANY):
        put(stage, id, 7)
    stage.commit()

    assert (journal_of(stage), stage.rows_on_disk()) == ([], (MANY, MANY))


def test_many_messages_that_are_soon_delivered_go_to_the_journal(stage: SqlStage) -> None:
    for round in range(5):
        for id in range(MANY):
            put(stage, round * MANY + id, 7)
            if round:
                settle(stage, 7, (round - 1) * MANY + id)
        stage.commit()

    assert len(journal_of(stage)) >= 3
    assert read(stage, 7, limit=10 * MANY) == list(range(4 * MANY, 5 * MANY))


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense",
        b"",
        msgpack.packb(7),
        msgpack.packb({"version": 2}),
        msgpack.packb((99, "of a broker to come")),
        msgpack.packb((2, 5, None, [], [], [], [], [], [], [], None, [], [], [(7, 5, 1, 1, "", "odd", 0, 0, 0)])),
        msgpack.packb((2, 5, None, [([], [], [], [], (9, 9))], [], [], [], [], [], [], None, [], [], [])),
        msgpack.packb((2, 2**63 - 1, None, [], [], [], [], [], [], [], None, [], [], [])),
        msgpack.packb((2, 5, None, [], [], [(1, (2, "jack"))], [], [], [], [], None, [], [], [])),
        b"\x91" * 100_000,
    ],
)
def test_a_batch_of_the_journal_that_cannot_be_read_is_set_aside(stage: SqlStage, data: bytes) -> None:
    stage.store.put_entry(entry(7, 1, 1), message(1))
    stage.run(stage.store.close())
    batch = Batch()
    batch.put_entry(entry(7, 2, 2), message(2))
    with create_engine(stage.url(), poolclass=NullPool).begin() as connection:
        connection.execute(insert(journal), [{"number": 1, "batch": data}, {"number": 2, "batch": pack(batch)}])

    for _ in range(2):  # and it stays so
        stage.store = stage.make()
        stage.run(stage.store.open())
        recovered = stage.run(stage.store.recover())
        assert [(row.kind, row.key) for row in recovered.unreadable] == [("journal", "1")]
        assert read(stage, 7) == [1, 2]
        stage.store.put_document(document("joe", "a"))
        stage.tidy()
        stage.run(stage.store.close())
    assert rows_of(stage) == [-1]
    assert journal_of(stage) == [data]
    stage.store = stage.make()
    stage.run(stage.store.open())


def test_a_full_disk_holds_everything_up_until_there_is_space(sqlite_stage: SqliteStage) -> None:
    store = sqlite_stage.store
    told = Told(sqlite_stage)
    limit = {"pages": 60}

    def restrict(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {limit['pages']}")

    event.listen(store.database.engine, "connect", restrict)
    store.database.close()  # the next connection is restricted
    store.database.open()
    for id in range(200):
        store.put_entry(entry(7, id, id), message(id, content=bytes(4000)))
        store.when_committed(store.position, partial(told.ids.append, id))
        sqlite_stage.turn()
    assert store.failure is not None
    assert store.failure.code == Code.RESOURCE_NO_MORE_SPACE
    committed = len(told.ids)
    assert 0 < committed < 200

    sqlite_stage.clock.advance(5)
    assert len(told.ids) == committed

    limit["pages"] = 100_000
    sqlite_stage.clock.advance(5)
    sqlite_stage.commit()

    assert told.ids == list(range(200))
    assert read(sqlite_stage, 7) == list(range(200))


def test_another_process_that_writes_for_long_is_waited_for(
    sqlite_stage: SqliteStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(sqlite_stage)
    store = sqlite_stage.store
    event.listen(store.database.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout = 1"))
    store.database.close()
    store.database.open()
    with create_engine(sqlite_stage.url(), poolclass=NullPool).connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        told.put(1)
        sqlite_stage.turn()
        assert store.failure is not None
        assert store.failure.code == Code.RESOURCE_DB_UNAVAILABLE

        other.exec_driver_sql("ROLLBACK")
    sqlite_stage.clock.advance(0.1)

    assert told.ids == [1]
    assert not sqlite_stage.store.failure


def terminate(stage: PostgresqlStage) -> None:
    """End the sessions of the broker, as an administrator or a restart of the server does."""
    with create_engine(stage.url(), poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_a_server_that_ended_the_session_is_connected_to_again(postgresql_stage: PostgresqlStage) -> None:
    told = Told(postgresql_stage)
    told.put(1)
    postgresql_stage.commit()
    terminate(postgresql_stage)
    told.put(2)
    postgresql_stage.turn()
    assert postgresql_stage.store.failure is not None
    assert postgresql_stage.store.failure.code == Code.RESOURCE_DB_UNAVAILABLE

    postgresql_stage.clock.advance(0.1)

    assert told.ids == [1, 2]
    assert not postgresql_stage.store.failure
    assert read(postgresql_stage, 7) == [1, 2]


def test_accounts_are_read_though_the_session_was_ended_meanwhile(postgresql_stage: PostgresqlStage) -> None:
    terminate(postgresql_stage)

    assert postgresql_stage.run(postgresql_stage.store.list_accounts()) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_who_lost_its_database_to_another_broker_commits_and_answers_nothing_more(
    postgresql_url: str, is_there: bool
) -> None:
    stage = PostgresqlStage(postgresql_url, patience=0.1)
    store, told = stage.store, Told(stage)
    failures: list[BrokerError] = []
    store.on_taken_over = failures.append
    terminate(stage)
    other = PostgresqlStage(stage.url())
    if not is_there:
        other.close()
    asked = store.ask(lambda: 1, patient=True)

    told.put(1)
    stage.clock.pump([1.0] * 10)

    assert [str(each) for each in failures] == [str(DatabaseTakenOver())]
    assert told.ids == []
    assert not store.is_open
    told.put(2)
    stage.clock.pump([1.0] * 10)
    assert told.ids == []
    asked.addErrback(lambda failure: failure.trap(BrokerError))
    if is_there:
        other.close()
    stage.close()


def test_a_session_that_the_server_has_not_ended_yet_is_waited_for(postgresql_url: str) -> None:
    stage = PostgresqlStage(postgresql_url, patience=0.1)
    told, failures = Told(stage), list[BrokerError]()
    stage.store.on_taken_over = failures.append
    terminate(stage)
    with create_engine(stage.url(), poolclass=NullPool).begin() as old:
        lock_database(old, 1)
        told.put(1)
        stage.clock.pump([1.0] * 10)
        assert isinstance(stage.store.failure, DatabaseInUse)

    stage.clock.pump([1.0] * 10)

    assert told.ids == [1]
    assert failures == []
    stage.close()


def test_a_broker_that_cannot_open_its_database_lets_go_and_may_try_again(tmp_path: Path) -> None:
    stage = SqliteStage(tmp_path)
    worker = HeldWorker()
    second = SqlStore(stage.url(), stage.clock, worker=worker)

    with pytest.raises(BrokerError, match="Another broker is running"):
        stage.run(second.open())
    assert worker.stopped

    stage.close()
    stage.run(second.open())
    stage.run(second.close())


async def nothing() -> None:
    """Where nobody does anything while the broker stands by."""


def test_who_stands_by_is_told_once(stage: SqlStage) -> None:
    calls: list[str] = []

    async def tell() -> None:
        calls.append("stands by")

    second = SqlStore(stage.url(), stage.clock, worker=HeldWorker(), patience=0.1, on_standby=tell)
    second.open()
    stage.clock.advance(STANDBY_LOOK)
    stage.clock.advance(STANDBY_LOOK)
    assert calls == ["stands by"]

    stage.run(stage.store.close())
    stage.clock.advance(STANDBY_LOOK)
    stage.run(second.close())


def test_a_broker_that_stands_by_takes_over_when_the_other_one_is_gone(stage: SqlStage) -> None:
    second = SqlStore(stage.url(), stage.clock, worker=HeldWorker(), patience=0.1, on_standby=nothing)
    opened: list[bool] = []
    second.open().addCallback(lambda _: opened.append(second.is_open))

    stage.clock.advance(STANDBY_LOOK)
    assert (opened, second.stands_by) == ([], True)

    stage.run(stage.store.close())
    stage.clock.advance(STANDBY_LOOK)
    assert (opened, second.stands_by) == ([True], False)
    stage.run(second.close())


def test_a_broker_that_stands_by_ends_when_it_is_told(stage: SqlStage) -> None:
    second = SqlStore(stage.url(), stage.clock, worker=HeldWorker(), patience=0.1, on_standby=nothing)
    opening = second.open()

    second.stop_waiting()
    stage.clock.advance(STANDBY_LOOK)

    with pytest.raises(BrokerError) as caught:
        stage.run(opening)
    assert caught.value.code is Code.RESOURCE_UNAVAILABLE


def test_a_server_that_is_not_there_is_told(sqlite_stage: SqliteStage) -> None:
    store = SqlStore("postgresql://joe@127.0.0.1:1/broker", sqlite_stage.clock, worker=HeldWorker())

    with pytest.raises(BrokerError) as caught:
        sqlite_stage.run(store.open())

    assert caught.value.code == Code.RESOURCE_DB_UNAVAILABLE


def test_a_store_is_opened_once(sqlite_stage: SqliteStage) -> None:
    with pytest.raises(BrokerError) as caught:
        sqlite_stage.run(sqlite_stage.store.open())

    assert caught.value.code == Code.INTERNAL_ILLEGAL_STATE


def test_a_closed_store_takes_nothing(sqlite_stage: SqliteStage) -> None:
    sqlite_stage.run(sqlite_stage.store.close())

    with pytest.raises(BrokerError):
        sqlite_stage.store.put_subject(subject(1))
    with pytest.raises(BrokerError):
        sqlite_stage.run(sqlite_stage.store.recover())


def test_a_database_that_fails_at_the_end_is_let_go_of(sqlite_stage: SqliteStage) -> None:
    put(sqlite_stage, 1, 7)
    sqlite_stage.fail()
    with pytest.raises(BrokerError) as caught:
        sqlite_stage.run(sqlite_stage.store.close())
    assert caught.value.code == Code.RESOURCE_DB_UNAVAILABLE

    sqlite_stage.heal()
    sqlite_stage.run(sqlite_stage.store.open())

    assert read(sqlite_stage, 7) == []


def test_the_same_row_put_again_replaces_the_old_one(stage: SqlStage) -> None:
    put(stage, 1, 7)
    stage.commit()
    stage.store.put_entry(entry(7, 1, 1, redeliver=5), message(1, content=b"new"))

    assert stage.run(stage.store.read_entries(7, RANK, 0, 10)) == [
        (entry(7, 1, 1, redeliver=5), message(1, content=b"new"))
    ]


def test_entries_that_lost_their_message_are_told_and_kept(stage: SqlStage) -> None:
    stage.store.put_entry(entry(7, 1, 1))
    stage.store.put_entry(entry(7, 2, 2), message(2))
    stage.commit()

    for _ in range(2):
        recovered = stage.run(stage.store.recover())
        assert [str(each) for each in recovered.unreadable] == [
            f"entry 7/4/{EPOCH + 1}: its message is not in the database"
        ]
        assert recovered.depths[0].entries == 2
    assert stage.run(stage.store.read_entries(7, 4, -1, 10)) == [(entry(7, 2, 2), message(2))]
    assert stage.rows_on_disk() == (1, 2)


def test_expired_messages_are_found_by_their_index(sqlite_stage: SqliteStage) -> None:
    sqlite_stage.run(sqlite_stage.store.read_expired(1000, 10, 10_000))
    (query,) = [statement for statement in sqlite_stage.statements if "message.expires >" in statement]

    with create_engine(sqlite_stage.url(), poolclass=NullPool).connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", (0,) * query.count("?")).all()

    assert any("message_expires" in row[-1] for row in plan)


def test_entries_are_settled_by_their_key(sqlite_stage: SqliteStage) -> None:
    settle(sqlite_stage, 7, 1)
    sqlite_stage.tidy()
    (statement,) = [statement for statement in sqlite_stage.statements if statement.startswith("DELETE FROM entry")]

    with create_engine(sqlite_stage.url(), poolclass=NullPool).connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("[]",)).all()

    assert any("PRIMARY KEY (queue_id=? AND rank=? AND seq=?)" in row[-1] for row in plan)


def test_a_session_record_keeps_its_bytes(stage: SqlStage) -> None:
    stage.store.put_session(session_record(1)._replace(state=bytes(range(256))))
    stage.tidy()

    with create_engine(stage.url(), poolclass=NullPool).connect() as connection:
        assert connection.scalar(select(session.c.state)) == bytes(range(256))


def test_psycopg_is_the_driver(postgresql_stage: PostgresqlStage) -> None:
    with postgresql_stage.store.database.transaction() as connection:
        assert isinstance(connection.connection.driver_connection, psycopg.Connection)
