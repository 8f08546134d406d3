"""A site, and connections to it that are no sockets."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from broker.errors import BrokerError, Code
from broker.net.http.channel import HttpChannel
from broker.net.http.exchange import Answer, Call
from broker.net.http.limits import DEFAULT_LIMITS, HttpLimits
from broker.net.http.routes import Route, Router
from broker.net.http.site import Site

ELSEWHERE = "192.0.2.7"


@dataclass(frozen=True, slots=True)
class Received:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Socket:
    """What :class:`HTTPResponse` reads from."""

    def __init__(self, stream: BytesIO) -> None:
        self._stream = stream

    def makefile(self, mode: str) -> BytesIO:
        """The bytes; they stay there for the next answer."""
        self._stream.close = lambda: None  # type: ignore[method-assign]
        return self._stream


class Conversation:
    """A site of some routes.

    Args:
        routes: of the site; by default one that tells what it is asked.
        limits: of the site.
        hosts: names of the site.
        folder: for long bodies.

    Attributes:
        calls: that reached a route.
        answered: statuses that the site has told.
    """

    def __init__(
        self,
        routes: Sequence[Route] = (),
        limits: HttpLimits = DEFAULT_LIMITS,
        hosts: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        self.clock = Clock()
        self.calls: list[Call] = []
        self.answered: list[int] = []
        self.forbidden: set[str] = set()
        known = [Route("GET", "/seen/{name}", "all", self._tell), Route("POST", "/seen/{name}", "all", self._tell)]
        self.site = Site(
            Router([*known, *routes]),
            self._gate,
            self.clock,
            limits=limits,
            hosts=hosts,
            folder=folder,
            observer=lambda route, status, seconds: self.answered.append(status),
        )

    def connect(self, host: str = ELSEWHERE) -> Connection | None:
        """Connect; ``None`` where that is refused."""
        address = IPv4Address("TCP", host, 50_000)
        channel = self.site.buildProtocol(address)
        return None if channel is None else Connection(channel, self.clock)

    def connected(self, host: str = ELSEWHERE) -> Connection:
        """Connect, where that is possible."""
        connection = self.connect(host)
        assert connection is not None
        return connection

    def ask(self, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Received:
        """Send one request over a connection of its own."""
        connection = self.connected()
        connection.send(request(target, method, body, **headers))
        (answer,) = connection.answers(method)
        return answer

    def _gate(self, call: Call, route: Route) -> None:
        if route.right in self.forbidden:
            raise BrokerError(Code.USER_NOT_AUTHORIZED, "not for you")

    async def _tell(self, call: Call) -> Answer:
        self.calls.append(call)
        return Answer(call.parameters["name"].encode() + call.body, "text/plain")


class Transport(StringTransport):
    """Has what TCP has."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is no delay."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """It is kept alive anyway."""

    def loseWriteConnection(self) -> None:
        """The peer closes its side, too."""
        self.loseConnection()


class Connection:
    """The peer's side of a connection."""

    def __init__(self, channel: HttpChannel, clock: Clock) -> None:
        self.transport = Transport()
        self.clock = clock
        self.channel = channel
        self._lost = False
        channel.makeConnection(self.transport)

    def send(self, data: bytes, piece: int = 0) -> None:
        """Send bytes, in pieces where their length is given."""
        for start in range(0, len(data), piece or len(data) or 1):
            if not self.is_closed():
                self.channel.dataReceived(data[start : start + (piece or len(data))])
        self._notice()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self._notice()

    def lose(self) -> None:
        """Go away."""
        self._lost = True
        self.channel.connectionLost(Failure(ConnectionDone()))

    def is_closed(self) -> bool:
        """The site has closed it."""
        return bool(self.transport.disconnecting or self.transport.disconnected)

    def answers(self, *methods: str) -> list[Received]:
        """The answers that came."""
        stream = BytesIO(self.transport.value())
        found: list[Received] = []
        while stream.tell() < len(stream.getvalue()):
            method = methods[len(found)] if len(found) < len(methods) else "GET"
            response = HTTPResponse(Socket(stream), method=method)  # type: ignore[arg-type]
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            found.append(Received(response.status, headers, response.read()))
        return found

    def _notice(self) -> None:
        if self.is_closed() and not self._lost:
            self.lose()


def request(target: str, method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request."""
    fields = {"Host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body:
        fields.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def fails_with(error: Exception) -> Callable[[Call], Awaitable[Answer]]:
    """A handler that fails."""

    async def handler(call: Call) -> Answer:
        raise error

    return handler


def always(status: HTTPStatus) -> Callable[[Call], Awaitable[Answer]]:
    """A handler that answers so."""

    async def handler(call: Call) -> Answer:
        return Answer(b"{}", status=status)

    return handler
