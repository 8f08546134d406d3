"""The path of BOSH (XEP-0124 §5)."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from broker.errors import Code
from broker.net.http.body import check_not_packed
from broker.net.http.exchange import Answer, Call
from broker.net.http.problem import Refused
from broker.net.http.routes import Route
from broker.net.http.websocket.handshake import ANY
from broker.xmpp.bosh.sessions import BoshSessions
from broker.xmpp.web.entrance import Entrance
from broker.xmpp.wire.bosh import BadBody, read_body

PATH = "/http-bind"


class BoshDoor:
    """Lets clients in.

    Args:
        entrance: that they come in by.
        sessions: all of them.
        origins: whose pages may read the answers, beside those of the host itself.
    """

    def __init__(self, entrance: Entrance, sessions: BoshSessions, *, origins: Collection[str]) -> None:
        self._entrance = entrance
        self._sessions = sessions
        self._origins = frozenset([each.lower().rstrip("/") for each in origins])

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("POST", PATH, "anybody", self._ask, summary="XMPP over BOSH."),
            Route("OPTIONS", PATH, "anybody", self._preflight, summary="Whether pages of other hosts may ask."),
        ]

    async def _ask(self, call: Call) -> Answer:
        """Serve a request.

        Raises:
            Refused: it brings no body of BOSH, or must come over TLS.
        """
        origin = self._entrance.admit(call)
        check_not_packed(call.headers)
        try:
            body = read_body(call.body, self._sessions.limit_of)
        except BadBody as error:
            raise Refused(HTTPStatus.BAD_REQUEST, Code.USER_ILLEGAL_ARGUMENT, str(error)) from error
        answered, media_type = self._sessions.ask(body, origin)
        return Answer(await answered, media_type, headers=self._cors(call))

    async def _preflight(self, call: Call) -> Answer:
        cors = self._cors(call)
        if cors:
            cors += (
                ("Access-Control-Allow-Methods", "POST, OPTIONS"),
                ("Access-Control-Allow-Headers", "Content-Type"),
                ("Access-Control-Max-Age", "86400"),
            )
        return Answer(b"", status=HTTPStatus.NO_CONTENT, headers=cors)

    def _cors(self, call: Call) -> tuple[tuple[str, str], ...]:
        """What lets a page of another host read the answer, where it may."""
        origin = call.headers.get("origin", "")
        if not origin or not (ANY in self._origins or origin.lower() in self._origins):
            return ()
        return (("Access-Control-Allow-Origin", origin), ("Vary", "Origin"))
