"""Service discovery (XEP-0030)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from broker.xmpp.features.approvals import sees
from broker.xmpp.routing.domain import AT_ACCOUNT, AT_DOMAIN, Domain, Iq
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element


@dataclass(frozen=True, slots=True)
class Identity:
    """What a place is.

    Args:
        category: e.g. ``server``.
        type: e.g. ``im``.
        name: for people.
    """

    category: str
    type: str
    name: str

    def to_bytes(self) -> bytes:
        """The ``<identity/>``."""
        return element("identity", attributes={"category": self.category, "type": self.type, "name": self.name or None})


SERVER_INFO = "http://jabber.org/network/serverinfo"
"""What the form with the contact addresses is about (XEP-0157)."""

NodeService = Callable[[Iq, str], Awaitable[bytes]]
"""Answers for a node with the content of the ``<query/>``."""


class Disco:
    """Answers what a place is, what it can do, and what it has.

    Args:
        domain: the service; its features and items are told.

    Attributes:
        identities: by place.
        info: services for disco#info of nodes, by place.
        contents: services for disco#items of a place itself and its nodes, by place.
        forms: data forms that extend disco#info, by place (XEP-0128).
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.identities: dict[str, Identity] = {
            AT_DOMAIN: Identity("server", "im", "broker"),
            AT_ACCOUNT: Identity("account", "registered", ""),
        }
        self.info: dict[str, NodeService] = {}
        self.contents: dict[str, NodeService] = {}
        self.forms: dict[str, list[bytes]] = {}
        if domain.settings.contacts:
            addresses = {f"{role}-addresses": given for role, given in domain.settings.contacts.items()}
            self.forms[AT_DOMAIN] = [result_form(SERVER_INFO, addresses)]
        self.add(AT_DOMAIN)
        self.add(AT_ACCOUNT)

    def add(self, place: str) -> None:
        """Answer at a place; its identity is in :attr:`identities`."""
        self._domain.serve("get", ns.DISCO_INFO, "query", self._info, place)
        self._domain.serve("get", ns.DISCO_ITEMS, "query", self._items, place)
        self._domain.add_feature(ns.DISCO_INFO, place)
        self._domain.add_feature(ns.DISCO_ITEMS, place)

    async def _info(self, request: Iq) -> bytes | None:
        place = self._place(request)
        node = request.payload.attributes.get("node", "")
        if place == AT_ACCOUNT and not await self._is_visible(request):
            raise StanzaError(Condition.SERVICE_UNAVAILABLE)
        if not node:
            return element("query", ns.DISCO_INFO, content=self.features(place))
        service = self.info.get(place)
        if service is None:
            raise StanzaError(Condition.ITEM_NOT_FOUND)
        return element("query", ns.DISCO_INFO, {"node": node}, await service(request, node))

    async def _items(self, request: Iq) -> bytes | None:
        place = self._place(request)
        node = request.payload.attributes.get("node", "")
        service = self.contents.get(place)
        if service is not None:
            return element("query", ns.DISCO_ITEMS, {"node": node or None}, await service(request, node))
        items: list[tuple[str, str]] = []
        if place == AT_ACCOUNT:
            if not node and await self._is_visible(request):
                clients = self._domain.clients_of(request.to.local)
                items = [(client.full, "") for client in clients if client.stream.available]
        elif node:
            raise StanzaError(Condition.ITEM_NOT_FOUND)
        else:
            items = self._domain.items
        content = b"".join(element("item", attributes={"jid": jid, "name": name or None}) for jid, name in items)
        return element("query", ns.DISCO_ITEMS, {"node": node or None}, content)

    def features(self, place: str) -> bytes:
        """Identity, features and forms of a place."""
        names = sorted(self._domain.features.get(place, ()))
        features = [element("feature", attributes={"var": each}) for each in names]
        return b"".join([self.identities[place].to_bytes(), *features, *self.forms.get(place, ())])

    def _place(self, request: Iq) -> str:
        if not self._domain.is_local(request.to):
            return request.to.domain
        return AT_ACCOUNT if request.to.local else AT_DOMAIN

    async def _is_visible(self, request: Iq) -> bool:
        """Whether who asks may know that there is such an account (XEP-0030 §8): strangers may not."""
        account = await self._domain.accounts.load(request.to.local)
        return account is not None and (request.is_own or sees(account.roster.get(request.client.bare)))


def result_form(form_type: str, fields: Mapping[str, Sequence[str]]) -> bytes:
    """A data form that tells something (XEP-0004, XEP-0128).

    Args:
        form_type: what it is about.
        fields: values by name of the field.
    """
    content = element("field", attributes={"var": "FORM_TYPE", "type": "hidden"}, content=_values([form_type]))
    for name, values in fields.items():
        content += element("field", attributes={"var": name, "type": "list-multi"}, content=_values(values))
    return element("x", ns.DATA_FORMS, {"type": "result"}, content)


def _values(values: Sequence[str]) -> bytes:
    return b"".join(element("value", content=each) for each in values)
