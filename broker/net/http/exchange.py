"""One request and its answer, as those see them who serve it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from twisted.internet.interfaces import IProtocol

from broker.errors import BrokerError, Code
from broker.net.http.events import EventStream
from broker.net.http.problem import PROBLEM_TYPE, headers_of, problem_of, status_of

JSON_TYPE = "application/json"


class Credentials(NamedTuple):
    """The process at the other end of a Unix socket, as the kernel knows it (``SO_PEERCRED``)."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Peer:
    """Who sent a request.

    Args:
        host: its address; empty over a Unix socket.
        secure: it came over TLS.
        credentials: of the process, over a Unix socket.
    """

    host: str = ""
    secure: bool = False
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is complete.

    Args:
        id: of the request, which the answer and the log repeat.
        method: as the route has it; a ``HEAD`` is a ``GET`` here.
        parameters: of the path, by the names that the route gives them.
        query: parameters of the query.
        headers: values by name in lower case; of one that was sent more than once the last.
        body: as it was sent.
        peer: who asks.
    """

    id: str
    method: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: Peer


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with.

    Args:
        body: of the answer.
        media_type: of the body.
        status: of the answer.
        headers: beside those that every answer has.
        stream: that goes on after the body, until one side ends it.
        successor: speaks another protocol on the connection from here on; the answer then has the status 101, no body,
            and of the headers those of this answer alone.
    """

    body: bytes
    media_type: str = JSON_TYPE
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    stream: EventStream | None = None
    successor: IProtocol | None = None


Handler = Callable[[Call], Awaitable[Answer]]
"""Serves a request; what it raises is a :class:`BrokerError`. It is cancelled when the peer has gone."""


def json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    """An answer in JSON.

    Args:
        value: what ``msgspec`` can write.
        status: of the answer.
    """
    return Answer(msgspec.json.encode(value), status=status)


def refusal(error: BrokerError, request_id: str) -> Answer:
    """The answer to a request that failed."""
    body = msgspec.json.encode(problem_of(error, request_id))
    return Answer(body, PROBLEM_TYPE, status_of(error), tuple(headers_of(error)))


def refusal_without_body(error: BrokerError, request_id: str) -> Answer:
    """The answer to a request that is refused: its status, and nothing for strangers to read."""
    return Answer(b"", "text/plain; charset=utf-8", status_of(error), tuple(headers_of(error)))


def fault() -> BrokerError:
    """The error for what must not happen: a bug."""
    return BrokerError(Code.INTERNAL_UNKNOWN, "a fault of the server")
