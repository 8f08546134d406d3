"""Rows of the table of routes."""

from __future__ import annotations

import pytest

from broker.admin.api.operations import Operation, Parameter, routes_of
from broker.admin.api.query import flag, whole_number
from broker.admin.roles import Right
from broker.net.http.exchange import Answer, Call
from tests.admin.api.desk import Desk


async def serve(call: Call) -> Answer:
    return Answer(f"{flag(call, 'strict')} {whole_number(call, 'limit', 5, 1, 10)}".encode())


def operation(path: str = "/do", id: str = "do", *, any_level: bool = False) -> Operation:
    parameters = (Parameter("strict", {}), Parameter("limit", {}))
    return Operation(id, "GET", path, Right.ALL, serve, "", None, parameters, any_level=any_level)


def test_parameters_are_read_by_kind() -> None:
    assert Desk().ask([operation()], "/do?strict=true&limit=10").body == b"True 10"
    assert Desk().ask([operation()], "/do").body == b"False 5"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "query:limit"),
        ("limit=11", "query:limit"),
        ("limit=x", "query:limit"),
        ("limit=", "query:limit"),
        ("limit=1e1", "query:limit"),
        ("strict=1", "query:strict"),
        ("strct=true", "query:strct"),
    ],
)
def test_parameter_that_cannot_be_used_is_named(query: str, pointer: str) -> None:
    answer = Desk().ask([operation()], f"/do?{query}")
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer)


def test_misspelt_parameter_is_told_the_nearest() -> None:
    assert "is strict meant?" in Desk().ask([operation()], "/do?strct=true").json["detail"]


def test_below_running_only_what_needs_no_broker_is_served() -> None:
    desk = Desk()
    desk.fake.run_levels.level = 6
    operations = [operation(), operation("/always", "always", any_level=True)]

    answer = desk.ask(operations, "/do")

    assert (answer.status, "run level 6 (CLEANUP)" in answer.json["detail"]) == (503, True)
    assert desk.ask(operations, "/always").status == 200


def test_two_operations_with_one_id_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="two operations do"):
        routes_of([operation(), operation("/other")], Desk().instance)
