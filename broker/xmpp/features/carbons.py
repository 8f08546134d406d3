"""Copies of a conversation for the other resources of its parties (XEP-0280)."""

from __future__ import annotations

from collections.abc import Sequence

from broker.core.message import Message
from broker.core.sessions import Session
from broker.core.subjects import Subject
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
        mine, theirs = self._wanting_each(client, to, receivers)
        return bool(mine or theirs)

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
        mine, theirs = self._wanting_each(client, to, receivers)
        if waits:
            theirs = ()
        if (not mine and not theirs) or not is_copied(stanza):
            return
        for direction, sessions in (("sent", mine), ("received", theirs)):
            for session in sessions:
                other = self._domain.client_of(session)
                if other is not None:
                    other.send(_copy(direction, other, sent.content), durable=sent.envelope.persistent)

    def _wanting_each(
        self, client: Client, to: JID, receivers: list[Session]
    ) -> tuple[Sequence[Session], Sequence[Session]]:
        mine = self._wanting(client.session.subject, receivers, client.session)
        subject = self._domain.node.subjects.get(to.local)
        theirs = self._wanting(subject, receivers, client.session) if subject is not client.session.subject else ()
        return mine, theirs

    def _wanting(self, subject: Subject | None, receivers: list[Session], sender: Session) -> Sequence[Session]:
        """The sessions of a subject that want copies and have not got the message."""
        if subject is None:
            return ()
        return [
            session
            for session in subject.sessions.values()
            if session is not sender
            and session not in receivers
            and session.kind is self._domain.streams
            and stream_of(session).carbons
        ]


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
