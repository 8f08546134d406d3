"""What clients leave with the broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from broker.model.records import DocumentRecord, Unreadable


class IDocuments(Interface):
    """Named data of an owner, such as rosters and vCards."""

    on_unreadable: Callable[[Unreadable], None] = Attribute(
        "Told of documents and accounts that are none, when they are read."
    )

    def put_document(record: DocumentRecord) -> None:
        """Insert or replace by owner, kind and name."""

    def delete_document(owner: str, kind: str, name: str) -> None:
        """Delete."""

    def read_documents(owner: str, kind: str) -> Deferred[list[DocumentRecord]]:
        """Read documents by name; everything appended before is seen.

        An empty owner reads those of all owners, an empty kind those of all kinds; one of them is not empty.

        Rows that are no records are left out, and told to ``on_unreadable``.
        """

    def purge_documents(now: int) -> None:
        """Delete documents with ``0 < expires <= now`` (ms since 1970)."""
