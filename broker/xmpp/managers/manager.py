"""One connection manager, by its name: its links, its clients, and what it asks for them (spec §4, §5)."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from broker.errors import BrokerError
from broker.model.host import address_of
from broker.model.jid import parse_jid
from broker.net.admission import Admission
from broker.net.turns import Turns
from broker.timers import cancel
from broker.xml.cutter import Piece
from broker.xml.tree import Tree
from broker.xmpp.managers.handed import HandedMessages
from broker.xmpp.managers.routed import RoutedSession
from broker.xmpp.managers.settings import ManagerSettings
from broker.xmpp.managers.waits import Waits
from broker.xmpp.service import XmppService
from broker.xmpp.settings import TlsPolicy
from broker.xmpp.wire import routes
from broker.xmpp.wire.errors import Condition, StanzaError, stream_error

if TYPE_CHECKING:
    from broker.xmpp.managers.link import ManagerLink

log = Logger()

MAX_ID = 256
"""Longest id of a session."""
REMEMBERED = 60.0
"""Seconds in which a manager may tell what it could not deliver to a client that is gone."""
MAX_REMEMBERED = 10_000
EARLY = 2.0
"""Seconds that what a client has sent waits for its session to be created, where links may overtake each other."""
MAX_EARLY = 1000
"""Sessions that are waited for so."""
MAX_EARLY_STANZAS = 10
MAX_EARLY_BYTES = 65_536


@dataclass(slots=True)
class _Departed:
    """A client that is gone.

    Args:
        local: of its account; empty where it had not logged in.
        full: its address, likewise.
        until: is remembered, by the clock.
        is_managed: what it has not got is sent again anyway (XEP-0198).
        handed: messages that its manager may give back.
        is_told: the manager knows.
    """

    local: str
    full: str
    until: float
    is_managed: bool
    handed: HandedMessages
    is_told: bool


@dataclass(slots=True)
class _Early:
    """What has come of a client before its session was created.

    Args:
        timer: ends the waiting.
        contents: of routes.
    """

    timer: IDelayedCall
    contents: list[bytes] = field(default_factory=list)

    @property
    def has_room(self) -> bool:
        return len(self.contents) < MAX_EARLY_STANZAS and sum(map(len, self.contents)) < MAX_EARLY_BYTES


class Manager:
    """The clients of one manager, over all its links. A session belongs to the manager; no other one can name it.

    Args:
        name: of the manager.
        service: that its clients use.
        settings: of managers.
        clock: an ``IReactorTime``.
        turns: that its clients take.

    Attributes:
        name: as above.
        links: those that speak in routes.
        sessions: by their ids.
        admission: counts the clients.
        waits: counts what waits to be handled.
    """

    def __init__(
        self,
        name: str,
        service: XmppService,
        settings: ManagerSettings,
        clock: IReactorTime,
        turns: Turns,
    ) -> None:
        self.name = name
        self.links: list[ManagerLink] = []
        self.sessions: dict[str, RoutedSession] = {}
        self.waits = Waits(settings.max_waiting, settings.max_waiting_total, self._pause)
        self.admission = Admission(
            clock, settings.max_sessions, settings.max_pending_address, max_strangers=settings.max_pending
        )
        self._service = service
        self._settings = settings
        self._clock = clock
        self._turns = turns
        self._domain = service.settings.domain
        self._departed: OrderedDict[str, _Departed] = OrderedDict()
        self._early: dict[str, _Early] = {}
        self._broken: list[str] = []  # clients that have to resume, once there is a link to tell them over
        self._grace: IDelayedCall | None = None
        self._has_been_told = False
        self._domain_told = False
        self._namesake_told = False

    @property
    def is_unused(self) -> bool:
        """Whether nothing is known of it."""
        self._forget_departed()
        return not (self.links or self.sessions or self._departed or self._broken)

    def joined(self, link: ManagerLink) -> None:
        """A link is open; clients that have none are served over it."""
        cancel(self._grace)
        self._grace = None
        self._look_for_namesake(link)
        self.links.append(link)
        self._close_broken(link)
        for session in list(self.sessions.values()):
            if session.link is None:
                session.attach(link)

    def departed(self, link: ManagerLink) -> None:
        """A link is gone: its clients are served over another one, or wait for one."""
        if link not in self.links:
            return
        self.links.remove(link)
        sessions, link.sessions = link.sessions, set()
        open_links = [each for each in self.links if each.is_open]
        for session in sessions:
            if session.is_managed:
                # Something may have been lost on the way, and both sides would count what follows in its place: only a
                # client that resumes its stream gets it.
                self._broken.append(session.id)
                session.lost("the link of its connection manager is gone")
            elif open_links:
                session.attach(open_links[hash(session.id) % len(open_links)])
            else:
                session.detach()
        if open_links:
            self._close_broken(open_links[0])
        if not self.links and (self.sessions or self._broken):
            self._grace = self._clock.callLater(self._settings.grace, self._grace_is_over)

    def stop(self) -> None:
        """The server stops: nobody is waited for."""
        cancel(self._grace)
        self._grace = None
        self._broken.clear()
        for early in self._early.values():
            cancel(early.timer)
        self._early.clear()
        for session in list(self.sessions.values()):
            if session.link is None:
                session.lost("the server stops")

    def route(self, link: ManagerLink, piece: Piece) -> None:
        """A client has sent something."""
        try:
            id = routes.attributes_of(piece.tag).get("streamid", "")
        except BrokerError as error:
            link.note(error.message)
            return
        content = routes.from_client(piece.content)
        if not id:
            refusal = StanzaError(Condition.BAD_REQUEST, extra=routes.own_condition("id-required"))
            link.write(routes.error_route(self._domain, link.jid, refusal))
            return
        session = self.sessions.get(id)
        if session is None:
            self._nobody(link, id, content)
        elif piece.is_too_long:
            session.fail("policy-violation", f"a stanza is longer than {self._service.settings.max_stanza} bytes")
        else:
            session.deliver(content)

    def request(self, link: ManagerLink, piece: Piece) -> None:
        """The manager asks for something, or answers."""
        try:
            request = routes.read(piece.data)
        except BrokerError as error:
            link.note(error.message)
            request = routes.what_can_be_read(piece.data)
            link.write(routes.answer(request, self._domain, StanzaError(Condition.BAD_REQUEST, error.message)))
            return
        self._look_at_domain(request)
        if request.attributes.get("type") not in ("get", "set"):
            return
        refusal: StanzaError | None = None
        created: RoutedSession | None = None
        try:
            created = self._serve(link, request)
        except StanzaError as error:
            refusal = error
        answer = routes.answer(request, self._domain, refusal)
        if created is not None:
            link.write(answer)
            self._begin(created)
        else:  # of a message that is taken back, perhaps
            self._service.domain.broker.when_committed(lambda: link.write(answer))

    def close(self, session: RoutedSession) -> None:
        """Have the manager close a client's connection; nothing of it is waited for."""
        link = session.link
        if link is not None and link.is_open:
            session.is_closed = True
            id = f"close-{secrets.token_hex(4)}"
            link.write(routes.close_request(self._domain, self.name, session.id, id))
        self._clock.callLater(0, session.lost, "the connection was closed")

    def remove(self, session: RoutedSession) -> None:
        """A client is gone."""
        if self.sessions.get(session.id) is session:
            del self.sessions[session.id]
        self.admission.closed(session)
        client = session.stream.client
        local, full = (client.jid.local, client.full) if client is not None else ("", "")
        self._departed.pop(session.id, None)
        until = self._clock.seconds() + REMEMBERED
        self._departed[session.id] = _Departed(
            local, full, until, session.is_managed, session.handed, session.is_closed
        )
        self._forget_departed()

    def _look_for_namesake(self, link: ManagerLink) -> None:
        """Each link of a manager has an address of its own, so that two with the same are of two processes."""
        if self._namesake_told or all(each.jid != link.jid for each in self.links):
            return
        self._namesake_told = True
        log.warn(
            "two links of the connection manager {name} are called {jid}: it seems to run twice, and then clients are"
            " lost together with their link; give each manager a name of its own",
            name=self.name,
            jid=link.jid,
        )

    def _pause(self, paused: bool) -> None:
        for link in self.links:
            link.pause(paused)

    def _serve(self, link: ManagerLink, request: Tree) -> RoutedSession | None:
        """Do what is asked for.

        Returns:
            A client that is new.

        Raises:
            StanzaError: it is refused.
        """
        payload = request.children[0] if request.children else None
        if payload is None or (payload.namespace, payload.name) != (routes.PAYLOAD, "session"):
            raise StanzaError(Condition.SERVICE_UNAVAILABLE)
        id = payload.attributes.get("id", "")
        if not id:
            raise StanzaError(Condition.BAD_REQUEST, extra=routes.own_condition("id-required"))
        asked = payload.children[0] if len(payload.children) == 1 else None
        match asked.name if asked is not None and request.attributes["type"] == "set" else "":
            case "create":
                assert asked is not None
                return self._create(link, id, asked, request.attributes.get("to", ""))
            case "close":
                self._closed(id)
            case "failed":
                assert asked is not None
                self._failed(link, id, asked)
            case _:
                raise StanzaError(Condition.BAD_REQUEST)
        return None

    def _serves(self, domain: str) -> bool:
        """Whether a request is for this server; those that name nobody are."""
        try:
            return not domain or parse_jid(domain).domain == self._domain
        except BrokerError:
            return False

    def _look_at_domain(self, request: Tree) -> None:
        """Tell the log once of a manager of another domain; its answer to the configuration shows it."""
        domain = request.attributes.get("to", "")
        if self._domain_told or self._serves(domain):
            return
        self._domain_told = True
        log.warn(
            "connection manager {name} takes no clients: its xmpp.domain is {domain}, and that of the broker {own}",
            name=self.name,
            domain=domain,
            own=self._domain,
        )

    def _create(self, link: ManagerLink, id: str, asked: Tree, domain: str) -> RoutedSession:
        if len(id) > MAX_ID:
            raise StanzaError(Condition.BAD_REQUEST, "the id is too long")
        if not link.is_open:
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, "the server stops")
        if not self._serves(domain):
            raise StanzaError(Condition.ITEM_NOT_FOUND, f"this server serves {self._domain}")
        host = next((child.attributes.get("address", "") for child in asked.children if child.name == "host"), "")
        if address_of(host) is None:
            host = ""
        before = self.sessions.get(id)
        if before is not None:  # the manager was restarted, and gives the same ids again
            before.lost("the connection manager has given its id to another client")
        if not self.admission.admits(host):
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, "there are too many clients")
        secure = self._settings.client_tls is TlsPolicy.REQUIRED
        session = self.sessions[id] = RoutedSession(self, id, host, self._service, self._turns, secure=secure)
        self.admission.opened(session, host)
        self._departed.pop(id, None)
        session.attach(link)
        if len(self.links) > 1 and not self._has_been_told:  # by now it is known that it speaks routes
            self._has_been_told = True
            log.warn(
                "connection manager {name} has {count} links: existing managers then deliver stanzas of one client out "
                "of order; set its number of connections to 1",
                name=self.name,
                count=len(self.links),
            )
        return session

    def _begin(self, session: RoutedSession) -> None:
        session.connected()
        early = self._early.pop(session.id, None)
        if early is not None:
            cancel(early.timer)
            for content in early.contents:
                session.deliver(content)

    def _closed(self, id: str) -> None:
        session = self.sessions.get(id)
        if session is not None:
            session.is_closed = True
            session.lost("the connection manager has closed the session")
        elif self._departed_of(id) is None:
            raise StanzaError(Condition.ITEM_NOT_FOUND)

    def _failed(self, link: ManagerLink, id: str, failed: Tree) -> None:
        """A message could not be brought to its client: it waits for the account, unless the stream sends it again."""
        stanza = routes.stanza_within(failed)
        if stanza is None:
            raise StanzaError(Condition.BAD_REQUEST, extra=routes.own_condition("invalid-payload"))
        if stanza.name != "message":
            raise StanzaError(Condition.BAD_REQUEST, extra=routes.own_condition("unknown-stanza"))
        session = self.sessions.get(id)
        if session is not None:  # so its connection is gone, and the manager has not said so yet
            session.lost("the connection manager could not deliver a message")
        departed = self._departed_of(id)
        if departed is None or not departed.local:
            raise StanzaError(Condition.ITEM_NOT_FOUND)
        if departed.is_managed:
            return
        if not departed.handed.take(stanza.raw):  # it may say anything, of anybody
            link.note("it gives back a message that it was not handed")
            raise StanzaError(Condition.ITEM_NOT_FOUND, "that message was not handed to you")
        if not self._service.router.take_back(departed.local, stanza):
            raise StanzaError(Condition.SERVICE_UNAVAILABLE, "too many messages wait for the account")

    def _nobody(self, link: ManagerLink, id: str, content: bytes) -> None:
        """Something has come for a session that is not known: it is closed, unless it may be about to be created."""
        departed = self._departed_of(id)
        if departed is not None:
            self._bounced(departed, content)
            if departed.is_told:
                return
            departed.is_told = True
        elif len(self.links) > 1:
            early = self._early.get(id)
            if early is None and len(self._early) < MAX_EARLY:
                timer = self._clock.callLater(EARLY, self._not_created, link, id)
                early = self._early[id] = _Early(timer)
            if early is not None and early.has_room:
                early.contents.append(content)
                return
        self._close_unknown(link, id)

    def _bounced(self, departed: _Departed, content: bytes) -> None:
        """A manager refuses a request itself, whose client is gone (spec §4.3): whoever has asked is told."""
        try:
            bounced = routes.stanza_within(Tree(routes.NAMESPACE, "route", {}, [routes.read(content)]))
        except BrokerError:
            return
        if bounced is not None and bounced.name == "iq" and bounced.attributes.get("type") == "error":
            self._service.router.refused_by_departed(departed.full, bounced)

    def _not_created(self, link: ManagerLink, id: str) -> None:
        del self._early[id]
        self._close_unknown(link, id)

    def _close_broken(self, link: ManagerLink) -> None:
        """Have the manager close the clients that have to resume their streams."""
        broken, self._broken = self._broken, []
        for id in broken:
            if id in self.sessions:  # the manager was restarted, and has given the id again
                continue
            error = stream_error("connection-timeout", "the link of the connection manager was lost")
            link.write(b"%b%b</route>" % (routes.route_head(self._domain, self.name, id), error))
            departed = self._departed.get(id)
            if departed is not None:
                departed.is_told = True
            self._close_unknown(link, id)

    def _close_unknown(self, link: ManagerLink, id: str) -> None:
        if link.is_open:
            link.write(routes.close_request(self._domain, self.name, id, f"close-{secrets.token_hex(4)}"))

    def _grace_is_over(self) -> None:
        self._grace = None
        self._broken.clear()
        sessions: Sequence[RoutedSession] = list(self.sessions.values())
        if sessions:
            log.info(
                "connection manager {name} has not come back; {count} clients are lost",
                name=self.name,
                count=len(sessions),
            )
        for session in sessions:
            session.lost("its connection manager is gone")

    def _departed_of(self, id: str) -> _Departed | None:
        self._forget_departed()
        return self._departed.get(id)

    def _forget_departed(self) -> None:
        departed, now = self._departed, self._clock.seconds()
        while departed:
            first = next(iter(departed.values()))
            if first.until > now and len(departed) <= MAX_REMEMBERED:
                break
            departed.popitem(last=False)
