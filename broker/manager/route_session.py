"""One client's stream, carried in routes: the manager answers headers and features itself (spec connection-manager)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.errors import BrokerError
from broker.failpoints import ARMED, reach
from broker.manager.client import Client, opening
from broker.manager.links import Links
from broker.manager.settings import ManagerSettings
from broker.timers import cancel
from broker.xml.stanza import Stanza, StreamStart
from broker.xml.tree import Tree
from broker.xmpp.wire import ns, routes
from broker.xmpp.wire.sm import failed
from broker.xmpp.wire.stanza import STREAM_END, element

if TYPE_CHECKING:
    from broker.manager.route_link import RouteLink

NO_LINK = "there is no link to the server"
LINK_FULL = "the link to the server is full"
PROCEED = f"<proceed xmlns='{ns.TLS}'/>".encode()
TLS_FAILURE = f"<failure xmlns='{ns.TLS}'/>".encode()
COMPRESS_FAILURE = f"<failure xmlns='{routes.COMPRESS}'><setup-failed/></failure>".encode()


class RouteSession:
    """A client's session with a server that speaks routes.

    Args:
        client: whose it is.
        header: of its stream.
        owner: keeps it while it has no link.
        everyone: all sessions, by id; it is one of them until it is over.
        settings: of the manager.
        clock: of its deadlines.
        link: that it is on; all that it sends and gets goes over this one, as nothing else keeps the order.
        id: of the session; by default one that nobody can guess.

    Attributes:
        id: as above.
        run: names the server.
    """

    __slots__ = (
        "_asks_management",
        "_client",
        "_clock",
        "_created",
        "_deadline",
        "_everyone",
        "_given",
        "_gone",
        "_heard",
        "_idle",
        "_is_managed",
        "_link",
        "_logged_in",
        "_owner",
        "_settings",
        "id",
        "run",
    )

    def __init__(
        self,
        client: Client,
        header: StreamStart,
        owner: Links,
        everyone: dict[str, RouteSession],
        settings: ManagerSettings,
        clock: IReactorTime,
        link: RouteLink,
        id: str = "",
    ) -> None:
        self.id = id or settings.name + secrets.token_hex(16)
        self.run = link.run
        self._client = client
        self._owner = owner
        self._everyone = everyone
        self._settings = settings
        self._clock = clock
        self._link: RouteLink | None = link
        self._created = False
        self._gone = False
        self._logged_in = False
        self._asks_management = False
        self._is_managed = False  # both sides count stanzas, or may do so
        self._given: list[bytes] = []  # messages that the client may not have taken
        self._heard = clock.seconds()
        self._deadline: IDelayedCall | None = clock.callLater(settings.patience, self._overdue)
        self._idle: IDelayedCall | None = None
        owner.began(self)
        everyone[self.id] = self
        link.add(self)
        self._create()
        reach("client taken on")
        if settings.idle:
            self._idle = clock.callLater(settings.idle, self._look_at_silence)

    # What the client says

    def start(self, header: StreamStart) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        self._heard = self._clock.seconds()
        if header.namespace != ns.CLIENT:
            self._fail("invalid-namespace", f"the stream is not one of {ns.CLIENT}")
        elif not header.attributes.get("version", "").startswith("1."):
            self._fail("unsupported-version", "streams have the version 1.0")
        elif self._created:
            self._answer()
        else:
            self._client.wait()

    def element(self, element: Stanza) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        self._heard = self._clock.seconds()
        link, client = self._link, self._client
        if link is None or self._gone:
            return
        namespace, name = element.namespace, element.name
        if (namespace, name) == (ns.TLS, "starttls"):
            self._start_tls(link)
        elif link.offer.tls_required and not client.transport.secure:
            self._fail("policy-violation", "TLS comes first")
        elif namespace == routes.COMPRESS:
            client.write(COMPRESS_FAILURE)
        else:
            if namespace == ns.SASL:
                client.wait()
            self._asks_management = namespace == ns.SM and name in ("enable", "resume")
            self._is_managed = self._is_managed or self._asks_management
            try:
                content = element.tree().to_bytes(routes.NAMESPACE)
            except BrokerError as error:
                self._fail("policy-violation", error.message)
            else:
                link.route(self.id, content)
                if ARMED:
                    reach("stanza of a client routed")

    def blank(self) -> None:
        """See :class:`broker.manager.carrier.Carrier`; the server is not told."""
        self._heard = self._clock.seconds()

    def end(self, tag: bytes) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        self._client.write(STREAM_END)
        self._client.close()

    def secured(self) -> None:
        """See :class:`broker.manager.carrier.Carrier`; the server does not want to know."""

    def set_writable(self, writable: bool) -> None:
        """See :class:`broker.manager.carrier.Carrier`."""
        if writable:
            self._given.clear()

    def rest(self) -> None:
        """See :class:`broker.manager.carrier.Carrier`; nothing is kept here."""

    def lost(self, reason: str) -> None:
        """See :class:`broker.manager.carrier.Carrier`: the server is told what the client has not got, then the end."""
        self._gone = True
        cancel(self._idle)
        cancel(self._deadline)
        self._tell_end()

    # What the link says

    def created(self) -> None:
        """The server has the session."""
        if self._created or self._gone:
            return
        self._created = True
        cancel(self._deadline)
        self._answer()
        self._client.go_on()

    def refused(self, reason: str) -> None:
        """The server refuses the session."""
        self._fail("policy-violation", f"the server refuses the client: {reason}")

    @property
    def is_over(self) -> bool:
        """Whether the client takes nothing any more, though its connection may not be gone yet."""
        return self._client.is_over

    def give(self, content: Tree) -> None:
        """Something has come for the client."""
        client = self._client
        namespace, name = content.namespace, content.name
        if (namespace, name) == (ns.STREAM, "error"):
            conditions = [child.name for child in content.children if child.namespace == ns.STREAM_ERRORS]
            text = content.text_of(ns.STREAM_ERRORS, "text")
            self._fail(next((each for each in conditions if each != "text"), "undefined-condition"), text)
            return
        data = content.to_bytes(ns.CLIENT)
        client.write(data)
        if ARMED:
            reach("client given a stanza")
        if not client.writable and (namespace, name) == (ns.CLIENT, "message"):
            self._given.append(content.to_bytes(routes.NAMESPACE))
        if (namespace, name) == (ns.SM, "failed"):
            self._is_managed = False
        elif namespace == ns.SASL:
            if name == "success":
                self._logged_in = True
                client.admit(self.id)
                client.restart()
            client.go_on()

    def refuse(self, conditions: list[str]) -> None:
        """The server refuses what the client has sent last; it is not told in a form that a client can read."""
        if "item-not-found" in conditions:
            self._fail("reset", "the server does not know the session any more")
        elif "unknown-stanza" not in conditions:
            self._fail("internal-server-error", "the server does not take what was sent")
        elif self._asks_management:
            self._is_managed = False
            self._client.write(failed("feature-not-implemented"))
        else:
            self._fail("unsupported-stanza-type", "the server does not know what was sent")

    def close(self) -> None:
        """The server has ended the session."""
        client = self._client
        if not client.is_over:
            if client.opened:
                client.write(STREAM_END)
            client.close()

    def hold(self, *, full: bool) -> None:
        """The link has no room, or has some again."""
        if full:
            self._client.transport.hold(LINK_FULL)
        else:
            self._client.transport.release(LINK_FULL)

    def link_lost(self) -> None:
        """The link is gone.

        Where both sides count stanzas, something may have been lost, and what follows over another link would be
        counted in its place. So the client has to resume its stream, which says what each side has.
        """
        self._link = None
        if self._is_managed:
            self._client.leave()
        self._client.transport.hold(NO_LINK)
        self._client.transport.release(LINK_FULL)
        self._owner.detached(self)

    def attach(self, link: RouteLink) -> None:
        """There is another link to the same server."""
        self._link = link
        if self._gone:
            self._tell_end()
            return
        link.add(self)
        self._client.transport.release(NO_LINK)
        if not self._created:
            self._create()

    def give_up(self, condition: str, text: str) -> None:
        """The server is not reached any more."""
        if self._gone:
            self._end()
        else:
            self._fail(condition, text)

    # Inside

    def _tell_end(self) -> None:
        """Tell the server of the client's end, as soon as there is a link."""
        link = self._link
        if link is not None:
            for message in self._given:
                link.failed(self.id, message)
            link.request(self.id, "<close/>")
            self._end()

    def _create(self) -> None:
        assert self._link is not None
        host = self._client.transport.host
        address = element("host", "", {"name": host, "address": host}).decode()
        self._link.request(self.id, f"<create>{address}</create>")

    def _answer(self) -> None:
        """Answer the client's header."""
        link, client = self._link, self._client
        if link is not None:
            client.opened = True
            features = link.offer.features(secure=client.transport.secure, logged_in=self._logged_in)
            client.write(opening(self._settings.domain, self.id) + features)

    def _start_tls(self, link: RouteLink) -> None:
        client = self._client
        if link.offer.tls and not client.transport.secure:
            client.wait()
            client.write(PROCEED)
            client.transport.start_tls()
        else:
            client.write(TLS_FAILURE + STREAM_END)
            client.close()

    def _overdue(self) -> None:
        self._fail("remote-connection-failed", "the server does not answer")

    def _look_at_silence(self) -> None:
        rest = self._heard + self._settings.idle - self._clock.seconds()
        if rest <= 0:
            self._fail("connection-timeout", "nothing has come for too long")
        else:
            self._idle = self._clock.callLater(rest, self._look_at_silence)

    def _fail(self, condition: str, text: str) -> None:
        """End the client's stream; the server is told when its connection is gone."""
        self._client.fail(condition, text)

    def _end(self) -> None:
        self._everyone.pop(self.id, None)
        link, self._link = self._link, None
        if link is not None:
            link.remove(self)
        self._owner.ended(self)
