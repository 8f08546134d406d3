"""Copies of a conversation for the other resources of its parties (XEP-0280)."""

from __future__ import annotations

from broker.core.sessions import Session
from broker.model.jid import JID
from broker.wire.xmpp import ns
from broker.wire.xmpp.errors import Condition, StanzaError
from broker.wire.xmpp.stanza import element, message, standalone
from broker.xmlio.stanza import Stanza
from broker.xmpp.domain import AT_ACCOUNT, AT_DOMAIN, Client, Domain, Iq
from broker.xmpp.routing import Router

_BODY = (ns.CLIENT, "body")
_PRIVATE = (ns.CARBONS, "private")
_NO_COPY = (ns.HINTS, "no-copy")
_FORWARDABLE = frozenset({"urn:xmpp:receipts", "http://jabber.org/protocol/chatstates", "urn:xmpp:chat-markers:0"})


class Carbons:
    """Sends copies to resources that want them.

    Args:
        domain: the service.
        router: delivers what is copied.
    """

    def __init__(self, domain: Domain, router: Router) -> None:
        self._domain = domain
        router.on_message = self._delivered
        domain.serve("set", ns.CARBONS, "enable", self._enable, AT_ACCOUNT)
        domain.serve("set", ns.CARBONS, "disable", self._disable, AT_ACCOUNT)
        domain.add_feature(ns.CARBONS, AT_DOMAIN)

    async def _enable(self, request: Iq) -> bytes | None:
        self._switch(request, on=True)
        return None

    async def _disable(self, request: Iq) -> bytes | None:
        self._switch(request, on=False)
        return None

    def _switch(self, request: Iq, *, on: bool) -> None:
        if not request.is_own:
            raise StanzaError(Condition.FORBIDDEN)
        request.client.stream.carbons = on
        request.client.keep()

    def _delivered(self, client: Client, stanza: Stanza, data: bytes, to: JID, receivers: list[Session]) -> None:
        subject = self._domain.node.subjects.get(to.local)
        alone = subject is None or len(subject.sessions) <= len(receivers)
        if alone and len(client.session.subject.sessions) == 1:
            return
        if not is_copied(stanza):
            return
        got = {*receivers, client.session}
        copied: set[str] = set()
        for other in self._domain.clients_of(client.jid.local):
            if other.stream.carbons and other.session not in got:
                other.send(_copy("sent", other, data))
                copied.add(other.full)
        for other in self._domain.clients_of(to.local):
            if other.stream.carbons and other.session not in got and other.full not in copied:
                other.send(_copy("received", other, data))


def is_copied(stanza: Stanza) -> bool:
    """Whether a message is copied (XEP-0280 §6.1)."""
    children = stanza.children
    if _PRIVATE in children or _NO_COPY in children:
        return False
    type = stanza.attributes.get("type", "normal")
    if type == "chat":
        return True
    return type == "normal" and (_BODY in children or any(namespace in _FORWARDABLE for namespace, _ in children))


def _copy(direction: str, client: Client, data: bytes) -> bytes:
    forwarded = element("forwarded", ns.FORWARD, content=standalone(data))
    return message(client.bare, client.full, type="chat", children=element(direction, ns.CARBONS, content=forwarded))
