"""The names by which a site may be asked."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from broker.net.http.host import check_host
from broker.net.http.problem import Refused

NAMES = frozenset({"localhost", "127.0.0.1", "::1", "broker.example.org"})


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:7609", "127.0.0.1:1", "[::1]", "[::1]:7609", "broker.example.org"]
)
def test_own_names_are_taken_with_any_port(host: str) -> None:
    check_host([host], NAMES)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7609", "localhost.evil.example", "[::2]", "localhost."])
def test_other_names_are_misdirected(host: str) -> None:
    with pytest.raises(Refused) as raised:
        check_host([host], NAMES)
    assert raised.value.status is HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize("given", [[], ["localhost", "localhost"], [""], ["::1"], ["a:b:c"], ["localhost:x"], ["[::1"]])
def test_request_without_one_host_is_no_request(given: list[str]) -> None:
    with pytest.raises(Refused) as raised:
        check_host(given, NAMES)
    assert raised.value.status is HTTPStatus.BAD_REQUEST
