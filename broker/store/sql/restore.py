"""A new data directory out of a backup (SQLite)."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from broker.errors import BrokerError, Code
from broker.store.location import DATABASE_FILE
from broker.store.manifest import Counts, Manifest, manifest_of, read_manifest, sha256_of
from broker.store.sql.backup import free_space
from broker.store.sql.copy import size_of, sync
from broker.store.sql.failures import translate
from broker.store.sql.verify import check_integrity, recover

PART = "restore.part"
"""Directory in the data directory in which the database is made ready."""
_STREAMS_END = "UPDATE session SET persistent = 0 WHERE kind = 'xmpp' AND persistent <> 0"
_ALL_MAY_REPEAT = "UPDATE session SET attached = 1, epoch = epoch + 1 WHERE kind <> 'xmpp'"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it.

    Args:
        manifest: of the backup.
        counts: what is in the database now.
        streams: XMPP streams that cannot be resumed.
    """

    manifest: Manifest
    counts: Counts
    streams: int


def rehearse(backup: Path) -> Restored:
    """Do all that :func:`restore` does, in a temporary directory; nothing stays of it.

    Raises:
        BrokerError: as :func:`restore` does.
        OSError: a file cannot be read or written.
    """
    with tempfile.TemporaryDirectory(prefix="broker-rehearse-") as directory:
        return _make_ready(backup, Path(directory) / DATABASE_FILE, free_space)


def restore(backup: Path, data: Path, *, free: Callable[[Path], int] = free_space) -> Restored:
    """Make a data directory out of a backup; the next start of a broker on it goes on from there.

    Streams of XMPP cannot be resumed (XEP-0198 §5): which stanzas client and broker have counted since the backup is
    not in it, and by other counts a client would take one stanza for another. What waits in such a stream is handed to
    its account. What waits for other sessions may have been delivered after the backup, and is marked as repeated.

    Args:
        backup: a file with a manifest beside it.
        data: the data directory; empty, or not there.
        free: bytes that may still be written where a directory is.

    Raises:
        BrokerError: ``resource.configuration`` where the directory is not empty, or the backup is of a newer schema;
            ``resource.db.unknown`` where it is not what its manifest says, or damaged; ``resource.noMoreSpace``;
            ``resource.*`` where a broker could not start on it.
        OSError: a file cannot be read or written.
    """
    if data.exists():
        others = [path.name for path in data.iterdir() if path.name != PART]
        if others:
            message = f"{data} is not empty (it has {min(others)}); give a new directory"
            raise BrokerError(Code.RESOURCE_CONFIGURATION, message, "/store")
    with _in_part(data) as part:
        restored = _make_ready(backup, part / DATABASE_FILE, free)
        (part / DATABASE_FILE).rename(data / DATABASE_FILE)
    sync(data)
    sync(data.parent)
    return restored


@contextmanager
def _in_part(data: Path) -> Iterator[Path]:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = data / PART
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _make_ready(backup: Path, database: Path, free: Callable[[Path], int]) -> Restored:
    manifest = _check(backup)
    found = free(database.parent)
    if found < manifest.size_bytes:
        message = f"{backup.name} needs {manifest.size_bytes} bytes, and where {database.parent} is there are {found}"
        raise BrokerError(Code.RESOURCE_NO_MORE_SPACE, message, "/store")
    shutil.copyfile(backup, database)
    database.chmod(0o600)
    if sha256_of(database) != manifest.sha256:
        raise _differs(backup, "its contents are not those of then (SHA-256)")
    check_integrity(database)
    counts = recover(database)
    if manifest.counts is not None and counts != manifest.counts:
        raise _differs(backup, f"it holds {counts}, not {manifest.counts}")
    streams = _as_of_then(database)
    sync(database)
    return Restored(manifest, counts, streams)


def _check(backup: Path) -> Manifest:
    if not backup.is_file():
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"There is no backup {backup}", "/store")
    if not manifest_of(backup).is_file():
        message = f"{backup} has no manifest {manifest_of(backup).name} beside it"
        raise BrokerError(Code.RESOURCE_CONFIGURATION, message, "/store")
    manifest = read_manifest(backup)
    if size_of(backup) != manifest.size_bytes:
        raise _differs(backup, f"it has {size_of(backup)} bytes, not {manifest.size_bytes}")
    return manifest


def _as_of_then(database: Path) -> int:
    """Have the broker take the sessions for those of a copy; returns how many streams end."""
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            streams = connection.execute(_STREAMS_END).rowcount
            connection.execute(_ALL_MAY_REPEAT)
            connection.execute("COMMIT")
            return streams
    except sqlite3.Error as error:
        raise translate(error) from error


def _differs(backup: Path, why: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_DB_UNKNOWN, f"{backup} is not what its manifest says: {why}", "/store")
