"""Changes of kept properties that are committed with other changes, and are in their file a moment later.

What crashes in between is brought to its end by the next start, so that all of it is made, or nothing.
"""

from __future__ import annotations

import json
from typing import Any

from broker.admin.property_book import PropertyBook
from broker.core.documents import Documents
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.model.records import SECURITY_OWNER, DocumentRecord
from broker.model.stored_json import read_object

KIND = "admin.properties"


class PendingProperties:
    """Changes that are noted in the store.

    Args:
        documents: of the core, where they are noted.
        book: of the properties.
    """

    def __init__(self, documents: Documents, book: PropertyBook) -> None:
        self._documents = documents
        self._book = book

    def note(self, name: str, value: str | None, who: str) -> None:
        """Note a change in the open batch.

        Args:
            name: of the property.
            value: the text that it is to have, which may be set; ``None`` takes it back.
            who: changes it.
        """
        values = {"value": value or "", "set": value is not None, "by": who}
        data = json.dumps(values, separators=(",", ":")).encode()
        self._documents.put(SECURITY_OWNER, KIND, name, data)

    async def settle(self) -> None:
        """Have what is noted in the file and in force, and forget the notes.

        Raises:
            BrokerError: ``resource.fileIO`` where the file cannot be written; the notes stay.
        """
        documents = self._documents
        records = await documents.read(SECURITY_OWNER, KIND)
        read = [(each.name, documents.readable(each, _read)) for each in records]
        changes = {name: note for name, note in read if note is not None}
        if not changes:
            return
        reach("properties noted")
        who = next(iter(changes.values()))["by"]
        self._book.keep_all(
            {name: note["value"] if note["set"] else None for name, note in changes.items() if self._is_known(name)},
            who,
        )
        for name in changes:
            documents.delete(SECURITY_OWNER, KIND, name)

    def _is_known(self, name: str) -> bool:
        try:
            self._book.row(name)
        except BrokerError as error:  # another version of this program had it
            if error.code != Code.USER_ILLEGAL_ARGUMENT:
                raise
            return False
        return True


def _read(record: DocumentRecord) -> dict[str, Any]:
    return read_object(record.data, {"value": str, "set": bool, "by": str}, "the change of a property")
