"""What tongues keep of accounts beside messages: rosters, vCards and the like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, TypeVar

from broker.errors import BrokerError, Code
from broker.model.records import DocumentRecord

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from broker.core.node import Node


T = TypeVar("T")


class Documents:
    """Keeps documents, by owner, kind and name; nothing for clients that have no account.

    Args:
        node: shared state.

    Attributes:
        carried: kinds of documents that are carried from one broker to another, each with what raises
            :class:`BrokerError` for a document that is none of it; a tongue adds its own.
        on_carried: awaited with the owners of documents that administration has put or deleted.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.carried: dict[str, Callable[[DocumentRecord], object]] = {}
        self.on_carried: list[Callable[[Collection[str]], Awaitable[None]]] = []

    def keeps(self, owner: str) -> bool:
        """Whether anything may be kept for a login name: nobody would ever remove what is of a guest."""
        subject = self._node.subjects.get(owner)
        return subject is None or not subject.guest

    def check(self, owner: str) -> None:
        """Refuse to keep anything for who has no account.

        Raises:
            BrokerError: ``user.notAuthorized``.
        """
        if not self.keeps(owner):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, "nothing is kept for who has no account")

    def put(self, owner: str, kind: str, name: str, data: bytes, expires: int = 0) -> None:
        """Insert or replace.

        Args:
            owner: login name.
            kind: of the document.
            name: unique of its owner and kind.
            data: to keep.
            expires: milliseconds since 1970; 0 never.

        Raises:
            BrokerError: ``user.notAuthorized`` for a guest, ``user.illegalArgument`` for what cannot be stored.
        """
        self.check(owner)
        self._node.store.put_document(DocumentRecord(owner, kind, name, data, expires))

    def delete(self, owner: str, kind: str, name: str) -> None:
        """Delete, if it is there."""
        self._node.store.delete_document(owner, kind, name)

    def read(self, owner: str, kind: str) -> Deferred[list[DocumentRecord]]:
        """The documents of one owner and kind, by name; with an empty kind all of them."""
        found: Deferred[list[DocumentRecord]] = self._node.store.read_documents(owner, kind)
        return found

    async def remove_all(self, owner: str) -> None:
        """Delete all documents of an owner, whatever their kind."""
        for record in await self._node.store.read_documents(owner, ""):
            self.delete(*record[:3])

    def readable(self, record: DocumentRecord, read: Callable[[DocumentRecord], T]) -> T | None:
        """What a document says; ``None`` where it cannot be read, which sets it aside.

        Args:
            record: of the document.
            read: reads it.
        """
        return self._node.set_aside.document(self._node.store, record, read)

    def purge(self) -> None:
        """Delete those that have expired."""
        self._node.store.purge_documents(self._node.now())
