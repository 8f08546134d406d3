"""A request as ``twisted.web`` reads it: its body within limits, then handed to the site, then answered."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import provider

from broker.errors import BrokerError, Code
from broker.net.http.body import RequestBody
from broker.net.http.events import EventStream
from broker.net.http.exchange import Answer, fault
from broker.net.http.problem import Refused
from broker.net.http.routes import Route

if TYPE_CHECKING:
    from broker.net.http.channel import HttpChannel

log = Logger()


@provider(INonQueuedRequestFactory)
class SiteRequest(Request):
    """One request.

    A body that is too long is refused as soon as that is known. The answer is sent at once, and what still comes of the
    body is passed over, since a peer that is not read from would not see the answer.

    Args:
        channel: that it comes over.

    Attributes:
        id: of the request, for the answer and the log.
        route: that serves it, once it is found.
    """

    channel: HttpChannel

    def __init__(self, channel: HttpChannel) -> None:
        super().__init__(channel)
        self.id = channel.site.next_id()
        self.clientproto = b"HTTP/1.1"  # until it is known, for an answer that is made before
        self._began = channel.site.clock.seconds()
        self.route: Route | None = None
        self._body = RequestBody()
        self._max_body: int | None = None  # of its route and beginning, once that matters
        self._answered = False
        self._stream: EventStream | None = None

    def gotLength(self, length: int | None) -> None:
        """The header is complete."""
        if length is not None and length > self.channel.site.limits.max_body:
            most = self._ask_for_most(None)
            if length > most:
                self._refuse_body(most)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body."""
        site = self.channel.site
        if self._answered:
            return
        body, most = self._body, site.limits.max_body
        size = body.size + len(data)
        if size > most and size > self._most(data):
            self._refuse_body(self._most(data))
        elif size <= most and site.bodies + len(data) > site.limits.max_bodies:
            self._give_up_body(BrokerError(Code.RESOURCE_EXHAUST, "too much of other requests is on its way"))
        else:
            before = body.held
            try:
                body.append(data, most, site.folder)
            except OSError as error:
                log.error("a long body cannot be kept: {reason}", reason=error.strerror)
                self._give_up_body(BrokerError(Code.RESOURCE_FILE_IO, "there is no room for a body of this length"))
                return
            site.bodies += body.held - before

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete."""
        body = self._release()
        if self._answered:
            self.finish()
            return
        self.method, self.uri, self.clientproto = command, path, version
        site = self.channel.site
        serving = Deferred.fromCoroutine(site.serve(self, body))
        self.notifyFinish().addErrback(lambda _: serving.cancel())
        serving.addErrback(self._failed)
        serving.addCallback(self._answer)

    def connectionLost(self, reason: Failure) -> None:
        """The peer has gone."""
        self._release()
        if self._stream is not None:
            self._stream.lost()
        super().connectionLost(reason)

    def end_stream(self) -> None:
        """End the stream that it is answered by, if there is one."""
        if self._stream is not None:
            self._stream.end()

    def _failed(self, failure: Failure) -> Answer | None:
        if failure.check(BrokerError):
            error: BrokerError = failure.value  # type: ignore[assignment]
            if not str(error.code).startswith("internal."):
                return self.channel.site.refuse(error, self.id)
        elif failure.check(CancelledError):
            return None
        log.failure("request {id} failed", failure, id=self.id)
        return self.channel.site.refuse(fault(), self.id)

    def _answer(self, answer: Answer | None) -> None:
        if answer is None:
            return
        stream = answer.stream
        if self._disconnected:
            if stream is not None:
                stream.lost()
            return
        if answer.successor is not None:
            self._answered = True
            self.channel.hand_over(answer.successor, answer.headers)
            self._count(answer.status)
            return
        self._send(answer)
        if stream is None or self.method == b"HEAD":
            if stream is not None:
                stream.lost()
            self.finish()
        else:
            self._stream = stream
            stream.begin(self)

    def _most(self, more: bytes) -> int:
        """Bytes that the body may have, of which ``more`` has just come, and too much for those who may send little."""
        if self._max_body is None:
            self._max_body = self._ask_for_most((self._body.beginning + more)[: self.channel.site.limits.max_body])
        return self._max_body

    def _ask_for_most(self, beginning: bytes | None) -> int:
        return self.channel.site.max_body_of(self, self.channel._command, self.channel._path, beginning)

    def _refuse_body(self, most: int) -> None:
        self._give_up_body(
            Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                Code.USER_MAX_SIZE_EXCEED,
                f"a request's body has {most} bytes at most",
            )
        )

    def _give_up_body(self, error: BrokerError) -> None:
        """Answer before the body is there, and close the connection when it is."""
        self._release()
        self.requestHeaders.removeHeader(b"Expect")  # which would be answered with 100
        self.channel.persistent = False
        self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        self._send(self.channel.site.refuse(error, self.id))

    def _send(self, answer: Answer) -> None:
        self._answered = True
        self.setResponseCode(answer.status, answer.status.phrase.encode())
        headers = self.responseHeaders
        for name, value in (
            ("Date", format_datetime(datetime.now(UTC), usegmt=True)),
            ("X-Request-Id", self.id),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            *self._content_headers(answer),
            *answer.headers,
        ):
            headers.setRawHeaders(name, [value])
        self.write(answer.body)
        self._count(answer.status)

    def _count(self, status: HTTPStatus) -> None:
        site = self.channel.site
        site.answered(self.route, status, site.clock.seconds() - self._began)

    def _content_headers(self, answer: Answer) -> list[tuple[str, str]]:
        if answer.status is HTTPStatus.NO_CONTENT:  # has none of them (RFC 9110 §8.6)
            return []
        if answer.stream is not None:
            return [("Content-Type", answer.media_type)]
        return [("Content-Type", answer.media_type), ("Content-Length", str(len(answer.body)))]

    def _release(self) -> bytes:
        """Take the body, which is complete or wanted no more, out of what the site counts."""
        self.channel.site.bodies -= self._body.held
        return self._body.take()
