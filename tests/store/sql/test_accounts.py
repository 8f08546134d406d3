"""Accounts from another process than the broker's (design D13)."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from broker.errors import BrokerError, Code
from broker.model.records import AccountAction
from broker.store.sql.accounts import AccountTable
from tests.contract.records import account, topic
from tests.contract.stages import SqliteStage, SqlStage


def test_accounts_are_put_read_listed_and_deleted(url: str) -> None:
    with AccountTable(url) as accounts:
        accounts.put(account("joe"))
        accounts.put(account("amy"))
        accounts.put(account("joe")._replace(created=2))

        assert accounts.get("joe") == account("joe")._replace(created=2)
        assert accounts.get("zoe") is None
        assert accounts.list() == ([account("amy"), account("joe")._replace(created=2)], [])
        assert (accounts.delete("joe"), accounts.delete("joe")) == (True, False)


def test_accounts_are_kept_before_there_ever_was_a_broker(url: str) -> None:
    with AccountTable(url) as accounts:
        accounts.put(account("joe"))

    with AccountTable(url) as accounts:
        assert accounts.list() == ([account("joe")], [])


def test_a_running_broker_sees_what_another_process_changed(stage: SqlStage) -> None:
    with AccountTable(stage.url()) as accounts:
        accounts.put(account("joe"))
        assert stage.run(stage.store.get_account("joe")) == account("joe")

        stage.run(stage.store.put_account(account("amy")))
        accounts.delete("joe")

        assert stage.run(stage.store.list_accounts()) == [account("amy")]
        assert accounts.list() == ([account("amy")], [])


def test_accounts_of_a_batch_are_committed_with_its_other_operations_and_seen_by_other_processes(
    stage: SqlStage,
) -> None:
    store = stage.store
    stage.run(store.put_account(account("amy")))
    stage.run(store.read_account_changes())
    store.put_topic(topic(1))
    store.append_account(account("joe"), AccountAction.ADDED, "boss")
    store.append_removal("amy")

    assert stage.run(store.list_accounts()) == [account("joe")]
    with AccountTable(stage.url()) as accounts:
        assert accounts.list() == ([account("joe")], [])
    changes = stage.run(store.read_account_changes())
    assert [(each.name, each.action, each.by) for each in changes] == [
        ("amy", AccountAction.ADDED, ""),
        ("joe", AccountAction.ADDED, "boss"),
        ("amy", AccountAction.REMOVED, ""),
    ]


def test_account_that_nobody_could_log_in_with_is_refused_before_it_is_in_a_batch(sqlite_stage: SqliteStage) -> None:
    store = sqlite_stage.store
    with pytest.raises(BrokerError):
        store.append_account(account("joe")._replace(scram_sha_1="x"), AccountAction.ADDED)
    assert sqlite_stage.run(store.list_accounts()) == []


def test_a_name_that_cannot_be_stored_is_refused(sqlite_url: str) -> None:
    with AccountTable(sqlite_url) as accounts, pytest.raises(BrokerError) as caught:
        accounts.put(account("a\0b"))

    assert caught.value.code == Code.USER_ILLEGAL_ARGUMENT


def test_failures_have_codes(sqlite_stage: SqliteStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.store.sql.database.BUSY_SECONDS", 0.01)
    with (
        AccountTable(sqlite_stage.url()) as accounts,
        create_engine(sqlite_stage.url(), poolclass=NullPool).connect() as other,
    ):
        other.execute(text("BEGIN IMMEDIATE"))

        with pytest.raises(BrokerError, match="locked") as caught:
            accounts.put(account("joe"))

    assert caught.value.code == Code.RESOURCE_DB_UNAVAILABLE


def test_a_server_that_is_not_there_has_a_code() -> None:
    with pytest.raises(BrokerError) as caught:
        AccountTable("postgresql://joe@127.0.0.1:1/broker")

    assert caught.value.code == Code.RESOURCE_DB_UNAVAILABLE
