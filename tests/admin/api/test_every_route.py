"""What holds for every route there is, as the table of operations has them: who may, and what each change leaves."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, cast

import msgspec
from twisted.internet.defer import succeed

from broker.admin.api.operations import Operation
from broker.admin.api.table import all_operations
from broker.admin.roles import Right
from broker.errors import BrokerError, Code
from broker.model.property import ClientProperty
from broker.model.records import BY_ADMINISTRATION, AccountRecord, AuditQuery, AuditRecord
from broker.plugins.admin import AdminPlugin
from tests.admin.api.browser import HERE, ROLES, Browser, desk_of
from tests.admin.api.desk import STRANGER, Desk
from tests.net.http.conversation import Received

SETTINGS = {**ROLES, "db.url": "memory:"}
CONTENT, VERIFIER, REMOTE = "c0ntent-marker", "4096$bWFya2Vy$bWFya2Vy$bWFya2Vy", "rem0te-marker"
STREAM = "text/event-stream"
OWN = frozenset({"logIn", "logOut"})
"""They change nothing of the broker, but who is logged in."""
QUESTIONS = frozenset({"explainSubscription", "explainRoute"})
"""They are asked by ``POST`` because they have a body, and change nothing."""
TRIED_BY_MONITORING = frozenset({"createToken", "revokeToken"})
"""Whoever has a role changes their own tokens."""
EXAMPLES = {
    "subject": "joe",
    "publicId": "1",
    "name": "joe",
    "oid": "news",
    "relating": "callback",
    "owner": "joe~1",
    "id": "1",
}


class Everything:
    """All operations of a broker with something of each kind in it, asked in one way.

    Args:
        desk: who asks.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.world = world = desk.world
        plugin = AdminPlugin(desk.fake, "ADMIN", {})
        self.operations: list[Operation] = all_operations(plugin._parts, desk.gate)
        checked, world.broker.authenticate = world.broker.authenticate, lambda credentials, host: succeed(None)
        self.joe = world.client("joe/1", answers=False)
        self.joe.session.remote_properties["x"] = ClientProperty("x", REMOTE)
        ann = world.client("ann/1")
        world.broker.authenticate = checked
        self.joe.subscribe("news")
        for _ in range(3):
            ann.publish("news", CONTENT.encode())
        world.run(world.store.put_account(AccountRecord("joe", VERIFIER, VERIFIER, 1), BY_ADMINISTRATION))
        world.run(world.broker.account_changes.read_roles())
        world.run(world.broker.account_changes.apply())
        world.turn()

    def changes(self) -> Iterator[Operation]:
        """Operations that change something of the broker."""
        return (each for each in self.operations if each.method != "GET" and each.id not in OWN | QUESTIONS)

    def ask(self, operation: Operation, body: object = None, **headers: str) -> Received:
        """Ask for an operation."""
        return self.desk.ask(self.operations, path_of(operation), operation.method, body, **headers)

    def rows(self) -> list[AuditRecord]:
        """The audit."""
        return self.world.run(self.world.store.read_audit(AuditQuery()))


def everything(**settings: Any) -> Everything:
    return Everything(Desk(settings=SETTINGS, **settings))


def path_of(operation: Operation) -> str:
    path = operation.path
    for name, example in EXAMPLES.items():
        path = path.replace(f"{{{name}}}", example)
    query = [
        f"{each.name}={each.schema['enum'][0]}"
        for each in operation.parameters
        if operation.method == "DELETE" and "enum" in each.schema
    ]
    return f"{path}?{'&'.join(query)}" if query else path


def example(type: Any) -> Any:
    """The least value of a type."""
    origin, arguments = typing.get_origin(type), typing.get_args(type)
    if origin is typing.Annotated:
        return example(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return None if types.NoneType in arguments else example(arguments[0])
    if origin is dict:
        return {}
    if origin is Literal:
        return arguments[0]
    if isinstance(type, enum.EnumMeta):
        return next(iter(type))
    if isinstance(type, msgspec.StructMeta):
        fields = msgspec.structs.fields(cast(msgspec.Struct, type))
        return {each.encode_name: example(each.type) for each in fields if each.required}
    return {bool: False, int: 1, str: "mary", float: 1.0}.get(type, [])


def body_of(operation: Operation) -> Any:
    return None if operation.body is None else {**example(operation.body), "reason": "it floods"}


def test_who_is_not_logged_in_is_refused_all_but_what_is_for_everybody() -> None:
    nobody = everything(uid=None)
    operations = [each for each in nobody.operations if each.id != "logIn"]
    let_in = [each.id for each in operations if nobody.ask(each, body_of(each)).status != 401]
    assert let_in == [each.id for each in operations if each.right is Right.ALL]


def test_who_has_no_role_is_refused_all_but_what_is_for_everybody() -> None:
    desk = desk_of({"db.url": "memory:"})
    route = Everything(desk)
    cookie, login = desk.fake.access.sessions.open("joe")
    headers = {"Cookie": f"broker-session={cookie}", "Origin": HERE, "X_Broker_CSRF": login.csrf}
    operations = [each for each in route.operations if each.id not in OWN]
    refused = [each.id for each in operations if route.ask(each, body_of(each), **headers).status == 403]
    assert refused == [each.id for each in operations if each.right is not Right.ALL]


def test_monitoring_makes_no_change() -> None:
    monitoring = everything(uid=STRANGER)
    changes = [each for each in monitoring.changes() if each.id not in TRIED_BY_MONITORING]
    assert [each.id for each in changes if monitoring.ask(each, body_of(each)).status != 403] == []
    assert monitoring.rows() == []


def test_monitoring_is_told_no_content_secret_or_verifier() -> None:
    monitoring = everything(uid=STRANGER)
    markers = [CONTENT, REMOTE, VERIFIER, VERIFIER.split("$")[1], monitoring.joe.session.secret_id]
    _, token = _token(monitoring)
    for operation in monitoring.operations:
        if operation.method == "GET" and operation.media_type != STREAM:
            body = monitoring.ask(operation).body.decode()
            assert [each for each in [*markers, token] if each in body] == [], operation.id


def _token(route: Everything) -> tuple[str, str]:
    tokens = route.desk.fake.access.tokens
    assert tokens is not None
    text, made = tokens.make("boss", "cron", route.desk.fake.access.granted("boss").role, 0)
    return text, made.hash


def test_page_of_another_site_makes_no_change_and_no_form_does() -> None:
    browser = Browser(desk_of({"db.url": "memory:"}))
    route = Everything(browser.desk)
    browser.log_in()
    made = []
    for operation in route.changes():
        for headers in (
            {"X_Broker_CSRF": browser.csrf, "Origin": "http://evil.example"},
            {"Origin": HERE},
            {"Sec_Fetch_Site": "cross-site", "X_Broker_CSRF": browser.csrf},
        ):
            answer = route.ask(operation, body_of(operation), Cookie=browser.cookie, **headers)
            made += [] if answer.status == 403 else [operation.id]
        if operation.body is not None:
            good = {"Origin": HERE, "X_Broker_CSRF": browser.csrf, "Content_Type": "text/plain"}
            answer = route.ask(operation, body_of(operation), Cookie=browser.cookie, **good)
            made += [] if answer.status == 415 else [operation.id]
    assert made == []
    assert [row.action for row in route.rows()] == ["login"]


def test_other_host_is_misdirected_and_no_other_site_is_let_in() -> None:
    route = everything()
    for operation in route.operations:
        assert route.ask(operation, body_of(operation), Host="evil.example").status == 421, operation.id
        if operation.media_type == STREAM:  # it does not end
            continue
        answer = route.ask(operation, body_of(operation))
        assert not [name for name in answer.headers if name.startswith("access-control-")], operation.id
        route.world.turn()


def test_each_change_leaves_exactly_one_row_in_the_audit() -> None:
    for operation in everything().changes():
        route = everything()
        answer = route.ask(operation, body_of(operation))
        route.world.advance(2)
        rows = route.rows()
        assert [row.principal[:4] for row in rows] == ["uid "], (operation.id, answer.status, answer.body, rows)
        (row,) = rows
        assert row.outcome == ("done" if answer.status < 400 else "failed"), operation.id
        assert row.reason == ("it floods" if operation.body is not None else ""), operation.id
        assert row.action
        assert row.request == answer.headers["x-request-id"]


def test_no_change_is_made_while_the_store_fails() -> None:
    for operation in everything().changes():
        route = everything()
        route.world.store.fail(BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full"))
        answer = route.ask(operation, body_of(operation))
        assert (answer.status == 503) is not operation.any_level, operation.id
        assert not route.joe.session.ended
