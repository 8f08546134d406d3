"""Persists who was shown presence of non-resumable resources, so that they get unavailable presence after a crash."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from twisted.logger import Logger

from broker.errors import BrokerError
from broker.model.jid import JID, parse_jid
from broker.model.records import DocumentRecord
from broker.model.stored_json import read_object
from broker.xmpp.routing.domain import Client, Domain

PRESENT = "xmpp.present"
"""Kind of the documents that name them."""
_NOBODY = "@"
"""Their owner: no account has such a name, so that all of them are found at once."""

log = Logger()


class _Shown(NamedTuple):
    """Whose presence was shown: whether to all contacts, and to which other addresses."""

    available: bool = True
    directed: Sequence[str] = ()


class DepartedResources:
    """Remembers them; streams that survive a crash are none of them.

    Args:
        domain: the service.

    Attributes:
        left: by account, those that were available and went with the last broker; none after :meth:`told`.
    """

    def __init__(self, domain: Domain) -> None:
        self._clients = domain.clients
        self._documents = domain.broker.documents
        self._stored: set[str] = set()  # full JIDs with a document
        self.left: dict[str, list[JID]] = {}
        self._directed: dict[str, list[JID]] = {}  # by address, those that had sent it directed presence
        self._gone: list[JID] = []

    def resource_online(self, client: Client) -> None:
        """A client is available."""
        if client.full not in self._stored or client.stream.directed:
            self._keep(client)

    def directed(self, client: Client) -> None:
        """A client has sent directed presence to another address, or to one less (RFC 6121 §4.6.3)."""
        self._keep(client)

    def directed_to(self, client: Client) -> list[JID]:
        """Those that had sent a client directed presence and went with the last broker, until contacts are informed."""
        found = self._directed.get(client.full, ())
        return [*found, *self._directed.get(client.bare, ())] if client.stream.available else list(found)

    def resource_offline(self, full: str) -> None:
        """A resource is not available any more, and everybody has been told.

        Args:
            full: its JID.
        """
        if full in self._stored:
            self._stored.remove(full)
            self._documents.delete(_NOBODY, PRESENT, full)

    async def recover(self) -> None:
        """Find those that went with the last broker: their streams are none that came back."""
        try:
            records = await self._documents.read(_NOBODY, PRESENT)
        except BrokerError as error:
            log.error("who was available before the last stop cannot be read: {reason}", reason=str(error))
            return
        for record in records:
            jid = self._documents.readable(record, lambda found: parse_jid(found.name))
            if jid is None:
                continue
            shown = self._documents.readable(record, _read) or _Shown()  # its contacts are told in any case
            self._stored.add(record.name)
            if record.name not in self._clients:
                self._gone.append(jid)
                if shown.available:
                    self.left.setdefault(jid.local, []).append(jid)
                for to in shown.directed:
                    self._directed.setdefault(to, []).append(jid)

    def contacts_informed(self) -> None:
        """All streams that came back have been told, or will be when they are resumed."""
        self.left, self._directed = {}, {}
        gone, self._gone = self._gone, []
        for jid in gone:
            client = self._clients.get(jid.full)
            if client is None or not (client.stream.available or client.stream.directed):
                self.resource_offline(jid.full)

    def _keep(self, client: Client) -> None:
        if client.dispatch.is_durable:  # what is kept of its stream tells it
            return
        stream = client.stream
        shown = {"available": stream.available, "directed": stream.directed}
        data = json.dumps(shown, separators=(",", ":")).encode() if stream.directed else b""
        if data or stream.available:
            self._stored.add(client.full)
            self._documents.put(_NOBODY, PRESENT, client.full, data)
        else:
            self.resource_offline(client.full)


def _read(record: DocumentRecord) -> _Shown:
    if not record.data:
        return _Shown()
    return _Shown(**read_object(record.data, {"available": bool, "directed": list}, "whom it had sent presence"))
