"""Definitions of what accounts keep for XMPP: rosters, block lists, vCards and private XML."""

from __future__ import annotations

from broker.admin.definitions.format import DocumentDefinition
from broker.admin.definitions.section import Section
from broker.auth.names import is_account_name
from broker.core.asker import Asker
from broker.core.broker import Broker
from broker.errors import BrokerError, Code
from broker.model.records import DocumentRecord
from broker.store.limits import check_document


class DocumentSection(Section[DocumentDefinition]):
    """Documents of the kinds that tongues have named (:attr:`broker.core.documents.Documents.carried`).

    Args:
        broker: the core.
    """

    name = "xmpp"
    reads_store = True

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._documents = broker.documents
        self._touched: set[str] = set()

    async def read(self) -> list[DocumentDefinition]:
        """By owner, kind and name, but what expires by itself and what is no text."""
        found: list[DocumentDefinition] = []
        for kind in self._documents.carried:
            for record in await self._documents.read("", kind):
                text = self._documents.readable(record, lambda each: each.data.decode()) if not record.expires else None
                if text is not None:
                    found.append(DocumentDefinition(record.owner, kind, record.name, text))
        return sorted(found, key=lambda each: (each.owner, each.kind, each.name))

    def name_of(self, definition: DocumentDefinition) -> str:
        """``joe xmpp.roster ann@example.org``."""
        return f"{definition.owner} {definition.kind} {definition.name}".rstrip()

    def check(self, before: DocumentDefinition | None, after: DocumentDefinition) -> None:
        """Refuse documents of kinds that nobody knows, and those that are none of their kind."""
        check = self._documents.carried.get(after.kind)
        if check is None:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"nothing here keeps documents of the kind {after.kind[:64]}")
        if not is_account_name(after.owner):
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{after.owner[:200]} is no name of an account")
        self._documents.check(after.owner)
        record = DocumentRecord(after.owner, after.kind, after.name, after.text.encode())
        check_document(record)
        check(record)

    def put(self, asker: Asker, before: DocumentDefinition | None, after: DocumentDefinition) -> None:
        """Insert or replace."""
        self._documents.put(after.owner, after.kind, after.name, after.text.encode())
        self._touched.add(after.owner)

    def delete(self, asker: Asker, before: DocumentDefinition) -> None:
        """Delete."""
        self._documents.delete(before.owner, before.kind, before.name)
        self._touched.add(before.owner)

    async def finish(self) -> None:
        """Tongues read again what they have in memory."""
        if self._touched:
            for listener in self._documents.on_carried:
                await listener(self._touched)
