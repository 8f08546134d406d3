"""Taking a schema back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker import __version__
from broker.errors import BrokerError
from broker.failpoints import VARIABLE
from broker.store.manifest import read_manifest
from broker.store.sql.accounts import AccountTable
from broker.store.sql.database import Database, engine_of
from broker.store.sql.downgrade import downgrade, revision_for
from broker.store.sql.revisions import NEWEST, VERSIONS, known_revisions, revision_of
from tests.store.sql.test_upgrade_copy import OLDEST, contents, engine, old, to

__all__ = ["engine", "old"]


def upgraded(database: Path) -> str:
    url = f"sqlite:///{database}"
    AccountTable(url).close()
    return url


def rows(url: str) -> dict[str, object]:
    """What is in the tables that a broker changes as it starts and stops, and what is not."""
    return {table: rows for table, rows in contents(engine_of(url)).items() if table != "meta"}


@pytest.mark.parametrize("revision", sorted(known_revisions())[:-1])
def test_up_down_and_up_keeps_everything(old: Path, revision: str) -> None:
    to(engine_of(f"sqlite:///{old}"), revision)
    before = rows(f"sqlite:///{old}")
    url = upgraded(old)
    after = rows(url)

    done = downgrade(url, revision)

    assert (done.before, done.after, revision_of(engine_of(url))) == (NEWEST, revision, revision)
    assert rows(url) == before
    upgraded(old)
    assert rows(url) == after


def test_database_is_copied_before(old: Path) -> None:
    url = upgraded(old)
    before = rows(url)

    copy = downgrade(url, OLDEST).copy

    assert copy == old.parent / "backups" / f"before-downgrade-to-{OLDEST}.db"
    assert read_manifest(copy).revision == NEWEST
    assert rows(f"sqlite:///{copy}") == before


def test_schema_that_is_there_already_is_left_alone(old: Path) -> None:
    assert downgrade(f"sqlite:///{old}", OLDEST).copy is None
    assert not (old.parent / "backups").exists()


def test_schema_is_not_taken_forward(old: Path) -> None:
    with pytest.raises(BrokerError, match="is older than"):
        downgrade(f"sqlite:///{old}", NEWEST)
    assert revision_of(engine_of(f"sqlite:///{old}")) == OLDEST


def test_broker_must_not_run(old: Path) -> None:
    url = upgraded(old)
    broker = Database(url, exclusive=True)
    broker.open()
    try:
        with pytest.raises(BrokerError, match="Another broker is running"):
            downgrade(url, OLDEST)
    finally:
        broker.close()
    assert revision_of(engine_of(url)) == NEWEST


def test_step_that_cannot_be_undone_is_refused_with_what_to_do(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = upgraded(old)
    monkeypatch.setattr("broker.store.sql.downgrade.IRREVERSIBLE", "__doc__")  # which every revision has
    with pytest.raises(BrokerError, match=rf"(?s)cannot be undone: .*restore {old.parent}/backups/before-"):
        downgrade(url, OLDEST)
    assert revision_of(engine_of(url)) == NEWEST


def test_downgrade_that_is_killed_in_the_middle_changes_nothing(old: Path) -> None:
    url = upgraded(old)
    before = rows(url)
    call = f"from broker.store.sql.downgrade import downgrade; downgrade({url!r}, {OLDEST!r})"
    killed = subprocess.run([sys.executable, "-c", call], env={**os.environ, VARIABLE: "schema changed:1"})
    assert killed.returncode == -signal.SIGKILL

    database = Database(url, exclusive=True)
    database.open()
    database.close()

    assert (revision_of(engine_of(url)), rows(url)) == (NEWEST, before)


def test_this_version_and_those_before_have_a_schema() -> None:
    assert revision_for(".".join(__version__.split(".")[:2])) == NEWEST
    assert set(VERSIONS.values()) <= known_revisions()
    with pytest.raises(BrokerError, match=r"there is no version or schema 9\.9"):
        revision_for("9.9")
