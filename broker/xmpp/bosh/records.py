"""What of a session over BOSH survives a crash, beside its stream (design D18)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import get_type_hints

from twisted.logger import Logger

from broker.core.documents import Documents
from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none
from broker.model.records import DocumentRecord
from broker.model.stored_json import read_object
from broker.xmpp.wire.bosh import MAX_RID
from broker.xmpp.wire.sm import MODULUS

log = Logger()

SESSIONS = "xmpp.bosh"
"""Kind of the documents."""
_NOBODY = ""
"""Their owner: who asks for a session tells its id and no account."""


@dataclass(frozen=True, slots=True)
class Record:
    """A session.

    Args:
        user: a localpart.
        stream: id of its stream, by which that is resumed (XEP-0198 §5).
        rid: of the last request that has brought stanzas.
        start: how many stanzas of the client the stream had been given before them.
        acknowledged: number of the last stanza that the client has proved to have.
        answered: rid of the last request whose answer has brought stanzas, or of an earlier one.
        kept: of each answer that the client has not proved to have, the rid and the ids of its stanzas (XEP-0359).
        wait: see XEP-0124 §7.1.
        hold: likewise.
        acknowledges: the client says which answers it has got.
        content: type of the answers; empty for the usual one.
        key: the last of the sequence of keys; empty where there is none.
    """

    user: str
    stream: str
    rid: int
    start: int
    acknowledged: int
    answered: int
    kept: list[str] = field(default_factory=list)
    wait: int = 60
    hold: int = 1
    acknowledges: bool = False
    content: str = ""
    key: str = ""

    def answers(self) -> Mapping[int, tuple[str, ...]]:
        """The ids of stanzas by the rid of the answer that has brought them."""
        found = {}
        for each in self.kept:
            rid, *ids = each.split(" ")
            number = whole_or_none(rid, 0, MAX_RID)
            if number is not None:
                found[number] = tuple(ids)
        return found

    def to_bytes(self) -> bytes:
        """For the document."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        """From the document.

        Raises:
            BrokerError: ``resource.db.unknown`` where it is none.
        """
        what = "the record of a session over BOSH"
        found = read_object(data, _FIELDS, what)
        try:
            record = cls(**found)
        except TypeError as error:
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"{what} lacks a field") from error
        counters = (record.start, record.acknowledged)
        if not all(0 <= each < MODULUS for each in counters) or not all(
            0 <= each <= MAX_RID for each in (record.rid, record.answered, record.wait, record.hold)
        ):
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"{what} has a number that none can have")
        return record


_FIELDS = get_type_hints(Record) | {"kept": list}


class Records:
    """The records of all sessions, by the hashes of their ids: who reads the store cannot speak for a client.

    Args:
        documents: keep them.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._found: dict[str, Record] = {}

    async def recover(self) -> None:
        """Read those of the last broker."""
        try:
            records = await self._documents.read(_NOBODY, SESSIONS)
        except BrokerError as error:
            log.error("the sessions over BOSH before the last stop cannot be read: {reason}", reason=str(error))
            return
        for each in records:
            found = self._documents.readable(each, _read)
            if found is not None:
                self._found[each.name] = found

    def __contains__(self, sid: str) -> bool:
        return _name(sid) in self._found

    def take(self, sid: str) -> Record | None:
        """The record of a session of the last broker, which goes on here; ``None`` where there is none."""
        return self._found.pop(_name(sid), None)

    def give_back(self, sid: str, record: Record) -> None:
        """A session that was taken cannot go on now: it is tried again with the next request."""
        self._found[_name(sid)] = record

    def put(self, sid: str, record: Record) -> None:
        """Keep a record, in the order of all that is appended to the store."""
        self._documents.put(_NOBODY, SESSIONS, _name(sid), record.to_bytes())

    def delete(self, sid: str) -> None:
        """A session is over."""
        self._documents.delete(_NOBODY, SESSIONS, _name(sid))

    def drop(self, is_there: Mapping[str, object]) -> None:
        """Forget those whose stream is gone.

        Args:
            is_there: streams by their ids.
        """
        for name, record in list(self._found.items()):
            if record.stream not in is_there:
                del self._found[name]
                self._documents.delete(_NOBODY, SESSIONS, name)


def _name(sid: str) -> str:
    return hashlib.sha256(sid.encode()).hexdigest()


def _read(record: DocumentRecord) -> Record:
    return Record.from_bytes(record.data)
