"""Who may use which route."""

from __future__ import annotations

import pytest

from broker.admin.api.identity import identity_operations
from broker.admin.api.operations import Operation
from broker.admin.roles import Right, Role, SocketRole
from broker.net.http.exchange import Answer, Call
from tests.admin.api.desk import STRANGER, Desk


async def serve(call: Call) -> Answer:
    return Answer(b"{}")


def status(desk: Desk, right: Right, **headers: str) -> int:
    return desk.ask([Operation("do", "GET", "/do", right, serve, "", None)], "/do", **headers).status


@pytest.mark.parametrize("right", Right)
def test_user_of_the_broker_and_root_may_everything_over_the_socket(right: Right) -> None:
    assert status(Desk(), right) == 200
    assert status(Desk(uid=0), right) == 200


@pytest.mark.parametrize(("role", "most"), [(SocketRole.MONITORING, 1), (SocketRole.OPERATOR, 2)])
def test_group_of_the_socket_may_what_its_role_may(role: SocketRole, most: int) -> None:
    for right in Right:
        assert status(Desk(uid=STRANGER, role=role), right) == (200 if right.role <= most else 403)


@pytest.mark.parametrize("right", Right)
def test_nobody_is_logged_in_over_http(right: Right) -> None:
    assert status(Desk(uid=None), right) == (200 if right is Right.ALL else 401)


def test_who_is_not_logged_in_is_told_how_to() -> None:
    answer = Desk(uid=None).ask([Operation("do", "GET", "/do", Right.MONITORING, serve, "", None)], "/do")
    assert answer.headers["www-authenticate"] == 'Bearer realm="broker"'


@pytest.mark.parametrize("header", ["Origin", "Sec_Fetch_Site"])
def test_browser_that_forwards_into_the_socket_is_refused_whatever_it_asks_for(header: str) -> None:
    for right in Right:
        assert status(Desk(), right, **{header: "null"}) == 403


@pytest.mark.parametrize(
    ("uid", "told"),
    [
        (0, {"via": "socket", "role": "administrator", "user": "uid 0", "roleFrom": "socket"}),
        (STRANGER, {"via": "socket", "role": "monitoring", "user": f"uid {STRANGER}", "roleFrom": "socket"}),
        (None, {"via": "http"}),
    ],
)
def test_everybody_is_told_who_they_are(uid: int | None, told: dict[str, str]) -> None:
    desk = Desk(uid=uid)
    assert desk.ask(identity_operations(desk.gate), "/api/v1/me").json == told


def test_each_role_may_what_those_below_it_may() -> None:
    assert Role.NOBODY < Role.MONITORING < Role.OPERATOR < Role.ADMINISTRATOR
