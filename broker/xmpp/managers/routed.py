"""A client behind a connection manager that speaks in routes: what its stream takes for a connection (spec §4, §5)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cryptography import x509

from broker.net.input_turns import InputTurns
from broker.net.tls_details import TlsDetails
from broker.net.turns import Turns
from broker.net.unread import UnreadTotal
from broker.xmpp.managers.framing import RoutedFraming
from broker.xmpp.managers.handed import HandedMessages
from broker.xmpp.service import XmppService
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.negotiation import Negotiation
from broker.xmpp.wire import routes

if TYPE_CHECKING:
    from broker.xmpp.managers.link import ManagerLink
    from broker.xmpp.managers.manager import Manager

SHOWN_AT_ONCE = 65_536
"""Bytes that a stream sees in one turn, as of a socket."""
REST_AFTER = 15.0
"""Seconds without input after which a stream takes less memory."""
_SM_ON = (b"<enabled", b"<resumed")


class RoutedSession:
    """One client: the :class:`broker.xmpp.stream.transport.StreamTransport` of its stream.

    It always takes turns: what comes waits for the client's account to have one, and so one client's work does not
    count as that of all who share the link.

    Args:
        manager: that has the client's connection.
        id: that the manager has given it.
        host: address of the client; empty where the manager does not tell one.
        service: that the stream belongs to.
        turns: that it takes.
        secure: the manager sees to it that its client uses TLS.

    Attributes:
        id: as above.
        host: as above.
        secure: as above.
        link: that it is served over; ``None`` while there is none.
        stream: of the client.
        is_closed: its manager knows that it is over.
        is_managed: the client has stream management: what it has not got is sent again without the manager's help.
        handed: messages that its manager may give back.
    """

    __slots__ = (
        "_framing",
        "_head",
        "_input",
        "_is_closing",
        "_is_gone",
        "_manager",
        "_reasons",
        "_size",
        "_unsent",
        "_waiting",
        "_waits",
        "handed",
        "host",
        "id",
        "is_closed",
        "is_managed",
        "link",
        "secure",
        "stream",
    )

    def __init__(
        self, manager: Manager, id: str, host: str, service: XmppService, turns: Turns, *, secure: bool
    ) -> None:
        self.id = id
        self.host = host
        self.secure = secure
        self.link: ManagerLink | None = None
        self.is_closed = False
        self.is_managed = False
        self.handed = HandedMessages()
        self._manager = manager
        self._head = routes.route_head(service.settings.domain, manager.name, id)
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._waits = manager.waits
        self._reasons: set[str] = set()
        self._unsent: list[bytes] = []  # while there is no link
        self._is_closing = False
        self._is_gone = False
        self._framing = framing = RoutedFraming(service.settings.max_stanza_before_login)
        self.stream = StreamConnection(
            service, self, framing, host, lambda stream: Negotiation(service, stream, loopback=not secure)
        )
        self._input = InputTurns(turns, self, self)

    def attach(self, link: ManagerLink) -> None:
        """Be served over a link from now on."""
        before, self.link = self.link, link
        if before is not None:
            before.sessions.discard(self)
        link.sessions.add(self)
        unsent, self._unsent = self._unsent, []
        for data in unsent:
            link.write(data)
        self.stream.set_writable(link.writable)

    def detach(self) -> None:
        """The link is gone, and there is no other one for the time being."""
        self.link = None
        self.stream.set_writable(False)

    def connected(self) -> None:
        """Begin: the manager has answered the client's header."""
        self.stream.connected()
        self.stream.received(b"")

    def deliver(self, content: bytes) -> None:
        """The client has sent an element; what waits already has its turn first.

        Args:
            content: of the route.
        """
        if self._is_closing:
            return
        self._waiting.append(content)
        self._count(len(content))
        if self._size > self._waits.max_size or (self._reasons and self._waits.has_enough):
            self.stream.note(f"{self._size} bytes of it wait to be handled")
            self._forget_waiting()
            self.stream.fail("policy-violation", "too much of what you have sent waits to be handled")
        elif not self._reasons:
            self._input.ask()

    def fail(self, condition: str, text: str) -> None:
        """The client has broken its stream, behind what waits.

        Args:
            condition: of RFC 6120 §4.9.3.
            text: for people.
        """
        self._flush()
        self.stream.fail(condition, text)

    def received(self, data: bytes) -> None:
        """See :class:`broker.net.stream.Stream`."""
        self.stream.received(data)

    def turn(self) -> None:
        """It is the turn of the client's account."""
        self.stream.turn()
        if not self._waiting or self._reasons or self._is_closing:
            return
        shown = [self._waiting.popleft()]
        size = len(shown[0])
        while self._waiting and size < SHOWN_AT_ONCE:
            size += len(self._waiting[0])
            shown.append(self._waiting.popleft())
        self._count(-size)
        self.stream.received(b"".join(shown))
        if self._waiting and not self._reasons:
            self._input.ask()

    def rest_if_idle(self, now: float) -> None:
        """Take less memory where nothing has come for a while.

        Args:
            now: by the clock that :attr:`StreamConnection.heard` goes by.
        """
        self.handed.rest(now)
        if now - self.stream.heard >= REST_AFTER:
            self._framing.rest()

    def shut_down(self) -> None:
        """The server stops."""
        self._flush()
        self.stream.shut_down()

    def lost(self, reason: str) -> None:
        """The client, or its manager, is gone; what has come is handled.

        Args:
            reason: for people.
        """
        if self._is_gone:
            return
        self._is_gone = True
        self._manager.remove(self)
        if self.link is not None:
            link, self.link = self.link, None
            link.left(self)
        if not self._is_closing:
            self._flush()
        self._is_closing = True
        self._input.lost()
        self.stream.lost(reason)

    def write(self, data: bytes) -> None:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`; each element goes in a route of its own."""
        if self._is_closing or not data:
            return
        link = self.link
        for each in routes.elements(data):
            if each.startswith(_SM_ON):
                self.is_managed = True
            elif each.startswith(b"<message") and not self.is_managed:
                self.handed.add(each)
            route = b"%b%b</route>" % (self._head, each)
            if link is None:
                self._unsent.append(route)
            else:
                link.write(route)

    @property
    def can_start_tls(self) -> bool:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`."""
        return not self.secure

    def probe(self) -> bool:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`."""
        return False

    def start_tls(self) -> None:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`; TLS is the manager's, and not asked for here."""
        self.abort()

    def close(self) -> None:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`: have the manager close the client's connection."""
        if self._is_closing:
            return
        self._is_closing = True
        self._forget_waiting()
        self._manager.close(self)

    def abort(self) -> None:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`."""
        self.close()

    def hold(self, reason: str) -> None:
        """See :class:`broker.net.read_pauses.Held`; others go on over the link, and what comes for this one waits."""
        if not self._reasons:
            self._waits.hold(self._size)
        self._reasons.add(reason)

    def release(self, reason: str) -> None:
        """See :class:`broker.net.read_pauses.Held`."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons:
                self._waits.release(self._size)
                if self._waiting:
                    self._input.ask()

    @property
    def turn_is_over(self) -> bool:
        """See :class:`broker.net.turns.GivesWay`."""
        return self._input.is_over

    def ask_for_turn(self) -> None:
        """See :class:`broker.net.turns.GivesWay`."""
        self._input.ask()

    def logged_in(self, account: str, unread: UnreadTotal | None = None) -> None:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`; it is the link that waits for the store.

        What waits for the client is in its link's buffer, and nobody tells when the client has taken it.
        """
        self._input.logged_in(account, None)
        self._manager.admission.logged_in(self)

    def channel_bindings(self) -> Mapping[str, bytes]:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`; the manager tells none."""
        return {}

    def tls_details(self) -> TlsDetails | None:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`; the manager tells none."""
        return None

    def client_certificate(self) -> x509.Certificate | None:
        """See :class:`broker.xmpp.stream.transport.StreamTransport`; the manager tells none."""
        return None

    def _flush(self) -> None:
        """Show the stream all that has come."""
        data = b"".join(self._waiting)
        self._forget_waiting()
        if data:
            self.stream.received(data)

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._count(-self._size)

    def _count(self, size: int) -> None:
        self._size += size
        self._waits.count(size, held=bool(self._reasons))
