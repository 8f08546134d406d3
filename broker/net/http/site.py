"""A site: one table of routes, behind one gate, with connections of as many ports as are opened for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from http import HTTPStatus
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.web.http import Request

from broker.errors import BrokerError
from broker.net.admission import Admission
from broker.net.http.channel import HttpChannel
from broker.net.http.exchange import Answer, Call, Credentials, Peer, refusal
from broker.net.http.host import LOCAL_NAMES, check_host
from broker.net.http.limits import DEFAULT_LIMITS, HttpLimits
from broker.net.http.request import SiteRequest
from broker.net.http.routes import Route, Router
from broker.net.http.target import read_target
from broker.timers import cancel

Gate = Callable[[Call, Route], None]
"""Raises a :class:`broker.errors.BrokerError` where somebody may not use a route."""
Observer = Callable[[Route | None, HTTPStatus, float], None]
"""Takes the route of a request, where it got to one, the status of the answer, and the seconds until it was sent."""


def admit_all(call: Call, route: Route) -> None:
    """The gate of sites behind whose doors it is checked who may do what."""


def _watch_nothing(route: Route | None, status: HTTPStatus, seconds: float) -> None:
    """For sites that nobody counts the answers of."""


class Site(Factory):
    """Makes the connections of one port, or of one Unix socket.

    Args:
        router: the routes.
        gate: lets requests in.
        clock: an ``IReactorTime``.
        hosts: more names by which it may be asked, beside those of this machine.
        limits: of its peers.
        credentials: tells who is at the other end of a transport, for a Unix socket.
        observer: told of each answer.
        folder: for long bodies while they come; ``None`` where no route takes any.
        refuse: makes the answer to a request that fails, from the error and the request's id.

    Attributes:
        bodies: bytes of requests that are not complete yet.
        channels: the connections.
        refuse: as above.
    """

    noisy = False

    def __init__(
        self,
        router: Router,
        gate: Gate,
        clock: Any,
        *,
        hosts: Collection[str] = (),
        limits: HttpLimits = DEFAULT_LIMITS,
        credentials: Callable[[Any], Credentials] | None = None,
        observer: Observer = _watch_nothing,
        refuse: Callable[[BrokerError, str], Answer] = refusal,
        folder: Path | None = None,
    ) -> None:
        self.clock = clock
        self.limits = limits
        self._credentials = credentials
        self.answered = observer
        self.refuse = refuse
        self.folder = folder
        self.bodies = 0
        self.channels: set[HttpChannel] = set()
        self._router = router
        self._gate = gate
        self._hosts = frozenset([*LOCAL_NAMES, *(name.lower() for name in hosts)])
        self._admission = Admission(clock, limits.max_connections, limits.max_of_address)
        self._prefix = secrets.token_hex(3)
        self._requests = 0
        self._emptied: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> HttpChannel | None:
        """A connection, or ``None`` where there are too many already."""
        host: str = getattr(addr, "host", "")
        return HttpChannel(self, host) if self._admission.admits(_counted(host)) else None

    def next_id(self) -> str:
        """The id of the next request; no two of a process's life are alike, and few of its lives."""
        self._requests += 1
        return f"r-{self._prefix}-{self._requests:x}"

    def peer(self, channel: HttpChannel) -> Peer:
        """Who is at the other end of a connection."""
        credentials = None if self._credentials is None else self._credentials(channel.transport)
        return Peer(channel.host, channel.isSecure(), credentials)

    def opened(self, channel: HttpChannel) -> None:
        """A connection is there."""
        self.channels.add(channel)
        self._admission.opened(channel, _counted(channel.host))

    def closed(self, channel: HttpChannel) -> None:
        """A connection is gone."""
        self.channels.discard(channel)
        self._admission.closed(channel)
        if not self.channels:
            emptied, self._emptied = self._emptied, []
            for each in emptied:
                each.callback(None)

    def log(self, request: Request) -> None:
        """Write no line for each request, which is what ``twisted.web`` calls this for."""

    async def serve(self, request: SiteRequest, body: bytes) -> Answer:
        """Serve a request.

        Args:
            request: its header.
            body: all of it.

        Raises:
            BrokerError: it is refused.
        """
        call, route = self._found(request, request.method, request.uri, body)
        request.route = route
        self._gate(call, route)
        return await route.handler(call)

    def max_body_of(self, request: SiteRequest, method: bytes, uri: bytes, beginning: bytes | None) -> int:
        """Bytes that the body of a request may have which is still to come, by its route and who sends it.

        Args:
            request: its header.
            method: of it.
            uri: of it.
            beginning: of the body, as much as others may send; ``None`` where nothing has come.
        """
        try:
            call, route = self._found(request, method, uri, b"")
            if not route.max_body or self.folder is None:
                return self.limits.max_body
            if route.may_be_long is not None and beginning is not None and not route.may_be_long(beginning):
                return self.limits.max_body
            self._gate(call, route)
        except BrokerError:  # whoever may not use it is told so where the body is no longer than that of others
            return self.limits.max_body
        return route.max_body

    def _found(self, request: SiteRequest, method: bytes, uri: bytes, body: bytes) -> tuple[Call, Route]:
        headers = {
            name.decode("latin-1").lower(): values[-1].decode("latin-1")
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        check_host([each.decode("latin-1") for each in request.requestHeaders.getRawHeaders(b"Host", [])], self._hosts)
        target = read_target(uri)
        route, parameters = self._router.find(method.decode("latin-1"), target.segments)
        peer = self.peer(request.channel)
        return Call(request.id, route.method, parameters, target.query, headers, body, peer), route

    def close_all(self) -> Deferred[None]:
        """Close all connections; those on which a request is being served when it is answered, if that is soon.

        Fires when they are gone. The ports are to be closed before.
        """
        for channel in list(self.channels):
            channel.shut_down()
        if not self.channels:
            return succeed(None)
        emptied: Deferred[None] = Deferred()
        self._emptied.append(emptied)
        overdue = self.clock.callLater(self.limits.stop_grace, self._abort_all)
        emptied.addCallback(lambda _: cancel(overdue))
        return emptied

    def _abort_all(self) -> None:
        for channel in list(self.channels):
            channel.abort()


def _counted(host: str) -> str:
    """What a peer counts as: one over a Unix socket is of this machine."""
    return host or "127.0.0.1"
