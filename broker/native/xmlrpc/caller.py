"""Calls to servers of clients: one connection for each, deadlines, and answers of a bounded size (spec doors §1.2)."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Cooperator
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, ResponseDone
from twisted.web.http_headers import Headers

from broker.errors import BrokerError, Code
from broker.native.wire.xmlrpc import MEDIA_TYPE, Fault, Value, read_response, write_call

CONNECT_TIMEOUT = 10.0
ANSWER_TIMEOUT = 60.0
"""Seconds until a server must have answered."""
MAX_ANSWER = 1 << 20


class Caller:
    """Calls servers over HTTP. Redirections are not followed, and no proxy of the environment is asked.

    Args:
        reactor: to connect with.
        agent: sends requests; by default one of ``twisted.web`` that keeps a connection to each server.
    """

    def __init__(self, reactor: Any, agent: Any = None) -> None:
        self._reactor = reactor
        if agent is None:
            pool = HTTPConnectionPool(reactor, persistent=True)
            pool.maxPersistentPerHost = 1
            pool.retryAutomatically = False  # a call would be made twice
            agent = Agent(reactor, connectTimeout=CONNECT_TIMEOUT, pool=pool)
        self._agent = agent
        self._cooperator = Cooperator(scheduler=lambda work: reactor.callLater(0, work))  # writes long calls in parts

    async def call(self, url: str, method: str, *params: Value) -> Value | Fault:
        """Make a call.

        Args:
            url: of the server.
            method: its name.
            params: in order.

        Raises:
            BrokerError: ``communication.noConnection``: the server cannot be reached, does not answer in time, or not
                as XML-RPC does.
        """
        body = FileBodyProducer(BytesIO(write_call(method, params)), self._cooperator)
        headers = Headers({"Content-Type": [MEDIA_TYPE], "User-Agent": ["xmlbroker"]})
        request = Deferred.fromCoroutine(self._ask(url, headers, body))
        request.addTimeout(ANSWER_TIMEOUT, self._reactor)
        try:
            answer = await request
            return read_response(answer, MAX_ANSWER)
        except Exception as error:
            reason = error.message if isinstance(error, BrokerError) else str(error) or type(error).__name__
            raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, f"{url[:256]}: {reason[:256]}") from error

    async def _ask(self, url: str, headers: Headers, body: FileBodyProducer) -> bytes:
        response = await self._agent.request(b"POST", url.encode("ascii"), headers, body)
        if response.code != 200:
            raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, f"it answered with the status {response.code}")
        collected: Deferred[bytes] = Deferred()
        response.deliverBody(_Collector(collected))
        return await collected


class _Collector(Protocol):
    """Takes the body of an answer, as far as it may be long.

    Args:
        done: fires with it.
    """

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done = done
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """A part has come."""
        self._size += len(data)
        if self._size <= MAX_ANSWER:
            self._parts.append(data)
            return
        transport: Any = self.transport
        self._finish(BrokerError(Code.COMMUNICATION_NO_CONNECTION, f"its answer has more than {MAX_ANSWER} bytes"))
        transport.stopProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The answer is complete, or the connection broke."""
        if reason.check(ResponseDone):
            self._finish(b"".join(self._parts))
        else:
            self._finish(reason.value or ConnectionDone())

    def _finish(self, outcome: bytes | BaseException) -> None:
        if self._done.called:
            return
        if isinstance(outcome, bytes):
            self._done.callback(outcome)
        else:
            self._done.errback(outcome)
