"""A link that speaks routes, with a server that knows no frames (spec connection-manager)."""

from __future__ import annotations

from itertools import count
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from broker.errors import BrokerError
from broker.manager.client import Client
from broker.manager.links import Links, Session, Wire
from broker.manager.offer import Offer, content_of
from broker.manager.route_session import RouteSession
from broker.manager.settings import MAX_ELEMENT, ManagerSettings
from broker.timers import cancel
from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import StreamReader
from broker.xml.tree import Tree
from broker.xmpp.wire import ns, routes
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import STREAM_END, element

log = Logger()

HEARTBEAT = 30.0
"""Seconds between two blanks that show the server that the manager is alive (spec §9)."""
SILENCE = 300.0
"""Seconds without input after which a link is given up (spec §9)."""
REFUSED = StanzaError(Condition.SERVICE_UNAVAILABLE, "the client is gone")


class RouteWire(Wire, Protocol):
    """The connection of a link that has an address."""

    @property
    def jid(self) -> str:
        """Address of the link."""


class RouteLink:
    """One link, from the handshake on.

    Args:
        wire: its connection.
        header: of the server's stream, as it came.
        owner: of all links.
        everyone: the sessions of all links, by id: a server may use any link for any of them (spec §4.1, §8).
        settings: of the manager.
        clock: of its deadlines.

    Attributes:
        offer: what clients are offered.
        run: names the server: sessions may go on over another link to it.
        sessions: those that use this link, by id.
    """

    def __init__(
        self,
        wire: RouteWire,
        header: bytes,
        owner: Links,
        everyone: dict[str, RouteSession],
        settings: ManagerSettings,
        clock: IReactorTime,
    ) -> None:
        self.offer = Offer(False, False, ())
        self.run = wire.server
        self.sessions: dict[str, RouteSession] = {}
        self._wire = wire
        self._owner = owner
        self._everyone = everyone
        self._settings = settings
        self._clock = clock
        self._reader = StreamReader(MAX_ELEMENT, stepwise=False)
        self._reader.feed(header)
        self._requests = count(1)
        self._ready = False
        self._told = ""
        self._over = False
        self._heard = clock.seconds()
        self._beat: IDelayedCall | None = clock.callLater(HEARTBEAT, self._show_life)

    # What its connection says

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        self._heard = self._clock.seconds()
        for event in self._reader.feed(data):
            if self._over:
                return
            if isinstance(event, Stanza):
                self._read(event)
            elif isinstance(event, StreamEnd):
                self._leave()
        if self._reader.error is not None and not self._over:
            log.error("what {server} sends is no XML: {error}", server=self._wire.server, error=self._reader.error)
            self._over = True
            self._wire.abort()

    def set_writable(self, writable: bool) -> None:
        """The connection has room, or its buffer is full."""
        for session in self.sessions.values():
            session.hold(full=not writable)

    def lost(self) -> None:
        """The connection is gone."""
        self._over = True
        cancel(self._beat)
        self._owner.leaving(self)
        sessions, self.sessions = self.sessions, {}
        for session in sessions.values():
            session.link_lost()

    # What the manager says

    @property
    def load(self) -> int:
        """Sessions on it."""
        return len(self.sessions)

    def carry(self, client: Client, header: StreamStart) -> RouteSession:
        """Carry the stream of a client."""
        return RouteSession(client, header, self._owner, self._everyone, self._settings, self._clock, self)

    def adopt(self, session: Session) -> None:
        """A session that has lost its link may go on over this one, if it leads to the same server."""
        if isinstance(session, RouteSession) and session.run == self.run:
            session.attach(self)
        else:
            session.give_up("system-shutdown", "the server was replaced")

    def drain(self) -> None:
        """The manager stops, and has told of the ends of all sessions."""
        if not self._over:
            self._over = True
            self._wire.write(STREAM_END)
        self._wire.close()

    # What sessions say

    def add(self, session: RouteSession) -> None:
        """A session is on this link."""
        self.sessions[session.id] = session

    def remove(self, session: RouteSession) -> None:
        """A session is not on this link any more."""
        self.sessions.pop(session.id, None)

    def request(self, session: str, content: str) -> None:
        """Tell the server of a session.

        Args:
            session: its id.
            content: ``<create/>``, ``<close/>`` or ``<failed/>``.
        """
        payload = element("session", routes.PAYLOAD, {"id": session}, content.encode())
        id = f"m{next(self._requests)}"
        attributes = {"type": "set", "to": self._settings.domain, "from": self._wire.jid, "id": id}
        self._write(element("iq", "", attributes, payload))

    def failed(self, session: str, message: bytes) -> None:
        """Give a message back that a client has not got."""
        self.request(session, f"<failed>{message.decode()}</failed>")

    def route(self, session: str, content: bytes) -> None:
        """Send what a client has sent."""
        attributes = {"to": self._settings.domain, "from": self._wire.jid, "streamid": session}
        self._write(element("route", "", attributes, content))

    # What the server says

    def _read(self, stanza: Stanza) -> None:
        try:
            tree = stanza.tree()
            if stanza.namespace == routes.NAMESPACE and stanza.name == "route":
                self._routed(tree)
            elif stanza.namespace == routes.NAMESPACE and stanza.name == "iq":
                self._asked(tree)
            elif (stanza.namespace, stanza.name) == (ns.STREAM, "error"):
                self._refused(tree)
        except BrokerError as error:  # costs what it belongs to only
            log.warn("{server} sends what cannot be read: {error}", server=self._wire.server, error=error.message)

    def _routed(self, route: Tree) -> None:
        id = route.attributes.get("streamid", "")
        session = self._session(id)
        if route.attributes.get("type") == "error":
            error = route.find(routes.NAMESPACE, "error") or route.find(ns.CLIENT, "error")
            if session is not None:
                session.refuse([] if error is None else [child.name for child in error.children])
            return
        for content in content_of(route):
            if session is not None and not session.is_over:
                session.give(content)
            else:
                self._send_back(id, content)

    def _session(self, id: str) -> RouteSession | None:
        session = self._everyone.get(id)
        return session if session is not None and session.run == self.run else None

    def _send_back(self, id: str, content: Tree) -> None:
        """What is for a client that is gone goes back: messages to be kept, requests to whoever has asked."""
        if content.namespace != ns.CLIENT:
            return
        if content.name == "message":
            self.failed(id, content.to_bytes(routes.NAMESPACE))
        elif content.name == "iq" and content.attributes.get("type") in ("get", "set"):
            attributes = {
                "type": "error",
                "id": content.attributes.get("id"),
                "from": content.attributes.get("to"),
                "to": content.attributes.get("from"),
            }
            self.route(id, element("iq", ns.CLIENT, attributes, REFUSED.to_bytes()))

    def _asked(self, iq: Tree) -> None:
        type = iq.attributes.get("type")
        configuration = iq.find(routes.PAYLOAD, "configuration")
        payload = iq.find(routes.PAYLOAD, "session")
        if configuration is not None and type == "set":
            self._configured(iq, configuration)
        elif payload is not None:
            session = self._session(payload.attributes.get("id", ""))
            if session is None:
                return
            if type == "set" and payload.find(routes.PAYLOAD, "close") is not None:
                session.close()
            elif payload.find(routes.PAYLOAD, "create") is not None:
                if type == "result":
                    session.created()
                elif type == "error":
                    reason = _reason(iq)
                    self._tell(reason)
                    session.refused(reason)

    def _tell(self, reason: str) -> None:
        """Tell the log why a client is refused, once for each reason in a row."""
        if reason != self._told:
            self._told = reason
            log.warn("{server} refuses a client: {reason}", server=self._wire.server, reason=reason)

    def _configured(self, iq: Tree, configuration: Tree) -> None:
        self.offer = Offer.of(configuration)
        attributes = {
            "type": "result",
            "id": iq.attributes.get("id"),
            "to": self._settings.domain,
            "from": self._wire.jid,
        }
        self._write(element("iq", "", attributes, configuration.to_bytes(routes.NAMESPACE)))
        if not self._ready:
            self._ready = True
            log.info("a link to {server} is open, in routes", server=self._wire.server)
            self._owner.ready(self)

    def _refused(self, error: Tree) -> None:
        names = [child.name for child in error.children if child.name != "text"]
        log.warn("{server} ends the link: {names}", server=self._wire.server, names=", ".join(names))
        if "system-shutdown" in names:  # it has ended all sessions (spec §9)
            for session in list(self.sessions.values()):
                session.give_up("system-shutdown", "the server stops")
        self._leave()

    def _leave(self) -> None:
        self._over = True
        self._owner.leaving(self)
        self._wire.close()

    def _show_life(self) -> None:
        if self._clock.seconds() - self._heard >= SILENCE:
            log.warn("the link to {server} was silent for {idle} s", server=self._wire.server, idle=SILENCE)
            self._over = True
            self._wire.abort()
            return
        self._write(b" ")
        self._beat = self._clock.callLater(HEARTBEAT, self._show_life)

    def _write(self, data: bytes) -> None:
        if not self._over:
            self._wire.write(data)


def _reason(iq: Tree) -> str:
    error = iq.find(routes.NAMESPACE, "error")
    if error is None:
        return "it does not say why"
    conditions = ", ".join([child.name for child in error.children if child.name != "text"])
    text = error.text_of(ns.STANZAS, "text")
    return f"{conditions} ({text})" if text else conditions
