"""Where a stanza goes (RFC 6120 §10, RFC 6121 §8)."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from broker.core.entries import Entry
from broker.core.message import Envelope, Message
from broker.core.sessions import Session
from broker.core.waiting import Pending
from broker.errors import BrokerError
from broker.model.jid import JID, parse_jid, prepared_or_empty
from broker.xml.stanza import Stanza
from broker.xml.tree import Tree, join_name, parse_tree
from broker.xml.write import escape_attribute
from broker.xmpp.routing.content import STANZA_KEY
from broker.xmpp.routing.delivery import Delivery
from broker.xmpp.routing.domain import AT_ACCOUNT, AT_DOMAIN, Client, Domain, Iq, IqService
from broker.xmpp.routing.route_cache import Route
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError, error_reply, may_be_refused
from broker.xmpp.wire.stanza import iq_result, route

log = Logger()

MESSAGE_TYPES = frozenset({"normal", "chat", "groupchat", "headline", "error"})
CHAT_STATES = "http://jabber.org/protocol/chatstates"
_BODY = (ns.CLIENT, "body")
_NO_STORE = (ns.HINTS, "no-store")  # "no-permanent-store" is about archives, not about waiting for delivery
_STORE = (ns.HINTS, "store")
_STANZA_ID = join_name(ns.STABLE_ID, "stanza-id")
_NOT_KEPT = (join_name(CHAT_STATES), join_name(ns.HINTS))


class Router:
    """Routes messages and requests of clients.

    Args:
        domain: the service.
        delivery: puts stanzas into queues.
    """

    def __init__(self, domain: Domain, delivery: Delivery) -> None:
        self._domain = domain
        self._delivery = delivery
        self._direct = domain.broker.direct
        self._node = domain.node
        self._local = domain.settings.domain
        self._stanza_ids = domain.settings.stanza_ids

    def message(self, client: Client, stanza: Stanza, *, no_account: bool = False) -> str | Pending | None:
        """Route a ``<message/>``; it is queued when this returns ``None``.

        Args:
            client: the sender.
            stanza: the message.
            no_account: there is no account of the receiver's name. What would leave no trace at one that is away leaves
                none either: nobody learns who has an account without writing to them (RFC 6121 §8.5.1).

        Returns:
            The localpart of the receiver's account where that must be read first, or what must happen before, as other
            messages go first; nothing was done then.

        Raises:
            StanzaError: the sender is to be told.
        """
        attributes = stanza.attributes
        type = attributes.get("type", "normal")
        route = client.routes.find(attributes.get("to", ""), type, self._domain.changes)
        if route is not None:
            return self._follow(client, stanza, route)
        to = client.jid.to_bare() if "to" not in attributes else address(attributes["to"])
        if client.account.blocked and self._domain.blocks(client.account, to):
            raise StanzaError(Condition.NOT_ACCEPTABLE, "you block this address", extra=BLOCKED)
        if to.domain != self._local or not to.local:
            raise self._domain.unreachable(to)
        account = self._domain.accounts.get(to.local)
        if account is None and not no_account:
            return to.local
        if account is not None and account.blocked and self._domain.blocks(account, client.jid):
            raise StanzaError(Condition.SERVICE_UNAVAILABLE)
        if type not in MESSAGE_TYPES:
            type = "normal"
        if to.resource:
            found = self._domain.clients.get(to.full)
            if found is not None:
                return self._to_one(client, stanza, type, to, found)
            if type in ("normal", "groupchat"):
                raise StanzaError(Condition.SERVICE_UNAVAILABLE, "this resource is not online")
            if type != "chat":
                return None
        return self._to_account(client, stanza, type, to, no_account=account is None)

    async def iq(self, client: Client, stanza: Stanza) -> None:
        """Route an ``<iq/>``, or answer it; the answer is queued when this returns, or will be when it is safe.

        Raises:
            StanzaError: the sender is to be told.
        """
        attributes = stanza.attributes
        type = attributes.get("type")
        if type not in ("get", "set", "result", "error") or "id" not in attributes:
            raise StanzaError(Condition.BAD_REQUEST, "an iq has an id, and is of type get, set, result or error")
        asks = type in ("get", "set")
        children = stanza.children
        if asks and len(children) != 1:
            raise StanzaError(Condition.BAD_REQUEST, "a request has exactly one child element")
        to = client.jid.to_bare() if not attributes.get("to") else address(attributes["to"])
        if client.account.blocked and self._domain.blocks(client.account, to):
            if asks:
                raise StanzaError(Condition.NOT_ACCEPTABLE, "you block this address", extra=BLOCKED)
            return
        if to.resource and to.domain == self._local:
            await self._forward_iq(client, stanza, to, asks=asks)
            return
        if not asks:  # an answer to what nobody here has asked
            return
        service = self._service(to, (type, *children[0]))
        if to.local and to.bare != client.bare:
            account = await self._domain.accounts.load(to.local)
            if account is not None and account.blocked and self._domain.blocks(account, client.jid):
                raise StanzaError(Condition.SERVICE_UNAVAILABLE)
        before = self._node.store.position
        tree = stanza.tree().children[0]
        self._answer(client, stanza, before, await service(Iq(client, stanza, to, tree)))

    def refuse(self, client: Client, stanza: Stanza, error: StanzaError) -> bool:
        """Tell a client that its stanza is refused, unless nobody may be told.

        Returns:
            ``False`` where it cannot be told, because too many stanzas wait for it already.
        """
        if not may_be_refused(stanza):
            return True
        from_ = stanza.attributes.get("to", client.bare)
        return self._delivery.send(client.session, error_reply(stanza, error, from_, client.full), durable=True)

    def undelivered(self, session: Session, entries: Sequence[Entry]) -> None:
        """A session has ended with stanzas that nobody else can use: who waits for an answer is told."""
        for entry in entries:
            data = entry.message.content
            if entry.message.envelope.oid == STANZA_KEY.oid and data.startswith((b"<iq", b"<message")):
                self._bounce(data)

    def take_back(self, local: str, stanza: Stanza) -> bool:
        """A message was given to a connection that could not bring it to its client: the account's next one gets it.

        Args:
            local: of the account.
            stanza: the message, as it was sent.

        Returns:
            ``False`` where too many wait for the account already.
        """
        if stanza.attributes.get("type", "normal") in ("groupchat", "headline", "error") or not _is_worth_keeping(
            stanza
        ):
            return True
        if not self._delivery.put_back(stanza.raw, local):
            return False
        subject = self._node.subjects.get(local)
        for receiver in subject.receivers[:1] if subject is not None else ():
            self._direct.deliver_waiting(receiver)
        return True

    def refused_by_departed(self, departed: str, stanza: Stanza) -> None:
        """A request was given to a connection whose client had left: whoever waits for the answer is told.

        Args:
            departed: address of the client.
            stanza: the connection's error, with the addresses of an answer.
        """
        if not departed or stanza.attributes.get("from") != departed:
            return
        asker = self._domain.clients.get(stanza.attributes.get("to", ""))
        if asker is not None:
            reason = StanzaError(Condition.SERVICE_UNAVAILABLE, "the receiver has left")
            answer = error_reply(stanza, reason, departed, asker.full)
            self._delivery.send(asker.session, answer, durable=True)

    def _to_one(self, client: Client, stanza: Stanza, type: str, to: JID, found: Client) -> Pending | None:
        session = found.session
        durable, transient = (self._delivery.envelope(client.session, to.local, keep=keep) for keep in (True, False))
        copied = self._domain.hooks.copies.are_wanted(client, to, [session])
        route = Route(to, session, type in ("normal", "chat"), durable, transient, copied, self._id_head(to))
        attributes = stanza.attributes
        client.routes.remember(attributes.get("to", ""), attributes.get("type", "normal"), route)
        return self._follow(client, stanza, route)

    def _follow(self, client: Client, stanza: Stanza, route: Route) -> Pending | None:
        if route.session.subject.queue.entries and (pending := self._before(route.session)) is not None:
            return pending
        keep = route.may_wait and _is_worth_keeping(stanza)
        if keep:
            message = self._made(client, stanza, route.to, route.durable, route.id_head)
        else:
            message = self._made(client, stanza, route.to, route.transient, b"")
        if not self._delivery.put_one(message, route.session, keep=keep):
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, "the receiver's queue is full")
        if route.copied:
            self._domain.hooks.copies.send(client, stanza, message, route.to, [route.session])
        return None

    def _to_account(self, client: Client, stanza: Stanza, type: str, to: JID, *, no_account: bool) -> Pending | None:
        """RFC 6121 §8.5.2."""
        if type == "error":
            return None
        if type == "groupchat":
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, "only a resource can be in a room")
        subject = self._node.subjects.get(to.local)
        receivers = subject.receivers if subject is not None else []
        keep = type != "headline" and _is_worth_keeping(stanza)
        if not keep and subject is not None and subject.queue.entries:
            for receiver in receivers:
                if (pending := self._before(receiver)) is not None:
                    return pending
        if not receivers and not keep:
            if type == "headline" or _BODY not in stanza.children:
                return None
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, "the receiver is away, and it is not to be stored")
        envelope = self._delivery.envelope(client.session, to.local, keep=keep)
        if no_account:
            raise StanzaError(Condition.SERVICE_UNAVAILABLE)
        message = self._made(client, stanza, to, envelope, self._id_head(to) if keep else b"")
        # What waits for the subject goes first.
        if receivers and not (keep and subject is not None and subject.queue.entries):
            if not self._delivery.put(message, receivers, keep=keep):
                raise StanzaError(Condition.SERVICE_UNAVAILABLE, "the receiver's queue is full")
            self._domain.hooks.copies.send(client, stanza, message, to, receivers)
            return None
        if not self._direct.put_waiting(message, to.local):
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, "the receiver is away, and too many messages wait already")
        self._domain.hooks.copies.send(client, stanza, message, to, receivers[:1], waits=not receivers)
        for receiver in receivers[:1]:
            self._direct.deliver_waiting(receiver)
        return None

    def _before(self, session: Session) -> Pending | None:
        """What a message for a session waits for: what waits for the account goes there first (RFC 6120 §10.1)."""
        waiting = self._domain.broker.registry.subject_queues
        return Pending(lambda: waiting.moved(session)) if waiting.are_due(session) else None

    def _made(self, client: Client, stanza: Stanza, to: JID, envelope: Envelope, id_head: bytes) -> Message:
        """A message as it goes out (XEP-0359 §3.1)."""
        id = self._node.ids.next()
        receiver = None if "to" in stanza.attributes else to.full
        if _STANZA_ID in stanza.child_names:
            data = self._without_forged_ids(route(stanza, client.from_, receiver), to, id if id_head else 0)
        else:
            given = b"%b%d'/>" % (id_head, id) if id_head else b""
            data = route(stanza, client.from_, receiver, extra=given)
        return Message(id, envelope, data)

    def _id_head(self, to: JID) -> bytes:
        if not self._stanza_ids:
            return b""
        return f"<stanza-id xmlns='{ns.STABLE_ID}' by='{escape_attribute(to.bare)}' id='".encode()

    def _without_forged_ids(self, data: bytes, to: JID, id: int) -> bytes:
        """Remove ids that only we may give (XEP-0359 §3.1), and give one (0 for none)."""
        tree = parse_tree(data, ns.CLIENT, what="message", limit=len(data))
        ours = (to.bare, self._local)
        tree.nodes = [
            node
            for node in tree.nodes
            if not (
                isinstance(node, Tree)
                and (node.namespace, node.name) == (ns.STABLE_ID, "stanza-id")
                and prepared_or_empty(node.attributes.get("by", "")) in ours
            )
        ]
        if id:
            tree.nodes.append(Tree(ns.STABLE_ID, "stanza-id", {"by": to.bare, "id": str(id)}))
        return tree.to_bytes(ns.CLIENT)

    async def _forward_iq(self, client: Client, stanza: Stanza, to: JID, *, asks: bool) -> None:
        if asks and to.local != client.jid.local:
            self._delivery.envelope(client.session, to.local, keep=False)  # which checks that it may
        found = self._domain.clients.get(to.full)
        while found is not None and len(found.session.subject.queue):
            pending = self._before(found.session)  # messages of the same sender may be among what waits
            if pending is None:
                break
            await pending.wait()
            found = self._domain.clients.get(to.full)
        if found is not None and found.account.blocked and self._domain.blocks(found.account, client.jid):
            found = None
        if found is not None and self._delivery.send(found.session, route(stanza, client.from_), durable=True):
            return
        if asks:
            raise StanzaError(Condition.SERVICE_UNAVAILABLE)

    def _service(self, to: JID, wanted: tuple[str, str, str]) -> IqService:
        iqs = self._domain.iqs
        place = to.domain
        if place == self._local:
            place = AT_ACCOUNT if to.local else AT_DOMAIN
        elif place not in iqs:
            raise StanzaError(Condition.REMOTE_SERVER_NOT_FOUND)
        service = iqs[place].get(wanted)
        if service is None:
            raise StanzaError(Condition.SERVICE_UNAVAILABLE)
        return service

    def _answer(self, client: Client, stanza: Stanza, before: int, payload: bytes | None) -> None:
        """Answer when what the request has caused is on disk (design D3).

        A stream that survives a crash has the answer on disk, too, together with the number of its handled stanzas:
        its client will not ask again.
        """
        from_ = stanza.attributes.get("to", client.bare)
        data = iq_result(stanza, payload, from_=from_, to=client.full)
        store = self._node.store
        if client.dispatch.is_durable or store.position == before or store.position <= store.committed:
            if not self._delivery.send(client.session, data, durable=True):
                raise StanzaError(Condition.RESOURCE_CONSTRAINT, "too many stanzas wait for you")
        else:
            store.when_committed(store.position, lambda: self._delivery.send(client.session, data) and None)

    def _bounce(self, data: bytes) -> None:
        try:
            tree = parse_tree(data, ns.CLIENT, what="stanza", limit=len(data))
        except BrokerError as error:
            log.warn("an undelivered stanza cannot be read: {reason}", reason=str(error))
            return
        type = tree.attributes.get("type", "normal")
        sender = self._domain.clients.get(tree.attributes.get("from", ""))
        if sender is None or type not in ("get", "set", "groupchat"):
            return
        reply = Tree(
            ns.CLIENT,
            tree.name,
            {"type": "error", "from": tree.attributes.get("to", ""), "to": sender.full},
        )
        if "id" in tree.attributes:
            reply.attributes["id"] = tree.attributes["id"]
        reason = StanzaError(Condition.SERVICE_UNAVAILABLE, "the receiver has left").to_bytes()
        head, _, end = reply.to_bytes(ns.CLIENT).partition(b"/>")
        answer = b"%b>%b</%b>%b" % (head, reason, tree.name.encode(), end)
        self._delivery.send(sender.session, answer, durable=True)


BLOCKED = f"<blocked xmlns='{ns.BLOCKING_ERRORS}'/>".encode()
"""Why a stanza to somebody who is blocked is not acceptable (XEP-0191 §3.3)."""


def address(text: str) -> JID:
    """The address that a client gave.

    Raises:
        StanzaError: ``jid-malformed``.
    """
    try:
        return parse_jid(text)
    except BrokerError as error:
        raise StanzaError(Condition.JID_MALFORMED, error.message) from error


def _is_worth_keeping(stanza: Stanza) -> bool:
    """Whether a message is stored for somebody who is away (XEP-0160 §3, XEP-0334 §4)."""
    names = stanza.child_names
    if len(names) == 1:
        return not names[0].startswith(_NOT_KEPT)
    children = stanza.children
    if _NO_STORE in children:
        return False
    if _BODY in children or _STORE in children:
        return True
    return any(namespace not in (CHAT_STATES, ns.HINTS) and name != "thread" for namespace, name in children)
