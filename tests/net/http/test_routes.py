"""The table of routes."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from broker.net.http.problem import Refused
from broker.net.http.routes import Route, Router
from tests.net.http.conversation import always

SERVE = always(HTTPStatus.OK)


def router(*routes: tuple[str, str]) -> Router:
    return Router([Route(method, path, "all", SERVE) for method, path in routes])


def test_parameters_of_the_path_are_taken_from_its_segments() -> None:
    _, parameters = router(("GET", "/sessions/{subject}/{id}")).find("GET", ["sessions", "joe", "a/b"])

    assert parameters == {"subject": "joe", "id": "a/b"}


def test_name_beats_a_parameter_in_whatever_order_the_routes_are_given() -> None:
    for paths in (("/a/count", "/a/{x}"), ("/a/{x}", "/a/count")):
        route, _ = router(*(("GET", path) for path in paths)).find("GET", ["a", "count"])
        assert route.path == "/a/count"


def test_parameter_is_never_empty() -> None:
    with pytest.raises(Refused) as raised:
        router(("GET", "/topics/{oid}")).find("GET", ["topics", ""])
    assert raised.value.status is HTTPStatus.NOT_FOUND


def test_head_is_served_by_the_route_of_get() -> None:
    route, _ = router(("GET", "/a")).find("HEAD", ["a"])
    assert route.method == "GET"


def test_method_that_a_path_does_not_have_is_told_those_that_it_has() -> None:
    with pytest.raises(Refused) as raised:
        router(("GET", "/a"), ("DELETE", "/a")).find("PUT", ["a"])
    assert raised.value.status is HTTPStatus.METHOD_NOT_ALLOWED
    assert raised.value.headers == (("Allow", "DELETE, GET, HEAD"),)


def test_two_routes_for_the_same_requests_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="two routes for GET /a/"):
        router(("GET", "/a/{x}"), ("GET", "/a/{y}"))


def test_route_that_says_nobody_who_may_use_it_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="says nobody"):
        Route("GET", "/a", "", SERVE)
