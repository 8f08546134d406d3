"""Tokens of programs."""

from __future__ import annotations

import pytest

from broker.admin.actions.change import ChangeDesk
from broker.admin.actions.tokens import token_operations
from broker.admin.tokens import MAX_OF_OWNER
from broker.core.asker import Asker
from broker.model.records import AuditQuery
from tests.admin.api.browser import Browser, desk_of
from tests.admin.api.desk import Desk
from tests.admin.api.test_login import with_role
from tests.net.http.conversation import Received


class Program(Browser):
    """Makes tokens with a browser, and uses them without."""

    def __init__(self, desk: Desk | None = None) -> None:
        super().__init__(desk)
        changes = ChangeDesk(self.desk.instance, self.desk.gate)
        self.operations += token_operations(changes, self.desk.fake.access)

    def make(self, user: str = "boss", **body: object) -> str:
        """Log in and make a token."""
        self.log_in(user)
        answer = self.change("tokens", "POST", {"name": "cron", **body})
        assert answer.status == 201, answer.body
        return str(answer.json["token"])

    def use(self, token: str, path: str = "me", method: str = "GET", body: object = None) -> Received:
        """Ask with a token, and without a cookie."""
        self.cookie = ""
        return self.send(path, method, body, Authorization=f"Bearer {token}")

    def role(self, token: str) -> str:
        """The role that a token has."""
        return str(self.use(token).json.get("role", ""))


def test_token_has_the_role_of_its_owner_and_is_told_once() -> None:
    program = Program()
    token = program.make()
    assert token.startswith("brk_")
    assert program.use(token).json == {
        "via": "token",
        "role": "administrator",
        "user": "boss",
        "roleFrom": "admin.users",
    }
    assert token.encode() not in program.use(token, "tokens").body
    (document,) = program.desk.world.store.tables.documents.values()
    assert token.split("_", 2)[2].encode() not in document.data


def test_token_may_have_less_than_its_owner() -> None:
    program = Program()
    assert program.role(program.make(role="monitoring")) == "monitoring"


@pytest.mark.parametrize("role", ["operator", "administrator"])
def test_no_token_has_more_than_its_owner(role: str) -> None:
    program = Program()
    program.log_in("watch")
    answer = program.change("tokens", "POST", {"name": "cron", "role": role})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/role")


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.replace("brk", "brx"), lambda t: "x"]
)
def test_what_is_no_token_is_nobody_whatever_cookie_comes_with_it(spoil: object) -> None:
    program = Program()
    token = program.make()
    answer = program.send("tokens", Authorization=f"Bearer {spoil(token)}")  # type: ignore[operator]
    assert answer.status == 401


def test_basic_authentication_is_not_known() -> None:
    assert Program().send("tokens", Authorization="Basic Ym9zczpyaWdodA==").status == 401


def test_token_expires_after_ninety_days_unless_asked_for_otherwise() -> None:
    program = Program()
    usual, short, long = program.make(), program.make(days=1), program.make(days="never")
    program.desk.world.advance(86_400)
    assert [program.role(each) for each in (usual, short, long)] == ["administrator", "", "administrator"]
    program.desk.world.advance(89 * 86_400)
    assert [program.role(each) for each in (usual, short, long)] == ["", "", "administrator"]
    rows = program.use(long, "tokens").json["items"]
    assert [("expiresAt" in row, row["lastUsedAt"]) for row in rows] == [(False, "1970-04-12T13:00:00.000Z")]


def test_token_is_used_by_a_new_process() -> None:
    program = Program()
    token = program.make()
    again = Program(Desk(program.desk.world.crash(), {"admin.users": "boss"}, uid=None))
    again.desk.world.run(again.desk.fake.access.load())
    assert again.role(token) == "administrator"


def test_token_makes_no_other_token() -> None:
    program = Program()
    assert program.use(program.make(), "tokens", "POST", {"name": "more"}).status == 403


def test_over_the_socket_the_owner_is_named() -> None:
    desk = Desk(settings={"admin.users": "boss"})
    program = Program(desk)
    assert program.send("tokens", "POST", {"name": "cron"}).json["errors"][0]["pointer"] == "/owner"
    assert program.send("tokens", "POST", {"name": "cron", "owner": "nobody"}).status == 400
    answer = program.send("tokens", "POST", {"name": "cron", "owner": "boss", "role": "operator"})
    assert (answer.status, answer.json["role"]) == (201, "operator")


def test_own_tokens_are_seen_and_ended_and_those_of_others_by_administrators_only() -> None:
    program = Program()
    of_boss = program.make("boss")
    of_watch = program.make("watch")
    (row,) = program.use(of_watch, "tokens").json["items"]
    assert row["owner"] == "watch"
    id = of_boss.split("_")[1]
    assert program.use(of_watch, f"tokens/{id}", "DELETE").status == 404
    assert program.use(of_boss, f"tokens/{row['id']}", "DELETE").status == 200
    assert (program.role(of_watch), program.role(of_boss)) == ("", "administrator")


def test_audit_names_the_token_and_has_no_secret() -> None:
    program = Program()
    token = program.make(reason="backups")
    program.use(token, f"tokens/{token.split('_')[1]}", "DELETE")
    world = program.desk.world
    revoked, created = world.run(world.store.read_audit(AuditQuery(action="token.*")))
    assert (created.principal, created.via, created.reason) == ("boss", "session", "backups")
    assert revoked.via == f"token {token.split('_')[1]}"
    assert token.split("_", 2)[2] not in repr((revoked, created))


@pytest.mark.parametrize("how", ["password", "removed", "role", "blocked"])
def test_tokens_end_with_password_account_or_role_and_rest_while_the_owner_is_blocked(how: str) -> None:
    program = Program()
    with_role(program, "operator")
    lower, higher = program.make("joe", role="monitoring"), program.make("joe")
    world = program.desk.world
    joe = world.node.subject("joe")
    match how:
        case "password":
            world.broker.account_changes.renew("joe")
        case "removed":
            world.run(world.broker.account_changes.remove("joe"))
        case "role":
            world.run(world.store.set_role("joe", "monitoring"))
            world.advance(1)
        case "blocked":
            world.broker.control.block(Asker("boss"), joe, True)
    expected = ("monitoring", "") if how == "role" else ("", "")
    assert (program.role(lower), program.role(higher)) == expected
    if how == "role":
        world.run(world.store.set_role("joe", "operator"))
        world.advance(1)
        assert program.role(higher) == ""
    if how == "blocked":
        world.broker.control.block(Asker("boss"), joe, False)
        assert program.role(higher) == "operator"


def test_number_of_tokens_of_an_owner_is_bounded() -> None:
    program = Program()
    for _ in range(MAX_OF_OWNER):
        program.make()
    assert program.change("tokens", "POST", {"name": "one more"}).status == 503


def test_tokens_that_have_expired_are_kept_no_longer_than_until_the_next_one() -> None:
    program = Program()
    for _ in range(3):
        program.make(days=1)
    program.desk.world.advance(86_400)
    program.make()
    tokens = program.desk.fake.access.tokens
    assert tokens is not None
    assert len(tokens) == 1


def test_token_that_cannot_be_read_is_set_aside() -> None:
    desk = desk_of()
    world = desk.world
    world.broker.documents.put("boss", "admin.tokens", "1", b"{}")
    world.run(desk.fake.access.load())
    assert world.node.set_aside.count == 1
