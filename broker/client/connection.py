"""One connection to a broker: requests with their answers, and updates with ours."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.errors import BrokerError, Code
from broker.native.update_answers import OK, encode_outcomes
from broker.native.wire.compress import ZlibStreamReader, ZlibStreamWriter
from broker.native.wire.frames import Frame, FrameError, FrameReader, Kind, Unit, encode_frame
from broker.native.wire.methods import (
    CLIENT_METHODS,
    RequestIds,
    Requests,
    decode_exception,
    encode_exception,
    find_method,
)

log = Logger()

MAX_FRAME = 1 << 30
MAX_REQUESTS = 100_000
INFLATE_OUTPUT = 64 << 20

UpdateReceiver = Callable[[list[Unit]], Coroutine[Any, Any, list[BrokerError | None]]]


class ClientConnection(Protocol):
    """A client's side of the native protocol (spec xmlblaster §20.1).

    Args:
        user: login name, for request ids.
        receive: gets the units of each update, and says for each when it is done why it was refused, or ``None``.
        lost: called when the connection is gone, with the reason.
        compress: the port speaks ``zlib:stream``.

    Attributes:
        secret_id: of the session, sent with every request.
    """

    def __init__(
        self,
        user: str,
        receive: UpdateReceiver,
        lost: Callable[[BrokerError], None],
        *,
        compress: bool = False,
    ) -> None:
        self.secret_id = b""
        self._receive = receive
        self._lost = lost
        self._ids = RequestIds(user)
        self._requests: Requests[Deferred[list[Unit]]] = Requests(MAX_REQUESTS)
        self._reader = FrameReader(MAX_FRAME)
        self._inflate = ZlibStreamReader(INFLATE_OUTPUT) if compress else None
        self._deflate = ZlibStreamWriter() if compress else None
        self._closed = False
        self._gone: list[Deferred[None]] = []

    def connectionMade(self) -> None:
        """Send requests at once."""
        transport: Any = self.transport
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)

    def call(self, method: bytes, body: bytes = b"") -> Deferred[list[Unit]]:
        """Send a request.

        Fires with the units of the answer; fails with the broker's exception, or with ``communication.noConnection``
        where the connection is lost before the answer came.
        """
        answer: Deferred[list[Unit]] = Deferred()
        if self._closed:
            answer.errback(BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the connection is closed"))
            return answer
        request_id = self._ids.next(method)
        self._requests.add(request_id, answer)
        self._write(encode_frame(Kind.INVOKE, request_id, method, self.secret_id, body))
        return answer

    def send(self, method: bytes, body: bytes) -> None:
        """Send a request that has no answer."""
        if not self._closed:
            self._write(encode_frame(Kind.INVOKE, self._ids.next(method), method, self.secret_id, body))

    def close(self) -> None:
        """Hang up when all that was written has been sent; a broker that does not read keeps that from ever ending."""
        if self.transport is not None and not self._closed:
            self.transport.loseConnection()

    def abort(self, error: BrokerError) -> None:
        """Hang up now, whatever has not been sent.

        Args:
            error: why; requests without an answer fail with it.
        """
        if self._closed:
            return
        self._closed = True
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()
        self._end(error)

    def gone(self) -> Deferred[None]:
        """Fires when the connection is gone: after :meth:`close` that is when all that was written has been sent."""
        waiter: Deferred[None] = Deferred()
        if self._closed:
            waiter.callback(None)
        else:
            self._gone.append(waiter)
        return waiter

    def dataReceived(self, data: bytes) -> None:
        """Take answers and updates; a broker that breaks the protocol is left."""
        try:
            plain = data if self._inflate is None else self._inflate.feed(data)
            for frame in self._reader.feed(plain):
                self._take(frame)
            if self._reader.error is not None:
                raise self._reader.error
        except FrameError as error:
            log.error("the broker broke the protocol: {error}", error=str(error))
            self.abort(BrokerError(Code.COMMUNICATION_NO_CONNECTION, f"the broker broke the protocol: {error}"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """No answer will come any more."""
        if not self._closed:
            why = f"the connection was lost: {reason.getErrorMessage()}"
            self._end(BrokerError(Code.COMMUNICATION_NO_CONNECTION, why))

    def _end(self, error: BrokerError) -> None:
        self._closed = True
        self._lost(error)  # before the answers fail, so that what is sent again is not sent here
        for answer in self._requests.clear():
            answer.errback(error)
        waiters, self._gone = self._gone, []
        for waiter in waiters:
            waiter.callback(None)

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data if self._deflate is None else self._deflate.write(data))

    def _take(self, frame: Frame) -> None:
        if self._closed:
            return
        if frame.kind is Kind.INVOKE:
            self._serve(frame)
            return
        answer = self._requests.take(frame.request_id)
        if answer is None:
            return
        if frame.kind is Kind.EXCEPTION:
            answer.errback(decode_exception(frame))
        else:
            answer.callback(frame.units())

    def _serve(self, frame: Frame) -> None:
        if frame.method == b"ping":
            self._answer(frame, OK)
            return
        try:
            method = find_method(CLIENT_METHODS, frame.method)
        except BrokerError as error:  # of a broker that knows more than this client
            self._refuse(frame, error)
            return
        work = Deferred.fromCoroutine(self._receive(frame.units()))
        if method.answered:
            work.addCallback(self._taken, frame)
        work.addErrback(lambda failure: log.failure("an update was not taken", failure))

    def _taken(self, outcomes: list[BrokerError | None], frame: Frame) -> None:
        error = outcomes[0] if outcomes else None
        if error is not None and all(each is error for each in outcomes):
            self._refuse(frame, error)
        else:
            self._answer(frame, encode_outcomes(outcomes))

    def _answer(self, frame: Frame, body: bytes) -> None:
        if not self._closed:
            self._write(encode_frame(Kind.RESPONSE, frame.request_id, frame.method, frame.session, body))

    def _refuse(self, frame: Frame, error: BrokerError) -> None:
        if not self._closed:
            self._write(
                encode_exception(frame.request_id, frame.method, frame.session, error, "", "", "", server_side=False)
            )
