"""XML-RPC over HTTP: a call is the body of a request, of any path (spec doors §1.1)."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from broker.core.node import Node
from broker.errors import BrokerError, Code
from broker.native.wire.xmlrpc import (
    MEDIA_TYPE,
    PIECE,
    CallReader,
    MethodCall,
    first_text,
    pieces_of,
    read_call,
    write_fault,
    write_response,
)
from broker.native.xmlrpc.calls import CONNECTING, Calls
from broker.net.http.body import check_not_packed
from broker.net.http.exchange import Answer, Call
from broker.net.http.routes import Route, Router

log = Logger()

CODE, CODE_OF_CONNECT = 0, 99
BEGINNING = 4096
"""Bytes of a call that have its first parameter."""


class XmlRpcDoor:
    """Answers requests with what the calls in them come to.

    Args:
        node: of the core.
        calls: serves them.
        max_body: bytes that a call may have whose first parameter is the id of a session; others have what the site
            lets them have.
    """

    def __init__(self, node: Node, calls: Calls, max_body: int) -> None:
        self._node = node
        self._calls = calls
        self._max_body = max_body

    def router(self) -> Router:
        """The one route."""
        route = Route(
            "POST",
            "/",
            "anybody",
            self._ask,
            summary="A call of XML-RPC.",
            max_body=self._max_body,
            may_be_long=self._is_of_session,
        )
        return Router([], anywhere=route)

    def _is_of_session(self, beginning: bytes) -> bool:
        return self._calls.is_session(first_text(beginning))

    async def _ask(self, request: Call) -> Answer:
        """Serve a request. What fails is told as a fault, under the status 200.

        Raises:
            Refused: 415 for a body that is compressed.
        """
        check_not_packed(request.headers)
        code = CODE
        try:
            call = await self._read(request.body)
            if call.method in CONNECTING:
                code = CODE_OF_CONNECT
            return Answer(write_response(await self._calls.serve(call, request.peer.host)), MEDIA_TYPE)
        except BrokerError as error:
            return _fault(code, error)
        except CancelledError:  # the client has gone
            raise
        except Exception:  # noqa: BLE001 - it is logged, and answered
            log.failure("{host}: a call failed", host=request.peer.host)
            return _fault(code, BrokerError(Code.INTERNAL_UNKNOWN, "the broker failed to serve this call"))

    async def _read(self, body: bytes) -> MethodCall:
        """Read a call; while a long one of a session is read others have their turns."""
        session = self._node.sessions.get(first_text(body[:BEGINNING])) if len(body) > PIECE else None
        if session is None:
            return read_call(body, self._max_body)
        pace = self._node.pace(session)
        reader = CallReader(self._max_body)
        try:
            for piece, last in pieces_of(body):
                reader.feed(piece, last=last)
                if not last and pace.is_over:
                    await pace.next_turn()
        finally:
            reader.close()
        return reader.call


def _fault(code: int, error: BrokerError) -> Answer:
    """The answer to a call that is refused, in the form that clients read a code of the catalogue from."""
    return Answer(write_fault(code, f"errorCode={error.code} message={error.message}"), MEDIA_TYPE)
