"""What clients leave with the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Interface

if TYPE_CHECKING:
    from broker.model.records import DocumentRecord


class IDocuments(Interface):
    """Named data of an owner, such as rosters and vCards."""

    def put_document(record: DocumentRecord) -> None:
        """Insert or replace by owner, kind and name."""

    def delete_document(owner: str, kind: str, name: str) -> None:
        """Delete."""

    def read_documents(owner: str, kind: str) -> Deferred[list[DocumentRecord]]:
        """Read documents by name; everything appended before is seen. An empty owner reads those of all owners."""

    def purge_documents(now: int) -> None:
        """Delete documents with ``0 < expires <= now`` (ms since 1970)."""
