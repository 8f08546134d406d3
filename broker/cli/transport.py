"""HTTP to the administration of a broker, over its Unix socket or a port, with the standard library alone.

A command that asks one question imports neither Twisted nor a library for HTTP: it is done in a tenth of a second.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

from broker.cli.terminal import reason_of
from broker.errors import BrokerError, Code
from broker.model.json_object import object_or_none

TIMEOUT = 30.0
"""Seconds that a broker has for each part of an answer; a list of many objects takes ten at most."""
BETWEEN_COMMENTS = 60.0
"""Seconds that a stream may be silent: the broker sends a comment every 15."""
OK = 200
JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
OVER_SOCKET = "localhost"
"""The host that a request over a Unix socket names."""


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket of administration.

    Args:
        path: of its file.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PortAddress:
    """A port of administration.

    Args:
        host: name or number.
        port: of it.
        tls: it speaks TLS.
        ca: PEM file of the authority that signed its certificate; ``None`` for those that the system trusts.
        token: secret that says who asks; empty for nobody.
    """

    host: str
    port: int
    tls: bool
    ca: Path | None = None
    token: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


Address = UnixAddress | PortAddress


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Args:
        status: of HTTP.
        media_type: of the body, in lower case and without parameters.
        headers: by their names in lower case.
        body: as it came.
    """

    status: int
    media_type: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def succeeded(self) -> bool:
        """The request was served."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 in it is replaced."""
        return self.body.decode(errors="replace")

    def read_object(self) -> dict[str, Any]:
        """The members of the JSON object that the body is.

        Raises:
            BrokerError: ``communication`` where it is none.
        """
        found = object_or_none(self.body)
        if found is None:
            raise BrokerError(Code.COMMUNICATION, "the answer is no JSON object; is this a broker's port?")
        return found


class Administration:
    """The administration of one broker.

    Args:
        addresses: where it may be; the first that is there is asked.
        timeout: seconds for each part of an answer.
    """

    def __init__(self, addresses: Sequence[Address], timeout: float = TIMEOUT) -> None:
        self._addresses = tuple(addresses)
        self._timeout = timeout

    def ask(self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request, over a connection of its own.

        Args:
            method: of HTTP.
            target: path and query, encoded.
            body: sent as JSON; ``None`` for no body.
            headers: more of them.

        Raises:
            BrokerError: ``communication.noConnection`` where no broker is reached, ``communication.responseTimeout``
                where it does not answer in time, ``communication`` where what answers does not speak HTTP,
                ``user.security.authorization.notAuthorized`` where the socket's file is closed to this user.
        """
        content = None if body is None else json.dumps(body).encode()
        missing: list[str] = []
        for address in self._addresses:
            try:
                return self._exchange(address, method, target, content, headers or {})
            except FileNotFoundError:
                missing.append(str(address))
        raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, f"there is no socket {' or '.join(missing)}")

    def follow(self, target: str) -> Iterator[str]:
        """The lines of an answer that goes on for as long as it is read.

        Args:
            target: path and query, encoded.

        Raises:
            BrokerError: as :meth:`ask`, and with the code of the broker where it refuses.
        """
        for address in self._addresses:
            connection = _connection(address, max(self._timeout, BETWEEN_COMMENTS))
            try:
                yield from _lines(connection, address, target)
                return
            except FileNotFoundError:
                continue
            except TimeoutError as error:
                reason = f"nothing more came from {address}"
                raise BrokerError(Code.COMMUNICATION_RESPONSE_TIMEOUT, reason) from error
            except (ConnectionError, HTTPException) as error:
                reason = f"the connection to {address} was lost: {_why(error)}"
                raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, reason) from error
            finally:
                connection.close()
        missing = " or ".join(map(str, self._addresses))
        raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, f"there is no socket {missing}")

    def _exchange(
        self, address: Address, method: str, target: str, content: bytes | None, more: Mapping[str, str]
    ) -> Reply:
        connection = _connection(address, self._timeout)
        try:
            _connect(connection, address)
            headers = {"Connection": "close", **_credentials(address), **more}
            if content is not None:
                headers["Content-Type"] = JSON_TYPE
            connection.request(method, target, content, headers)
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            media_type = received.get("content-type", "").partition(";")[0].strip().lower()
            return Reply(response.status, media_type, received, response.read())
        except TimeoutError as error:
            reason = f"{address} did not answer within {self._timeout:g} s"
            raise BrokerError(Code.COMMUNICATION_RESPONSE_TIMEOUT, reason) from error
        except ConnectionError as error:
            raise BrokerError(
                Code.COMMUNICATION_NO_CONNECTION, f"the connection to {address} was lost: {_why(error)}"
            ) from error
        except HTTPException as error:
            reason = f"{address} does not answer as a broker's administration does"
            raise BrokerError(Code.COMMUNICATION, reason) from error
        finally:
            connection.close()


def _lines(connection: HTTPConnection, address: Address, target: str) -> Iterator[str]:
    _connect(connection, address)
    connection.request("GET", target, headers=_credentials(address))
    response = connection.getresponse()
    if response.status != OK:
        problem = object_or_none(response.read()) or {}
        detail = str(problem.get("detail", f"status {response.status}"))
        refused = response.status in (401, 403)
        raise BrokerError(Code.USER_NOT_AUTHORIZED if refused else Code.USER_WRONG_API_USAGE, detail)
    while line := response.readline():
        yield line.decode(errors="replace").rstrip("\r\n")


def _credentials(address: Address) -> dict[str, str]:
    """Headers that say who asks."""
    token = address.token if isinstance(address, PortAddress) else ""
    return {"Authorization": f"Bearer {token}"} if token else {}


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__(OVER_SOCKET, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.settimeout(self.timeout)
            connected.connect(str(self._path))
        except BaseException:
            connected.close()
            raise
        self.sock = connected


def _connection(address: Address, timeout: float) -> HTTPConnection:
    if isinstance(address, UnixAddress):
        return _UnixConnection(address.path, timeout)
    if not address.tls:
        return HTTPConnection(address.host, address.port, timeout=timeout)
    import ssl

    try:
        context = ssl.create_default_context(cafile=None if address.ca is None else str(address.ca))
    except OSError as error:  # of ssl.SSLError, too
        reason = f"{address.ca}: {reason_of(error)}"
        raise BrokerError(Code.RESOURCE_CONFIGURATION_SSL_SOCKET, reason) from error
    return HTTPSConnection(address.host, address.port, timeout=timeout, context=context)


def _connect(connection: HTTPConnection, address: Address) -> None:
    """Connect, and say of a failure what can be done about it."""
    try:
        connection.connect()
    except (FileNotFoundError, TimeoutError):
        raise
    except PermissionError as error:
        reason = (
            f"you may not open {address}; its owner may, root, and members of the group that plugin/admin/socketGroup"
            " names"
        )
        raise BrokerError(Code.USER_NOT_AUTHORIZED, reason) from error
    except ConnectionRefusedError as error:
        reason = f"nothing listens on {address}"
        raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, reason) from error
    except OSError as error:
        raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, f"no connection to {address}: {_why(error)}") from error


def _why(error: Exception) -> str:
    return (reason_of(error) if isinstance(error, OSError) else str(error)) or type(error).__name__
