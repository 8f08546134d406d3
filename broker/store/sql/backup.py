"""Backups of the database while the broker runs, each of them verified (SQLite)."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL

from broker import __version__
from broker.errors import BrokerError, Code
from broker.private_files import PRIVATE
from broker.store.backup_settings import BackupSettings
from broker.store.location import DATABASE_FILE
from broker.store.manifest import Counts, Manifest, manifest_of, sha256_of
from broker.store.sql.copy import copy_database, size_of, sqlite_file_of, sync, wal_of
from broker.store.sql.database import parse_url
from broker.store.sql.revisions import NEWEST
from broker.store.sql.verify import check_integrity, recover

ROOM = 1.2
"""Free space that a backup needs, by the size of the database."""
PART = ".part"
"""Of the name of a directory in which a backup is being made."""
SUFFIX = ".db"
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_STAMP = "%Y%m%dT%H%M%SZ"
_STAMPED = r"-[0-9]{8}T[0-9]{6}Z"


def free_space(directory: Path) -> int:
    """Bytes that the broker may still write where a directory is.

    Raises:
        OSError: there is no such directory.
    """
    return shutil.disk_usage(directory).free


def take_backup(
    url: str,
    settings: BackupSettings,
    *,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    free: Callable[[Path], int] = free_space,
) -> tuple[Path, Manifest]:
    """Make a backup, verify it, and remove those that are too many; blocks until all is on disk.

    It is made in a directory of its own and gets its name when it is verified: what has the name of a backup is whole,
    and has a manifest beside it. What was left of one that was interrupted is removed.

    Args:
        url: of the database; a broker may be writing to it.
        settings: where backups go, and how many stay.
        now: seconds since 1970.
        monotonic: seconds by a clock that nobody sets.
        free: bytes that may still be written where a directory is.

    Returns:
        The path of the backup and its manifest.

    Raises:
        BrokerError: ``resource.noMoreSpace`` where there is not enough room for another, ``resource.configuration``
            where there is no database, it is not SQLite, or another backup is being made, ``resource.*`` where the
            database fails or the copy is not sound.
        OSError: the directory cannot be used.
    """
    begun = datetime.fromtimestamp(now(), UTC)
    name = f"{_node_of(settings)}-{begun:{_STAMP}}"
    source = sqlite_file_of(check_is_sqlite(url, name))
    with alone_in(settings.directory):
        backup, manifest = make_backup(
            source, settings.directory / f"{name}{SUFFIX}", settings.node, begun, monotonic, free
        )
        _prune(settings)
        return backup, manifest


def check_is_sqlite(url: str, name: str) -> URL:
    """See to it that backups can be made of a database, and give its URL.

    Args:
        url: of the database.
        name: of the backup.

    Raises:
        BrokerError: ``resource.configuration`` where it is not SQLite, with the command that is for PostgreSQL.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise _use_pg_dump(parsed, name)
    return parsed


def check_schedule(url: str, settings: BackupSettings) -> None:
    """See to it that a schedule has an effect.

    Raises:
        BrokerError: ``resource.configuration`` where backups are to be made of what is not an SQLite database.
    """
    if settings.schedule is not None and not url.startswith("sqlite"):
        message = "backup.schedule is for SQLite only; for PostgreSQL run pg_dump at that time"
        raise BrokerError(Code.RESOURCE_CONFIGURATION, message, "/store")


def make_backup(
    source: Path,
    backup: Path,
    node: str,
    begun: datetime,
    monotonic: Callable[[], float] = time.monotonic,
    free: Callable[[Path], int] = free_space,
) -> tuple[Path, Manifest]:
    """Make one backup under a name, in the place of one that has it; for whoever is :func:`alone_in` the directory.

    The other arguments, the result and errors are those of :func:`take_backup`.

    Args:
        source: the database.
        backup: the file to make.
        node: name of the broker.
        begun: the time that the manifest tells.
        monotonic: see there.
        free: see there.
    """
    start = monotonic()
    size = size_of(source) + size_of(wal_of(source))
    _check_room(backup.parent, size, free)
    part = backup.with_suffix(PART)
    part.mkdir(mode=0o700)
    try:
        copy = part / DATABASE_FILE
        growth = copy_database(source, copy)
        revision = check_integrity(copy)
        counts: Counts | None = recover(copy) if revision == NEWEST else None
        sync(copy)
        manifest = Manifest(
            file=backup.name,
            node=node,
            version=__version__,
            revision=revision,
            made_at=f"{begun:%Y-%m-%dT%H:%M:%S}Z",
            duration_milliseconds=round((monotonic() - start) * 1000),
            database_bytes=size,
            log_growth_bytes=growth,
            size_bytes=size_of(copy),
            sha256=sha256_of(copy),
            counts=counts,
        )
        _publish(copy, backup, manifest)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return backup, manifest


def _publish(copy: Path, backup: Path, manifest: Manifest) -> None:
    described = copy.with_suffix(".json")
    descriptor = os.open(described, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(manifest.to_json())
    sync(described)
    backup.unlink(missing_ok=True)
    described.rename(manifest_of(backup))  # first, so that no backup is ever without one
    copy.rename(backup)
    sync(backup.parent)


def backups_of(settings: BackupSettings) -> list[Path]:
    """The backups of a node, the oldest first; not those that an upgrade has made."""
    name = re.compile(re.escape(_node_of(settings)) + _STAMPED + re.escape(SUFFIX))
    if not settings.directory.is_dir():
        return []
    return sorted(path for path in settings.directory.iterdir() if name.fullmatch(path.name))


def _prune(settings: BackupSettings) -> None:
    for backup in backups_of(settings)[: -settings.keep]:
        backup.unlink()
        manifest_of(backup).unlink(missing_ok=True)


@contextmanager
def alone_in(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Make a directory of backups; nobody else makes any in it meanwhile, so what others left unfinished is removed.

    Args:
        directory: of the backups.
        wait: for a backup that is just being made.

    Raises:
        BrokerError: ``resource.configuration`` where another is being made, and this one is not to wait.
        OSError: the directory cannot be used.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            message = f"Another backup is just being made in {directory}"
            raise BrokerError(Code.RESOURCE_CONFIGURATION, message, "/store") from None
        for left in directory.glob(f"*{PART}"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(descriptor)


def _check_room(directory: Path, size: int, free: Callable[[Path], int]) -> None:
    needed, found = int(size * ROOM), free(directory)
    if found < needed:
        message = f"A backup needs {needed} bytes, and where {directory} is there are {found}"
        raise BrokerError(Code.RESOURCE_NO_MORE_SPACE, message, "/store")


def _node_of(settings: BackupSettings) -> str:
    return _ODD.sub("_", settings.node)


def _use_pg_dump(url: URL, name: str) -> BrokerError:
    shown = url._replace(drivername="postgresql", password=None).render_as_string()
    command = f"pg_dump --format=custom --file={shlex.quote(f'{name}.dump')} {shlex.quote(shown)}"
    return BrokerError(
        Code.RESOURCE_CONFIGURATION,
        f"PostgreSQL has tools of its own for this; run: {command} (the password in PGPASSWORD or ~/.pgpass). To go"
        " back to any moment, make base backups and archive the write-ahead log",
        "/store",
    )
