"""Backups, and what is made of them (design D1, D14)."""

from __future__ import annotations

import fcntl
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from broker.errors import BrokerError, Code
from broker.model.key import DEAD_MESSAGE_OID
from broker.model.records import TRANSIENT
from broker.store.backup_settings import BackupSettings
from broker.store.manifest import Counts, Manifest, manifest_of, read_manifest, sha256_of
from broker.store.sql import verify
from broker.store.sql.backup import backups_of, check_schedule, take_backup
from broker.store.sql.restore import rehearse, restore
from tests.contract.records import account, entry, message, session, subject, subscription, topic
from tests.contract.stages import SqliteStage

NOON = 1_796_040_000.0
"""2026-11-30T12:00:00Z."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[SqliteStage]:
    """A store that runs, with something of every kind."""
    (tmp_path / "data").mkdir()
    stage = SqliteStage(tmp_path / "data")
    store = stage.store
    store.put_subject(subject(1))
    store.put_session(session(7))
    store.put_session(session(8)._replace(kind="xmpp", secret_id="5tream", state=b'{"resource":"x","resumable":true}'))
    store.put_subscription(subscription("s", 7))
    store.put_topic(topic(3))
    store.put_topic(topic(4, DEAD_MESSAGE_OID))
    store.put_entry(entry(7, 1, 1), message(1))
    store.put_entry(entry(8, 2, 2), message(2))
    store.put_entry(entry(4, 3, 3), message(3))
    store.put_entry(entry(7, 4, 4, flags=TRANSIENT), message(4))
    stage.run(store.put_account(account("joe")))
    stage.commit()
    yield stage
    stage.close()


ALL = Counts(accounts=1, topics=2, sessions=2, subscriptions=1, entries=3, dead_messages=1, unreadable=0)
"""What is in it; what does not outlive a crash does not count."""


@pytest.fixture
def settings(tmp_path: Path) -> BackupSettings:
    return BackupSettings(tmp_path / "backups", "heron")


@pytest.fixture
def backup(stage: SqliteStage, settings: BackupSettings) -> Path:
    return take_backup(stage.url(), settings, now=lambda: NOON)[0]


def query(database: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def everything_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_backup_of_a_running_store_tells_what_is_in_it(stage: SqliteStage, settings: BackupSettings) -> None:
    path, manifest = take_backup(stage.url(), settings, now=lambda: NOON)

    assert manifest.counts == ALL
    assert (manifest.node, manifest.made_at, manifest.revision) == ("heron", "2026-11-30T12:00:00Z", "0004")
    assert path == settings.directory / "heron-20261130T120000Z.db"


def test_the_manifest_beside_a_backup_is_the_one_that_was_returned(
    stage: SqliteStage, settings: BackupSettings
) -> None:
    path, manifest = take_backup(stage.url(), settings)

    assert read_manifest(path) == manifest


def test_names_in_a_manifest_are_in_camel_case(backup: Path) -> None:
    found = json.loads(manifest_of(backup).read_text())

    assert {"madeAt", "sizeBytes", "databaseBytes", "durationMilliseconds"} < set(found)
    assert found["counts"]["deadMessages"] == 1


def test_a_backup_is_one_file_and_its_manifest_which_the_owner_alone_may_read(backup: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in backup.parent.iterdir()}

    assert modes == {"heron-20261130T120000Z.db": 0o600, "heron-20261130T120000Z.json": 0o600}


def test_a_store_goes_on_while_a_backup_is_made_of_it(stage: SqliteStage, settings: BackupSettings) -> None:
    take_backup(stage.url(), settings)
    stage.store.put_entry(entry(7, 5, 5), message(5))
    stage.commit()

    assert len(stage.run(stage.store.read_entries(7, 4, 0, 10))) == 2 + 1  # with the transient one


def test_a_stopped_store_has_no_other_files_after_a_backup(stage: SqliteStage, settings: BackupSettings) -> None:
    stage.run(stage.store.close())
    data = Path(stage.url().removeprefix("sqlite:///")).parent
    before = sorted(path.name for path in data.iterdir())

    take_backup(stage.url(), settings)

    assert sorted(path.name for path in data.iterdir()) == before


def test_older_backups_than_are_to_be_kept_go_with_their_manifests(
    stage: SqliteStage, settings: BackupSettings
) -> None:
    settings = replace(settings, keep=2)
    for day in range(4):
        take_backup(stage.url(), settings, now=lambda day=day: NOON + day * 86_400)  # type: ignore[misc]

    names = [path.name for path in backups_of(settings)]
    assert names == ["heron-20261202T120000Z.db", "heron-20261203T120000Z.db"]
    assert len(list(settings.directory.iterdir())) == 4


def test_files_of_others_in_the_directory_stay(stage: SqliteStage, settings: BackupSettings) -> None:
    settings.directory.mkdir()
    others = {"crane-20200101T000000Z.db", "before-0004.db", "heron-notes.txt", "heron-x-20200101T000000Z.db"}
    for name in others:
        (settings.directory / name).touch()

    take_backup(stage.url(), replace(settings, keep=1))

    assert others < {path.name for path in settings.directory.iterdir()}


def test_a_node_may_have_any_name(stage: SqliteStage, settings: BackupSettings) -> None:
    path, manifest = take_backup(stage.url(), replace(settings, node="../a b"), now=lambda: NOON)

    assert path == settings.directory / ".._a_b-20261130T120000Z.db"
    assert manifest.node == "../a b"


def test_without_room_for_another_database_there_is_no_backup(stage: SqliteStage, settings: BackupSettings) -> None:
    with pytest.raises(BrokerError, match="A backup needs") as caught:
        take_backup(stage.url(), settings, free=lambda directory: 1000)

    assert caught.value.code == Code.RESOURCE_NO_MORE_SPACE
    assert list(settings.directory.iterdir()) == []


def test_what_an_interrupted_backup_left_is_removed_by_the_next(stage: SqliteStage, settings: BackupSettings) -> None:
    left = settings.directory / "heron-20261129T120000Z.part"
    left.mkdir(parents=True)
    (left / "broker.db").write_bytes(b"half")

    take_backup(stage.url(), settings)

    assert not left.exists()


def test_two_backups_are_not_made_at_once(stage: SqliteStage, settings: BackupSettings) -> None:
    settings.directory.mkdir()
    descriptor = os.open(settings.directory, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    with pytest.raises(BrokerError, match="Another backup is just being made"):
        take_backup(stage.url(), settings)
    os.close(descriptor)


def test_a_copy_that_is_not_sound_is_no_backup(stage: SqliteStage, settings: BackupSettings) -> None:
    stage.edit("ALTER TABLE handled RENAME TO forgotten")

    with pytest.raises(BrokerError, match="no such table"):
        take_backup(stage.url(), settings)
    assert list(settings.directory.iterdir()) == []


def test_a_database_of_an_older_schema_is_verified_and_left_at_it(stage: SqliteStage, settings: BackupSettings) -> None:
    stage.edit("UPDATE alembic_version SET version_num = '0003'")

    path, manifest = take_backup(stage.url(), settings)

    assert (manifest.revision, manifest.counts) == ("0003", None)
    assert query(path, "SELECT version_num FROM alembic_version") == [("0003",)]


def test_where_there_is_no_database_none_is_made(tmp_path: Path, settings: BackupSettings) -> None:
    with pytest.raises(BrokerError, match="There is no database"):
        take_backup(f"sqlite:///{tmp_path}/none.db", settings)
    assert list(tmp_path.iterdir()) == []


def test_for_postgresql_the_command_is_told_without_the_password(settings: BackupSettings) -> None:
    with pytest.raises(BrokerError) as caught:
        take_backup("postgresql://joe:5ecret@db:99/store", settings, now=lambda: NOON)

    wanted = "pg_dump --format=custom --file=heron-20261130T120000Z.dump postgresql://joe@db:99/store"
    assert wanted in caught.value.message
    assert "5ecret" not in caught.value.message


@pytest.mark.parametrize("url", ["memory:", "postgresql://joe@db/store"])
def test_a_schedule_for_what_is_not_sqlite_is_refused(url: str, settings: BackupSettings) -> None:
    check_schedule(url, settings)
    with pytest.raises(BrokerError, match="for SQLite only"):
        check_schedule(url, replace(settings, schedule=time(3, 15)))


def test_a_restored_database_holds_what_the_backup_held(backup: Path, tmp_path: Path) -> None:
    restored = restore(backup, tmp_path / "new")

    assert restored.counts == ALL
    assert os.listdir(tmp_path / "new") == ["broker.db"]
    assert (tmp_path / "new" / "broker.db").stat().st_mode & 0o777 == 0o600


def test_no_stream_of_a_backup_can_be_resumed(backup: Path, tmp_path: Path) -> None:
    restored = restore(backup, tmp_path / "new")

    assert restored.streams == 1
    rows = query(tmp_path / "new" / "broker.db", "SELECT kind, persistent FROM session ORDER BY kind")
    assert rows == [("native", 1), ("xmpp", 0)]


def test_what_waits_for_other_sessions_of_a_backup_may_be_a_repetition(backup: Path, tmp_path: Path) -> None:
    restore(backup, tmp_path / "new")

    rows = query(tmp_path / "new" / "broker.db", "SELECT attached, epoch FROM session WHERE kind = 'native'")
    assert rows == [(1, 2)]


def test_a_backup_stays_as_it_was_when_it_is_restored(backup: Path, tmp_path: Path) -> None:
    before = everything_in(backup.parent)
    restore(backup, tmp_path / "new")

    assert everything_in(backup.parent) == before


def test_a_rehearsal_changes_nothing(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = everything_in(backup.parent), sorted(tmp_path.iterdir())

    assert rehearse(backup).counts == ALL
    assert (everything_in(backup.parent), sorted(tmp_path.iterdir())) == before


def spoil(backup: Path) -> None:
    data = bytearray(backup.read_bytes())
    data[-1] ^= 1
    backup.write_bytes(data)


def change(**fields: object) -> Callable[[Path], None]:
    """Have the manifest say something else."""

    def edit(backup: Path) -> None:
        path = manifest_of(backup)
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return edit


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(spoil, "SHA-256", id="one bit is another"),
        pytest.param(lambda backup: os.truncate(backup, 4096), "bytes", id="cut off"),
        pytest.param(lambda backup: manifest_of(backup).unlink(), "has no manifest", id="without a manifest"),
        pytest.param(lambda backup: manifest_of(backup).write_text("{"), "cannot be read", id="half a manifest"),
        pytest.param(change(sha256=7), "cannot be read", id="a hash that is none"),
        pytest.param(change(counts={"accounts": 1}), "it has no", id="counts that are not all there"),
        pytest.param(lambda backup: backup.unlink(), "There is no backup", id="gone"),
    ],
)
def test_what_is_not_what_its_manifest_says_is_not_restored(
    damage: Callable[[Path], None], reason: str, backup: Path, tmp_path: Path
) -> None:
    damage(backup)

    with pytest.raises(BrokerError, match=reason):
        restore(backup, tmp_path / "new")
    assert not (tmp_path / "new" / "broker.db").exists()


def with_manifest(database: Path) -> Path:
    """Have a file with a manifest of its own, as somebody could who means it."""
    found = Manifest("b.db", "heron", "0.1.0", "0004", "", 0, 0, 0, database.stat().st_size, sha256_of(database), None)
    manifest_of(database).write_text(found.to_json())
    return database


def test_a_backup_of_a_newer_schema_is_refused(backup: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()

    with pytest.raises(BrokerError, match="newer version") as caught:
        restore(with_manifest(backup), tmp_path / "new")
    assert caught.value.code == Code.RESOURCE_CONFIGURATION


@pytest.mark.parametrize("contents", [b"no database at all", b""])
def test_a_file_that_is_no_database_is_refused(contents: bytes, tmp_path: Path) -> None:
    file = tmp_path / "b.db"
    file.write_bytes(contents)

    with pytest.raises(BrokerError, match="is no database of a broker"):
        restore(with_manifest(file), tmp_path / "new")


def test_a_damaged_page_is_found(backup: Path, tmp_path: Path) -> None:
    page = query(backup, "SELECT rootpage FROM sqlite_master WHERE name = 'entry'")[0][0]
    with backup.open("r+b") as file:
        file.seek((int(str(page)) - 1) * 4096)
        file.write(b"\xff" * 64)

    with pytest.raises(BrokerError, match=re.escape(str(tmp_path)) + ".* is damaged"):
        restore(with_manifest(backup), tmp_path / "new")


def test_a_directory_with_something_in_it_is_not_restored_into(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "broker.db").write_bytes(b"of somebody else")

    with pytest.raises(BrokerError, match="is not empty"):
        restore(backup, tmp_path / "new")
    assert everything_in(tmp_path / "new") == {"broker.db": b"of somebody else"}


def test_what_an_interrupted_restoration_left_does_not_count(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "new" / "restore.part").mkdir(parents=True)
    (tmp_path / "new" / "restore.part" / "broker.db").write_bytes(b"half")

    assert restore(backup, tmp_path / "new").counts == ALL


def test_without_room_nothing_is_restored(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(BrokerError) as caught:
        restore(backup, tmp_path / "new", free=lambda directory: 1000)

    assert caught.value.code == Code.RESOURCE_NO_MORE_SPACE
    assert os.listdir(tmp_path / "new") == []


def test_the_integrity_of_a_file_is_checked_without_any_other_beside_it(backup: Path) -> None:
    before = os.listdir(backup.parent)
    verify.check_integrity(backup)

    assert os.listdir(backup.parent) == before
