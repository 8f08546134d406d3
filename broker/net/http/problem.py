"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from broker.errors import BrokerError, Code

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER = 5
"""Seconds after which what is not available now may be asked for again."""

_STATUS = {
    Code.USER_ACCESS_DENIED: HTTPStatus.UNAUTHORIZED,
    Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT: HTTPStatus.UNAUTHORIZED,
    Code.USER_NOT_AUTHORIZED: HTTPStatus.FORBIDDEN,
    Code.USER_OID_UNKNOWN: HTTPStatus.NOT_FOUND,
    Code.USER_CONFIGURATION: HTTPStatus.CONFLICT,
    Code.USER_MAX_SIZE_EXCEED: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
_CLASSES = {
    "user": HTTPStatus.BAD_REQUEST,
    "resource": HTTPStatus.SERVICE_UNAVAILABLE,
    "communication": HTTPStatus.SERVICE_UNAVAILABLE,
}
_TITLES = {
    HTTPStatus.BAD_REQUEST: "Not a valid request",
    HTTPStatus.UNAUTHORIZED: "Not logged in",
    HTTPStatus.FORBIDDEN: "Not permitted",
    HTTPStatus.NOT_FOUND: "No such thing",
    HTTPStatus.METHOD_NOT_ALLOWED: "Not a method of this path",
    HTTPStatus.CONFLICT: "Not in this state",
    HTTPStatus.PRECONDITION_FAILED: "Changed meanwhile",
    HTTPStatus.PRECONDITION_REQUIRED: "A precondition is missing",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Not JSON",
    HTTPStatus.MISDIRECTED_REQUEST: "Not a name of this server",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of the server",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available now",
}


class Detail(msgspec.Struct, frozen=True):
    """What is wrong with one part of a request.

    Args:
        pointer: to the part, e.g. ``query:limit`` or ``/to/owner`` of the body.
        detail: one sentence.
    """

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The body of an answer that says why a request was refused.

    Args:
        type: ``urn:broker:problem:`` and the code.
        title: the same for all of this status.
        status: of the answer.
        code: of the catalogue.
        detail: one sentence about this request.
        errors: what is wrong with its parts.
        request_id: as the log has it.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: tuple[Detail, ...] = ()
    request_id: str = ""


class Refused(BrokerError):
    """A request that is refused with a status of its own.

    Args:
        status: of the answer.
        code: of the catalogue.
        message: see :class:`BrokerError`.
        errors: what is wrong with parts of the request.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: Code,
        message: str,
        errors: Sequence[Detail] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(code, message)
        self.status = status
        self.errors = tuple(errors)
        self.headers = tuple(headers)


def wrong_parameter(name: str, reason: str) -> Refused:
    """The error for a parameter of the query that cannot be used.

    Args:
        name: of the parameter.
        reason: one sentence.
    """
    pointer = f"query:{name}"
    return Refused(HTTPStatus.BAD_REQUEST, Code.USER_ILLEGAL_ARGUMENT, f"{name}: {reason}", [Detail(pointer, reason)])


def status_of(error: BrokerError) -> HTTPStatus:
    """The status of the answer to a request that fails so."""
    if isinstance(error, Refused):
        return error.status
    for code, status in _STATUS.items():
        if error.code == code:
            return status
    return _CLASSES.get(str(error.code).partition(".")[0], HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_of(error: BrokerError, request_id: str) -> Problem:
    """What the peer is told of an error.

    Of a fault of the server it is told the id of its request only; the log has the rest.
    """
    status = status_of(error)
    internal = status is HTTPStatus.INTERNAL_SERVER_ERROR
    code = Code.INTERNAL_UNKNOWN if internal else error.code
    return Problem(
        type=f"urn:broker:problem:{code}",
        title=_TITLES.get(status, status.phrase),
        status=status,
        code=str(code),
        detail=f"the log has more under {request_id}" if internal else error.message,
        errors=error.errors if isinstance(error, Refused) else (),
        request_id=request_id,
    )


def headers_of(error: BrokerError) -> list[tuple[str, str]]:
    """Headers that the answer to such a request has beside those of all answers."""
    headers = list(error.headers) if isinstance(error, Refused) else []
    if status_of(error) is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", str(RETRY_AFTER)))
    return headers
