"""One HTTP connection: the reader of ``twisted.web``, with the limits of its site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IProtocol
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request

from broker.net.http.request import SiteRequest
from broker.timers import cancel

if TYPE_CHECKING:
    from broker.net.http.site import Site


class HttpChannel(HTTPChannel):
    """One connection.

    Requests are served one after the other. Each must be complete in time, however busily its bytes trickle.

    Args:
        site: that it is of.
        host: address of the peer; empty over a Unix socket.
    """

    requestFactory = SiteRequest  # type: ignore[assignment] # Twisted says less than it takes
    transport: Any

    def __init__(self, site: Site, host: str) -> None:
        super().__init__()
        self.site = site
        self.host = host
        self.maxHeaders = site.limits.max_headers
        self.totalHeadersSize = site.limits.max_header_size
        self.timeOut = site.limits.idle_timeout  # type: ignore[assignment] # seconds, also parts
        self.callLater = site.clock.callLater  # type: ignore[method-assign] # as Twisted's own factory does
        self._serving = False
        self._deadline: IDelayedCall | None = None
        self._successor: IProtocol | None = None

    def connectionMade(self) -> None:
        """Begin."""
        self.site.opened(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Read on."""
        if self._successor is not None:
            self._successor.dataReceived(data)
            return
        if data and self._deadline is None and not self._serving:
            self._deadline = self.callLater(self.site.limits.request_timeout, self.timeoutConnection)
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        """A request is complete."""
        cancel(self._deadline)
        self._deadline = None
        self._serving = True
        super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Bytes have come while a request is served; behind one that is the last of HTTP, they are its successor's."""
        if self._successor is not None:
            self._successor.dataReceived(data)
        else:
            super().rawDataReceived(data)

    def hand_over(self, successor: IProtocol, headers: Sequence[tuple[str, str]]) -> None:
        """Let another protocol have the connection, as the request that is being served asks for (RFC 9110 §7.8).

        Args:
            successor: the other protocol. It is told of the connection, of what comes and of the end.
            headers: of the answer.
        """
        self.writeHeaders(
            b"HTTP/1.1",
            b"101",
            b"Switching Protocols",
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        )
        self.site.closed(self)
        self.setTimeout(None)
        self.transport.unregisterProducer()
        self._successor = successor
        early, self._dataBuffer = b"".join(self._dataBuffer), []
        successor.makeConnection(self.transport)
        if early:
            successor.dataReceived(early)

    def requestDone(self, request: Request) -> None:
        """A request is answered."""
        self._serving = False
        super().requestDone(request)

    def timeoutConnection(self) -> None:
        """The peer takes too long; nothing is on its way to it that it would miss."""
        self.transport.abortConnection()

    def shut_down(self) -> None:
        """Close the connection, once what is being served on it is answered; a stream ends."""
        self.persistent = False
        if not self._serving:
            self.loseConnection()
            return
        for request in list(self.requests):
            request.end_stream()

    def abort(self) -> None:
        """Close the connection now."""
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """It is gone."""
        cancel(self._deadline)
        self._deadline = None
        super().connectionLost(reason)
        if self._successor is None:
            self.site.closed(self)
        else:
            self._successor.connectionLost(reason)
