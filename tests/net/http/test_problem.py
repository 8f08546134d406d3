"""Errors as problems."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
import pytest

from broker.errors import BrokerError, Code
from broker.net.http.problem import headers_of, problem_of, status_of, wrong_parameter


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.USER_ILLEGAL_ARGUMENT, HTTPStatus.BAD_REQUEST),
        (Code.USER_ACCESS_DENIED, HTTPStatus.UNAUTHORIZED),
        (Code.USER_NOT_AUTHORIZED, HTTPStatus.FORBIDDEN),
        (Code.USER_OID_UNKNOWN, HTTPStatus.NOT_FOUND),
        (Code.RESOURCE_DB_UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE),
        (Code.INTERNAL_ILLEGAL_STATE, HTTPStatus.INTERNAL_SERVER_ERROR),
    ],
)
def test_status_follows_from_the_code(code: Code, status: HTTPStatus) -> None:
    assert status_of(BrokerError(code, "no")) is status


@pytest.mark.parametrize("code", Code)
def test_every_code_of_the_catalogue_has_a_status_of_an_error(code: Code) -> None:
    assert status_of(BrokerError(code, "no")) >= HTTPStatus.BAD_REQUEST


def test_problem_says_code_detail_and_request() -> None:
    problem = problem_of(wrong_parameter("limit", "5000 is too large"), "r-1")

    assert msgspec.to_builtins(problem) == {
        "type": "urn:broker:problem:user.illegalArgument",
        "title": "Not a valid request",
        "status": 400,
        "code": "user.illegalArgument",
        "detail": "limit: 5000 is too large",
        "errors": ({"pointer": "query:limit", "detail": "5000 is too large"},),
        "requestId": "r-1",
    }


def test_fault_tells_the_peer_the_id_of_its_request_only() -> None:
    problem = problem_of(BrokerError(Code.INTERNAL_ILLEGAL_STATE, "SELECT secret"), "r-1")

    assert (problem.code, problem.detail) == ("internal.unknown", "the log has more under r-1")


def test_what_is_not_available_may_be_asked_for_again() -> None:
    assert headers_of(BrokerError(Code.RESOURCE_EXHAUST, "full")) == [("Retry-After", "5")]
