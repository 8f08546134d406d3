"""The XMPP service of one domain: what its parts share, and where they hook in."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

from twisted.logger import Logger

from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.model.jid import JID
from broker.waiters import Waiters
from broker.xml.stanza import Stanza
from broker.xml.tree import Tree
from broker.xmpp.accounts import Account, Accounts
from broker.xmpp.routing.delivery import Delivery
from broker.xmpp.routing.hooks import Hooks
from broker.xmpp.routing.route_cache import RouteCache
from broker.xmpp.settings import Durable, XmppSettings
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import from_attribute, iq

if TYPE_CHECKING:
    from broker.xmpp.session.dispatch import StreamDispatch
    from broker.xmpp.session.sessions import StreamSessions
    from broker.xmpp.session.state import StreamState

log = Logger()

AT_DOMAIN = ""
"""Place of services at the domain itself."""
AT_ACCOUNT = "@"
"""Place of services at accounts (bare JIDs)."""


def stream_of(session: Session) -> StreamState:
    """The stream of a session of kind ``xmpp``."""
    return cast("StreamDispatch", session.dispatch).stream


class Client:
    """A bound stream, attached or waiting to be resumed; the sender of stanzas.

    Args:
        domain: that it belongs to.
        session: of the core.
        jid: its full JID.
        account: of its user.

    Attributes:
        bare: the bare JID of its user, as text.
        full: its JID as text.
        from_: how its stanzas say whom they are from.
        dispatch: delivers to it.
        routes: of its messages; see :class:`broker.xmpp.routing.route_cache.RouteCache`.
        active: ``False`` while the client says that nobody looks (XEP-0352); true again on every new connection.
    """

    __slots__ = (
        "_all_handled",
        "_at_work",
        "account",
        "active",
        "bare",
        "dispatch",
        "domain",
        "from_",
        "full",
        "jid",
        "routes",
        "session",
    )

    def __init__(self, domain: Domain, session: Session, jid: JID, account: Account) -> None:
        self.domain = domain
        self.session = session
        self.jid = jid
        self.full = jid.full
        self.bare = jid.bare
        self.from_ = from_attribute(jid.full)
        self.account = account
        self.dispatch = cast("StreamDispatch", session.dispatch)
        self.routes = RouteCache()
        self.active = True
        self._at_work = 0
        self._all_handled: Waiters | None = None

    def begin_work(self) -> None:
        """A stanza of its client is being handled, and is not counted yet."""
        self._at_work += 1

    def end_work(self) -> None:
        """That stanza is counted."""
        self._at_work -= 1
        if not self._at_work and self._all_handled is not None:
            self._all_handled.tell()

    async def until_handled(self) -> None:
        """Wait until each stanza that is being handled is counted.

        The counter that a client is told when it resumes must have them, also those that came over a connection that is
        lost: the client sends again what is not counted (XEP-0198 §5).
        """
        while self._at_work:
            if self._all_handled is None:
                self._all_handled = Waiters()
            await self._all_handled.next()

    @property
    def stream(self) -> StreamState:
        """What of it survives a crash; call :meth:`keep` after a change."""
        return self.dispatch.stream

    def send(self, data: bytes, replaces: str = "", *, durable: bool = False) -> None:
        """Send it a stanza that is not worth keeping when its session ends: presence, an answer, a push.

        Args:
            data: the complete stanza.
            replaces: key of an earlier one that this makes superfluous while the client is away, e.g. presence of the
                same sender.
            durable: it must not be lost in a crash where the stream is not: nobody would tell it again.
        """
        if not self.domain.hooks.holds(self, data, replaces):
            self.domain.delivery.send(self.session, data, replaces, durable=durable)

    def push(self, payload: bytes) -> None:
        """Tell it of a change of what it has asked for (RFC 6121 §2.1.6, XEP-0191 §3.3).

        Args:
            payload: that says what has changed.
        """
        self.send(iq("set", f"push-{secrets.token_hex(4)}", payload, from_=self.bare, to=self.full), durable=True)

    def save(self) -> None:
        """Have its changed state in the store, where it is to survive a crash (spec xmpp §1.8 I3)."""
        self.domain.streams.save(self.session)


class Iq:
    """A request to the service.

    Args:
        client: who asks.
        stanza: the ``<iq>``.
        to: whom it is addressed to: the domain, a bare JID, or (where there is no ``to``) the sender's bare JID.
        payload: its child.
    """

    __slots__ = ("client", "payload", "stanza", "to")

    def __init__(self, client: Client, stanza: Stanza, to: JID, payload: Tree) -> None:
        self.client = client
        self.stanza = stanza
        self.to = to
        self.payload = payload

    @property
    def type(self) -> str:
        """``get`` or ``set``."""
        return self.stanza.attributes["type"]

    @property
    def is_own(self) -> bool:
        """Whether it is addressed to the sender's own account."""
        return self.to.full == self.client.bare


IqService = Callable[[Iq], Awaitable[bytes | None]]
"""Answers a request with the payload of the result (``None`` for an empty one), or raises ``StanzaError``."""


class Domain:
    """What the parts of the service share.

    Parts register here: features and items for service discovery, answers to requests.

    Args:
        broker: the core.
        streams: its sessions that are XML streams.
        settings: of the service.
        account_exists: ``await account_exists(localpart)``.

    Attributes:
        jid: of the domain.
        accounts: rosters and block lists.
        delivery: puts stanzas into queues.
        clients: bound streams by full JID; see :meth:`bound` and :meth:`unbound`.
        changes: how often something has changed that messages are routed by; see :meth:`changed`.
        features: what disco#info names, by place.
        items: ``(JID, name)`` that disco#items of the domain names.
        iqs: services by place, then by (type, namespace, name) of the request.
        hooks: what the parts ask of each other, and are told; see :meth:`connect`.
    """

    def __init__(
        self,
        broker: Broker,
        streams: StreamSessions,
        settings: XmppSettings,
        account_exists: Callable[[str], Awaitable[bool]],
    ) -> None:
        self.broker = broker
        self.streams = streams
        self.node = broker.node
        self.settings = settings
        self.jid = JID("", settings.domain, "")
        self.accounts = Accounts(broker, account_exists, self.changed)
        self.delivery = Delivery(broker, durable=settings.sm_durable is not Durable.NO)
        self.clients: dict[str, Client] = {}
        self.changes = 0
        broker.on_rights_changed.append(self.changed)
        self.features: dict[str, set[str]] = {AT_DOMAIN: set(), AT_ACCOUNT: set()}
        self.items: list[tuple[str, str]] = []
        self.iqs: dict[str, dict[tuple[str, str, str], IqService]] = {AT_DOMAIN: {}, AT_ACCOUNT: {}}
        self.hooks: Hooks

    def connect(self, hooks: Hooks) -> None:
        """Say who takes the calls between the parts: once, when all parts are there, and before there are clients."""
        self.hooks = hooks

    def blocks(self, account: Account, jid: JID) -> bool:
        """Whether an account blocks a JID (XEP-0191)."""
        return self.hooks.blocks(account, jid)

    def serve(self, types: str, namespace: str, name: str, service: IqService, *places: str) -> None:
        """Answer requests.

        Args:
            types: ``get``, ``set`` or ``get set``.
            namespace: of the payload.
            name: of the payload.
            service: answers. At :data:`AT_ACCOUNT` it checks itself whose account it is (:attr:`Iq.is_own`).
            places: :data:`AT_DOMAIN`, :data:`AT_ACCOUNT`, or the domain name of a service such as ``pubsub.localhost``.
        """
        for place in places:
            for each in types.split():
                self.iqs.setdefault(place, {})[each, namespace, name] = service

    def add_feature(self, namespace: str, *places: str) -> None:
        """Name a feature in disco#info of these places."""
        for place in places:
            self.features.setdefault(place, set()).add(namespace)

    def is_local(self, jid: JID) -> bool:
        """Whether the address is of this domain (its services have domains of their own)."""
        return jid.domain == self.settings.domain

    def unreachable(self, to: JID) -> StanzaError:
        """Why nothing can be delivered to an address that is not of an account here (RFC 6120 §10.4, §10.5.1)."""
        if self.is_local(to) or to.domain in self.iqs:
            return StanzaError(Condition.SERVICE_UNAVAILABLE, "this service takes requests only")
        return StanzaError(Condition.REMOTE_SERVER_NOT_FOUND)

    def bound(self, session: Session, account: Account) -> Client:
        """A session of the core is a client from now on."""
        jid = JID(session.name.subject, self.settings.domain, stream_of(session).resource)
        client = self.clients[jid.full] = Client(self, session, jid, account)
        self.changed()
        return client

    def unbound(self, client: Client) -> None:
        """A client is none any more."""
        if self.clients.get(client.full) is client:
            del self.clients[client.full]
            self.changed()

    def changed(self) -> None:
        """Who is bound, who blocks whom or who wants copies has changed: what was derived from it no longer holds."""
        self.changes += 1

    def client_of(self, session: Session) -> Client | None:
        """The client that a session is."""
        resource = stream_of(session).resource
        client = self.clients.get(f"{session.name.subject}@{self.settings.domain}/{resource}")
        return client if client is not None and client.session is session else None

    def clients_of(self, local: str) -> list[Client]:
        """The bound streams of an account."""
        subject = self.node.subjects.get(local)
        if subject is None:
            return []
        clients: list[Client] = []
        for session in subject.sessions.values():
            if session.kind is self.streams and (client := self.client_of(session)) is not None:
                clients.append(client)
        return clients
