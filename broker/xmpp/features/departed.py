"""Resources that are available and would not come back after a crash, on disk, so that others learn that they went."""

from __future__ import annotations

from twisted.logger import Logger

from broker.errors import BrokerError
from broker.model.jid import JID, parse_jid
from broker.model.records import DocumentRecord
from broker.xmpp.routing.domain import Client, Domain

PRESENT = "xmpp.present"
"""Kind of the documents that name them."""
_NOBODY = "@"
"""Their owner: no account has such a name, so that all of them are found at once."""

log = Logger()


class DepartedResources:
    """Remembers them; streams that survive a crash are none of them.

    Args:
        domain: the service.

    Attributes:
        left: by account, those that went with the last broker; none after :meth:`told`.
    """

    def __init__(self, domain: Domain) -> None:
        self._clients = domain.clients
        self._store = domain.node.store
        self._set_aside = domain.node.set_aside
        self._stored: set[str] = set()  # full JIDs with a document
        self.left: dict[str, list[JID]] = {}

    def came(self, client: Client) -> None:
        """A client is available."""
        if not client.dispatch.is_durable and client.full not in self._stored:
            self._stored.add(client.full)
            self._store.put_document(DocumentRecord(_NOBODY, PRESENT, client.full, b""))

    def went(self, full: str) -> None:
        """A resource is not available any more, and everybody has been told.

        Args:
            full: its JID.
        """
        if full in self._stored:
            self._stored.remove(full)
            self._store.delete_document(_NOBODY, PRESENT, full)

    async def recover(self) -> None:
        """Find those that went with the last broker: their streams are none that came back."""
        try:
            records = await self._store.read_documents(_NOBODY, PRESENT)
        except BrokerError as error:
            log.error("who was available before the last stop can not be read: {reason}", reason=str(error))
            return
        for record in records:
            jid = self._set_aside.document(self._store, record, lambda found: parse_jid(found.name))
            if jid is None:
                continue
            self._stored.add(record.name)
            if record.name not in self._clients:
                self.left.setdefault(jid.local, []).append(jid)

    def told(self) -> None:
        """All streams that came back have been told, or will be when they are resumed."""
        left, self.left = self.left, {}
        for jid in (jid for resources in left.values() for jid in resources):
            client = self._clients.get(jid.full)
            if client is None or not client.stream.available:
                self.went(jid.full)
