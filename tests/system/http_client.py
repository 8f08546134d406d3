"""Asks a broker over HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class SocketConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def ask_socket(
    path: Path, target: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> HttpAnswer:
    """Send one request over a Unix socket."""
    return _ask(SocketConnection(path), target, method, headers, body)


def ask_port(
    address: tuple[str, int],
    target: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> HttpAnswer:
    """Send one request to a port."""
    return _ask(HTTPConnection(*address, timeout=10), target, method, headers, body)


def _ask(
    connection: HTTPConnection, target: str, method: str, headers: Mapping[str, str] | None, body: bytes = b""
) -> HttpAnswer:
    with closing(connection):
        connection.request(method, target, body or None, dict(headers or {}))
        response = connection.getresponse()
        headers_of_answer = {name.lower(): value for name, value in response.getheaders()}
        return HttpAnswer(response.status, headers_of_answer, response.read())
