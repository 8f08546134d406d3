"""Backups over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred

from broker.admin.actions import backups
from broker.store.manifest import manifest_of
from broker.store.sql.backup import alone_in
from tests.admin.api.desk import Desk
from tests.admin.api.office import ChangeOffice
from tests.contract.records import account
from tests.contract.stages import SqliteStage


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """The data directory of a broker, with its database."""
    (tmp_path / "data").mkdir()
    stage = SqliteStage(tmp_path / "data")
    stage.run(stage.store.put_account(account("joe")))
    stage.commit()
    yield tmp_path / "data"
    stage.close()


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be done in a thread is done at once."""

    def run(reactor: object, job: Callable[[], str]) -> Deferred[str]:
        return maybeDeferred(job)

    monkeypatch.setattr(backups, "in_a_thread", run)


def office_of(data: Path, **settings: str) -> ChangeOffice:
    """A broker with this data directory."""
    return ChangeOffice(Desk(settings={"cluster.node.id": "heron", **settings}, data=data))


def state_of(office: ChangeOffice, answer: Any) -> tuple[str, int, str]:
    """What has become of the work that an answer names."""
    work = office.ask(f"operations/{answer.json['id']}").json
    return work["state"], work["done"], work.get("error", "")


def test_backup_is_made_listed_and_verified(data: Path) -> None:
    office = office_of(data)

    made = office.post("backups", {"reason": "before the upgrade"})

    assert (made.status, made.json["action"], state_of(office, made)) == (202, "backup.make", ("done", 1, ""))
    (row,) = office.ask("backups").json["items"]
    assert (data / "backups" / row["id"]).stat().st_size == row["sizeBytes"]
    assert row["counts"]["accounts"] == 1
    verified = office.post(f"backups/{row['id']}/verify", {})
    assert (verified.status, state_of(office, verified)) == (202, ("done", 1, ""))
    assert [each.action for each in office.rows()].count("backup.make") == 2  # asked for, and done


def test_backup_that_was_changed_does_not_pass(data: Path) -> None:
    office = office_of(data)
    office.post("backups", {})
    (row,) = office.ask("backups").json["items"]
    file = data / "backups" / row["id"]
    file.write_bytes(file.read_bytes()[:-1] + b"x")

    verified = office.post(f"backups/{row['id']}/verify", {})

    state, done, error = state_of(office, verified)
    assert (state, done) == ("failed", 0)
    assert row["id"] in error


def test_backup_whose_manifest_cannot_be_read_is_a_row_that_says_so(data: Path) -> None:
    office = office_of(data)
    office.post("backups", {})
    (row,) = office.ask("backups").json["items"]
    manifest_of(data / "backups" / row["id"]).write_text("{", "utf-8")

    (spoilt,) = office.ask("backups").json["items"]

    assert set(spoilt) == {"id", "error"}


@pytest.mark.parametrize("name", ["nothing", "..", "before-0001.db"])
def test_backup_that_is_none_of_the_broker_is_not_there(data: Path, name: str) -> None:
    office = office_of(data)
    office.post("backups", {})
    assert office.post(f"backups/{name}/verify", {}).status == 404


@pytest.mark.parametrize(
    ("url", "says"), [("postgresql://db/broker", "pg_dump"), ("memory:", "nothing of this broker")]
)
def test_database_that_is_not_sqlite_is_backed_up_by_its_own_tools(data: Path, url: str, says: str) -> None:
    office = office_of(data, **{"db.url": url})

    answer = office.post("backups", {})

    assert answer.status == 409
    assert says in answer.json["detail"]
    assert office.ask("operations").json["items"] == []


def test_second_backup_at_a_time_fails_and_says_why(data: Path) -> None:
    office = office_of(data)
    with alone_in(data / "backups"):
        made = office.post("backups", {})

    state, _, error = state_of(office, made)
    assert state == "failed"
    assert "Another backup" in error
