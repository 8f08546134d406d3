"""What accounts keep on the server for their clients: private XML and vCards (XEP-0049, XEP-0054)."""

from __future__ import annotations

from broker.errors import BrokerError, Code
from broker.model.records import DocumentRecord
from broker.xml.tree import Tree, parse_tree
from broker.xmpp.routing.domain import AT_ACCOUNT, AT_DOMAIN, Domain, Iq
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element

PRIVATE = "xmpp.private"
"""Kind of the documents of private XML, named ``namespace name``."""
VCARD = "xmpp.vcard"
"""Kind of the document of a vCard."""


class Storage:
    """Keeps private XML and vCards.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._documents = domain.broker.documents
        self._limit = domain.settings.max_stored
        self._most = domain.settings.max_private
        self._documents.carried[PRIVATE] = self._documents.carried[VCARD] = self._check
        domain.serve("get", ns.PRIVATE, "query", self._get_private, AT_ACCOUNT)
        domain.serve("set", ns.PRIVATE, "query", self._set_private, AT_ACCOUNT)
        domain.serve("get", ns.VCARD, "vCard", self._get_card, AT_ACCOUNT)
        domain.serve("set", ns.VCARD, "vCard", self._set_card, AT_ACCOUNT)
        domain.add_feature(ns.PRIVATE, AT_DOMAIN, AT_ACCOUNT)
        domain.add_feature(ns.VCARD, AT_DOMAIN, AT_ACCOUNT)

    async def _get_private(self, request: Iq) -> bytes | None:
        """XEP-0049 §3."""
        wanted = _only_private(request)
        found = await self._documents.read(request.client.jid.local, PRIVATE)
        name = f"{wanted.namespace} {wanted.name}"
        data = next((self._readable(record) for record in found if record.name == name), None)
        return element("query", ns.PRIVATE, content=data or element(wanted.name, wanted.namespace))

    async def _set_private(self, request: Iq) -> bytes | None:
        given = _only_private(request)
        local = request.client.jid.local
        name = f"{given.namespace} {given.name}"
        data = self._checked(given)
        found = await self._documents.read(local, PRIVATE)
        if len(found) >= self._most and all(record.name != name for record in found):
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"at most {self._most} elements are kept")
        self._documents.put(local, PRIVATE, name, data)
        return None

    async def _get_card(self, request: Iq) -> bytes | None:
        """XEP-0054 §3: whose card is not there looks like who is not there."""
        found = await self._documents.read(request.to.local, VCARD)
        data = self._readable(found[0]) if found else None
        if data is not None:
            return data
        if request.is_own:
            return element("vCard", ns.VCARD)
        raise StanzaError(Condition.SERVICE_UNAVAILABLE)

    async def _set_card(self, request: Iq) -> bytes | None:
        if not request.is_own:
            raise StanzaError(Condition.FORBIDDEN, "that is not your card")
        data = self._checked(request.payload)
        self._documents.put(request.client.jid.local, VCARD, "", data)
        return None

    def _check(self, record: DocumentRecord) -> None:
        if len(record.data) > self._limit:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"at most {self._limit} bytes are kept")
        parse_tree(record.data, ns.CLIENT, what="document")

    def _readable(self, record: DocumentRecord) -> bytes | None:
        """What a document holds, if that may stand in a stream: bytes that are no element would be the end of it."""

        def read(document: DocumentRecord) -> bytes:
            parse_tree(document.data, ns.CLIENT, what="document")
            return document.data

        return self._documents.readable(record, read)

    def _checked(self, tree: Tree) -> bytes:
        data = tree.to_bytes("")
        if len(data) > self._limit:
            raise StanzaError(Condition.NOT_ACCEPTABLE, f"it is longer than {self._limit} bytes")
        return data


def _only_private(request: Iq) -> Tree:
    if not request.is_own:
        raise StanzaError(Condition.FORBIDDEN, "that is not your storage")
    children = request.payload.children
    if len(children) != 1 or children[0].namespace in ("", ns.PRIVATE):
        raise StanzaError(Condition.BAD_REQUEST, "exactly one element with a namespace of its own is kept at a time")
    return children[0]
