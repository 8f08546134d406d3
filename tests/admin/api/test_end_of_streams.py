"""Every stream of the table of operations ends with the right of who follows; test_ending_streams has the ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from broker.admin.actions.accounts import GOES
from broker.admin.api.operations import Operation
from broker.model.records import BY_ADMINISTRATION, AccountRecord
from broker.net.http.events import EVENT_TYPE
from tests.admin.api.browser import desk_of
from tests.admin.api.test_every_route import VERIFIER, Everything
from tests.net.http.conversation import Connection, request

OPERATIONS = Everything(desk_of({"db.url": "memory:"})).operations
STREAMS = [each for each in OPERATIONS if each.media_type == EVENT_TYPE or each.streams]
QUERIES = {"followMessages": "?topic=news&seconds=900", "listEvents": "?follow=true"}
SECOND = 1
"""In which it ends."""
ROLE = "monitoring"


@dataclass
class Follower:
    """joe, whose account has the role, follows by a login and by a token.

    Attributes:
        route: the API.
        cookie: of the login.
        csrf: of the login.
        token: of joe.
    """

    route: Everything
    cookie: str
    csrf: str
    token: str

    def change(self, method: str, path: str, body: object = None) -> None:
        """Change something as an administrator."""
        headers = {"Authorization": f"Bearer {self.by_administrator}"}
        answer = self.route.desk.ask(self.route.operations, f"/api/v1/{path}", method, body, **headers)
        assert answer.status in (200, 204), answer.body

    @property
    def by_administrator(self) -> str:
        """A token of an administrator."""
        access = self.route.desk.fake.access
        assert access.tokens is not None
        return access.tokens.make("boss", "other", access.granted("boss").role, 0)[0]


def follower(expires: int = 0) -> Follower:
    route = Everything(desk_of({"db.url": "memory:"}))
    world, access = route.world, route.desk.fake.access
    account = AccountRecord("joe", VERIFIER, VERIFIER, 1, role=ROLE)
    world.run(world.store.put_account(account, BY_ADMINISTRATION))
    world.run(world.broker.account_changes.read_roles())
    world.run(world.broker.account_changes.apply())
    assert access.tokens is not None
    token, _ = access.tokens.make("joe", "cron", access.granted("joe").role, expires)
    cookie, login = access.sessions.open("joe")
    return Follower(route, f"broker-session={cookie}", login.csrf, token)


def follow(one: Follower, operation: Operation, **headers: str) -> Connection:
    channel = one.route.desk.site(one.route.operations).buildProtocol(None)
    assert channel is not None
    connection = Connection(channel, one.route.world.clock)
    connection.send(request(f"{operation.path}{QUERIES.get(operation.id, '')}", "GET", b"", **headers))
    one.route.world.turn()
    assert b"200 OK" in connection.transport.value(), connection.transport.value()
    assert not is_over(connection)
    return connection


def is_over(connection: Connection) -> bool:
    return bool(connection.transport.value().endswith(b"0\r\n\r\n"))


def log_out(one: Follower) -> None:
    headers = {"Cookie": one.cookie, "Origin": "http://localhost", "X_Broker_CSRF": one.csrf}
    assert one.route.desk.ask(one.route.operations, "/api/v1/logout", "POST", **headers).status == 204


def block(one: Follower) -> None:
    one.change("POST", "subjects/joe/block")


def take_the_role(one: Follower) -> None:
    one.change("PATCH", "accounts/joe", {"role": "none"})


def remove_the_account(one: Follower) -> None:
    one.change("DELETE", f"accounts/joe?{'&'.join(f'{name}={value}' for name, value in GOES.items())}")


def change_the_password(one: Follower) -> None:
    one.change("PATCH", "accounts/joe", {"password": "another one"})


def revoke_the_token(one: Follower) -> None:
    one.change("DELETE", f"tokens/{one.token.split('_')[1]}")


@pytest.mark.parametrize("operation", STREAMS, ids=lambda operation: operation.id)
@pytest.mark.parametrize("end", [log_out, block, take_the_role])
def test_stream_by_a_login_ends_with_it(operation: Operation, end: Callable[[Follower], None]) -> None:
    one = follower()
    connection = follow(one, operation, Cookie=one.cookie)
    end(one)
    one.route.world.advance(SECOND)
    one.route.world.turn()
    assert is_over(connection)


@pytest.mark.parametrize("operation", STREAMS, ids=lambda operation: operation.id)
@pytest.mark.parametrize("end", [revoke_the_token, change_the_password, remove_the_account])
def test_stream_by_a_token_ends_with_it(operation: Operation, end: Callable[[Follower], None]) -> None:
    one = follower()
    connection = follow(one, operation, Authorization=f"Bearer {one.token}")
    end(one)
    one.route.world.advance(SECOND)
    one.route.world.turn()
    assert is_over(connection)


@pytest.mark.parametrize("operation", STREAMS, ids=lambda operation: operation.id)
def test_stream_by_a_token_ends_when_it_expires(operation: Operation) -> None:
    now = follower().route.world.node.now()
    one = follower(expires=now + 5000)
    connection = follow(one, operation, Authorization=f"Bearer {one.token}")
    for _ in range(6):
        one.route.world.advance(1)
    one.route.world.turn()
    assert is_over(connection)
