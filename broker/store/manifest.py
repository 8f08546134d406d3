"""What is known of a backup: a JSON file beside it, by which it is checked before it is used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

from broker.errors import BrokerError, Code
from broker.model.stored_json import read_object

SUFFIX = ".json"
"""Of the manifest's name, in the place of the backup's own."""
MAX_BYTES = 65_536
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is in a database.

    Args:
        accounts: accounts.
        topics: topics and nodes.
        sessions: sessions that outlive a crash.
        subscriptions: of these sessions.
        entries: messages in queues and histories, counted once in each.
        dead_messages: those of them that could not be delivered.
        unreadable: records that are set aside.
    """

    accounts: int
    topics: int
    sessions: int
    subscriptions: int
    entries: int
    dead_messages: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of a backup. In the file the names are in camel case: ``sizeBytes``.

    Args:
        file: name of the backup.
        node: the broker that it is of; empty for a copy that was made before an upgrade.
        version: of the program that made it.
        revision: of the schema.
        made_at: when it was begun, RFC 3339 in UTC.
        duration_milliseconds: until it was written and verified.
        database_bytes: of the database that it is a copy of, with its write-ahead log.
        log_growth_bytes: by which the write-ahead log grew while the copy was made.
        size_bytes: of the backup.
        sha256: of the backup, in hexadecimal digits.
        counts: what is in it; ``None`` where the schema is one that this program reads only after an upgrade.
    """

    file: str
    node: str
    version: str
    revision: str
    made_at: str
    duration_milliseconds: int
    database_bytes: int
    log_growth_bytes: int
    size_bytes: int
    sha256: str
    counts: Counts | None

    def to_json(self) -> str:
        """The text of the file."""
        fields = _in_camel_case(asdict(self))
        if self.counts is None:
            del fields["counts"]
        else:
            fields["counts"] = _in_camel_case(asdict(self.counts))
        return json.dumps(fields, indent=2) + "\n"

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """From the text of the file.

        Raises:
            BrokerError: ``resource.db.unknown`` where it is none.
        """
        counts = _in_camel_case(get_type_hints(Counts))
        fields = {**_in_camel_case(get_type_hints(Manifest)), "counts": counts}
        found = read_object(data, fields, _WHAT)
        given = found.pop("counts", None)
        del fields["counts"]
        return cls(**_by_name(found, fields), counts=None if given is None else Counts(**_by_name(given, counts)))


_WHAT = "the manifest"


def _by_name(found: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in fields if name not in found]
    if missing:
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"{_WHAT} cannot be read: it has no {missing[0]}")
    return {_snake(name): value for name, value in found.items()}


def _in_camel_case(fields: dict[str, Any]) -> dict[str, Any]:
    return {_camel(name): value for name, value in fields.items()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def manifest_of(backup: Path) -> Path:
    """The path of a backup's manifest."""
    return backup.with_suffix(SUFFIX)


def read_manifest(backup: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        BrokerError: ``resource.db.unknown`` where it cannot be read.
        OSError: there is none.
    """
    with manifest_of(backup).open("rb") as file:
        return Manifest.from_json(file.read(MAX_BYTES))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
