"""The API of a broker that is no process, for programs that ask by ``requests``: no sockets are in between."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPResponse, IncompleteRead
from io import BytesIO
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from twisted.internet.testing import StringTransport
from urllib3 import HTTPHeaderDict
from urllib3 import HTTPResponse as Urllib3Response

from broker.net.http.site import Site
from tests.core.world import World
from tests.net.http.conversation import Connection, Received, Socket

PATIENCE = 60
"""Seconds of the world's clock that a request may take."""


class SiteAdapter(HTTPAdapter):
    """Asks a site.

    Args:
        site: that is asked.
        world: whose clock goes on while an answer is not there.
    """

    def __init__(self, site: Site, world: World) -> None:
        super().__init__()
        self._site = site
        self._world = world

    def send(  # type: ignore[override] # the other arguments are about sockets
        self, request: PreparedRequest, **_: Any
    ) -> Response:
        """Serve one request."""
        answer = self._ask(str(request.method), _bytes_of(request))
        raw = Urllib3Response(
            BytesIO(answer.body),
            HTTPHeaderDict(answer.headers),
            answer.status,
            version=11,
            version_string="HTTP/1.1",
            preload_content=False,
        )
        return self.build_response(request, raw)

    def _ask(self, method: str, request: bytes) -> Received:
        channel = self._site.buildProtocol(None)
        assert channel is not None
        connection = Connection(channel, self._world.clock)
        connection.send(request)
        for _ in range(PATIENCE):
            self._world.turn()
            if connection.transport.value():
                break
            self._world.advance(1)
        answer = _first_answer(connection.transport, method)
        if not connection.is_closed():
            connection.lose()
        self._world.turn()
        return answer


def _bytes_of(request: PreparedRequest) -> bytes:
    headers: Mapping[str, str | bytes] = {"Host": "localhost", **request.headers}
    lines = [f"{request.method} {request.path_url} HTTP/1.1".encode()]
    lines += [b"%s: %s" % (_raw(name), _raw(value)) for name, value in headers.items()]
    body = request.body or b""
    assert isinstance(body, str | bytes)
    return b"\r\n".join([*lines, b"", _raw(body)])


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def _first_answer(transport: StringTransport, method: str) -> Received:
    """What came; of a stream, which does not end, the part of it that is there."""
    response = HTTPResponse(Socket(BytesIO(transport.value())), method=method)  # type: ignore[arg-type]
    response.begin()
    try:
        body = response.read()
    except IncompleteRead as error:
        body = error.partial
    headers = {name.lower(): value for name, value in response.getheaders()}
    headers.pop("transfer-encoding", None)
    return Received(response.status, headers, body)
