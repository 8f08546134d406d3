"""Copies of a conversation for the other resources of its parties (XEP-0280)."""

from __future__ import annotations

from broker.core.message import Message
from broker.core.sessions import Session
from broker.model.jid import JID
from broker.xml.stanza import Stanza
from broker.xmpp.routing.domain import AT_ACCOUNT, AT_DOMAIN, Client, Domain, Iq, stream_of
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element, message, standalone

_BODY = (ns.CLIENT, "body")
_PRIVATE = (ns.CARBONS, "private")
_NO_COPY = (ns.HINTS, "no-copy")
_NOT_COPIED = frozenset({"error", "groupchat", "headline"})
_FORWARDABLE = frozenset({"urn:xmpp:receipts", "http://jabber.org/protocol/chatstates", "urn:xmpp:chat-markers:0"})


class Carbons:
    """Sends copies to resources that want them.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
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
        request.client.save()
        self._domain.changed()

    def are_wanted(self, client: Client, to: JID, receivers: list[Session]) -> bool:
        """Whether anybody gets copies of messages between two parties.

        Args:
            client: the sender.
            to: the receiver.
            receivers: sessions that get the messages themselves.
        """
        return bool(self._wanting(client, to, receivers))

    def send(
        self, client: Client, stanza: Stanza, sent: Message, to: JID, receivers: list[Session], *, waits: bool = False
    ) -> None:
        """Send copies of a message that was delivered; they survive what it survives.

        Args:
            client: the sender.
            stanza: as it came.
            sent: as it went out.
            to: the receiver.
            receivers: sessions that got it.
            waits: none of them is there to get it, so it waits for one; any of them might get it once more.
        """
        wanting = self._wanting(client, to, receivers, waits=waits)
        if not wanting or not is_copied(stanza):
            return
        for direction, session in wanting:
            other = self._domain.client_of(session)
            if other is not None:
                other.send(_copy(direction, other, sent.content), durable=sent.envelope.persistent)

    def _wanting(
        self, client: Client, to: JID, receivers: list[Session], *, waits: bool = False
    ) -> list[tuple[str, Session]]:
        """The sessions of both parties that want copies and have not got the message, each with its direction."""
        domain, sender = self._domain, client.session
        mine, theirs = sender.subject, domain.node.subjects.get(to.local)
        wanting: list[tuple[str, Session]] = []
        if waits and theirs is mine:
            return wanting
        for direction, subject in (("sent", mine), ("received", None if waits or theirs is mine else theirs)):
            if subject is None:
                continue
            for session in subject.sessions.values():
                if session is sender or session in receivers or session.kind is not domain.streams:
                    continue
                if stream_of(session).carbons:
                    wanting.append((direction, session))
        return wanting


def is_copied(stanza: Stanza) -> bool:
    """Whether a message is copied (XEP-0280 §6.1)."""
    children = stanza.children
    if _PRIVATE in children or _NO_COPY in children:
        return False
    type = stanza.attributes.get("type")
    if type == "chat":
        return True
    # A type that nobody knows is a normal one (RFC 6121 §5.2.2).
    return type not in _NOT_COPIED and (
        _BODY in children or any(namespace in _FORWARDABLE for namespace, _ in children)
    )


def _copy(direction: str, client: Client, data: bytes) -> bytes:
    forwarded = element("forwarded", ns.FORWARD, content=standalone(data))
    return message(client.bare, client.full, type="chat", children=element(direction, ns.CARBONS, content=forwarded))
