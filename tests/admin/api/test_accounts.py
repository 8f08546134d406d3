"""Accounts over HTTP."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from twisted.logger import capturedLogs

from broker.auth.scram import Mechanism, Verifier
from broker.model.records import AccountRecord
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.api.office import ChangeOffice
from tests.logs.audit_lines import audit_lines

PASSWORD = "correct-horse"
VERIFIER = "4096$c2FsdHNhbHQ=$c3RvcmVk$c2VydmVy"


def office_with(*names: str, **settings: str) -> ChangeOffice:
    """Accounts of these names."""
    office = ChangeOffice(Desk(settings=settings or None))
    for name in names:
        office.world.run(office.world.store.put_account(AccountRecord(name, VERIFIER, VERIFIER, 1_000_000)))
    office.world.run(office.world.broker.account_changes.read_roles())
    office.world.run(office.world.broker.account_changes.apply())
    return office


def stored(office: ChangeOffice, name: str) -> AccountRecord | None:
    found: AccountRecord | None = office.world.run(office.world.store.get_account(name))
    return found


def checks(office: ChangeOffice, name: str, password: str) -> bool:
    record = stored(office, name)
    assert record is not None
    return all(
        Verifier.parse(mechanism, text).check(password)
        for mechanism, text in ((Mechanism.SHA_1, record.scram_sha_1), (Mechanism.SHA_256, record.scram_sha_256))
    )


def test_account_is_made_with_a_role() -> None:
    office = office_with()
    answer = office.post("accounts", {"name": "joe", "password": PASSWORD, "role": "operator"})
    assert answer.status == 201
    assert answer.json == {
        "name": "joe",
        "role": "operator",
        "roleFrom": "account",
        "sessions": 0,
        "scram": ["SHA-1", "SHA-256"],
        "createdAt": "1970-01-12T13:46:40.000Z",
        "passwordChangedAt": "1970-01-12T13:46:40.000Z",
    }
    assert checks(office, "joe", PASSWORD)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "joe", "password": PASSWORD}, 409),
        ({"name": "x", "password": PASSWORD}, 400),
        ({"name": "mary", "password": ""}, 400),
        ({"name": "mary", "password": PASSWORD, "role": "god"}, 400),
        ({"name": "mary"}, 400),
    ],
)
def test_account_that_cannot_be_is_not_made(body: object, status: int) -> None:
    office = office_with("joe")
    assert office.post("accounts", body).status == status
    assert [each.name for each in office.world.run(office.world.store.list_accounts())] == ["joe"]
    assert checks(office, "joe", PASSWORD) is False


def test_password_and_role_are_changed_and_the_rest_stays() -> None:
    office = office_with("joe")
    joe = office.world.client("joe/1")
    secret = joe.session.secret_id
    assert office.ask("accounts/joe", "PATCH", {"password": PASSWORD, "role": "monitoring"}).status == 200
    record = stored(office, "joe")
    assert record is not None
    assert (record.role, record.created, record.changed > 0) == ("monitoring", 1_000_000, True)
    assert checks(office, "joe", PASSWORD)
    assert joe.session.secret_id != secret
    office.ask("accounts/joe", "PATCH", {"role": "none"})
    assert checks(office, "joe", PASSWORD)
    assert office.ask("accounts/joe").json["role"] == "none"


def test_account_is_blocked_and_let_in_again() -> None:
    office = office_with("joe")
    assert "blockedAt" in office.ask("accounts/joe", "PATCH", {"blocked": True}).json
    assert office.world.node.subjects["joe"].blocked
    assert "blockedAt" not in office.ask("accounts/joe", "PATCH", {"blocked": False}).json
    assert "joe" not in office.world.node.subjects


def test_account_is_removed_with_all_that_is_its_own() -> None:
    office = office_with("joe")
    joe = office.world.client("joe/1")
    for query in ("", "?sessions=end", "?documents=delete", "?sessions=keep&documents=delete"):
        assert office.ask(f"accounts/joe{query}", "DELETE").status == 400
    assert not joe.session.ended
    assert office.ask("accounts/joe?sessions=end&documents=delete&reason=left", "DELETE").status == 200
    assert (joe.session.ended, stored(office, "joe")) == (True, None)
    assert office.rows()[0].reason == "left"


@pytest.mark.parametrize(
    ("method", "path", "body", "action"),
    [
        ("POST", "accounts", {"name": "mary", "password": PASSWORD}, "account.add"),
        ("PATCH", "accounts/joe", {"password": PASSWORD, "role": "operator"}, "account.change"),
        ("DELETE", "accounts/joe?sessions=end&documents=delete", None, "account.remove"),
    ],
)
def test_change_leaves_one_row_without_the_password(method: str, path: str, body: object, action: str) -> None:
    office = office_with("joe")
    before = len(office.rows())
    with capturedLogs() as logged:
        assert office.ask(path, method, body).status in (200, 201)
        office.world.advance(2)
    (row,) = office.rows()[: len(office.rows()) - before]
    assert (row.action, row.outcome) == (action, "done")
    assert PASSWORD not in repr(row)
    assert PASSWORD not in repr(logged)
    assert len(audit_lines(logged)) == 1


def test_accounts_are_listed_and_filtered_without_verifiers() -> None:
    office = office_with("ann", "joe", "zoe", **{"admin.users": "zoe"})
    office.ask("accounts/joe", "PATCH", {"role": "operator"})
    answer = office.ask("accounts?sort=-name&limit=2")
    assert [(row["name"], row["role"]) for row in answer.json["items"]] == [
        ("zoe", "administrator"),
        ("joe", "operator"),
    ]
    assert answer.json["items"][0]["roleFrom"] == "admin.users"
    assert b"4096" not in answer.body
    assert [row["name"] for row in office.ask("accounts?role=none").json["items"]] == ["ann"]


def test_monitoring_sees_accounts_and_changes_none() -> None:
    desk = Desk(uid=STRANGER)
    office = ChangeOffice(desk)
    assert office.ask("accounts").status == 200
    assert office.post("accounts", {"name": "joe", "password": PASSWORD}).status == 403


def test_accounts_of_a_file_are_changed_there() -> None:
    office = office_with()
    office.desk.fake.htpasswd = SimpleNamespace(path=Path("/etc/broker/htpasswd"))
    answer = office.post("accounts", {"name": "joe", "password": PASSWORD})
    assert (answer.status, "/etc/broker/htpasswd" in answer.json["detail"]) == (409, True)


def test_what_is_not_there_is_not_found() -> None:
    office = office_with()
    assert office.ask("accounts/joe").status == 404
    assert office.ask("accounts/joe", "PATCH", {"role": "none"}).status == 404


def test_password_that_is_too_short_is_refused_as_the_property_says_at_that_time() -> None:
    office = ChangeOffice()
    assert office.post("accounts", {"name": "mary", "password": "12345"}).status == 400
    office.desk.fake.property_book.set("account.minPasswordLength", "10", "test")
    for method, path, body in (
        ("POST", "accounts", {"name": "mary", "password": "123456789"}),
        ("PATCH", "accounts/mary", {"password": "123456789"}),
    ):
        answer = office.ask(path, method, body)
        assert (answer.status, answer.json["detail"]) == (400, "A password has at least 10 characters")
        office.post("accounts", {"name": "mary", "password": "1234567890"})
    assert office.ask("accounts/mary", "PATCH", {"password": "0987654321"}).status == 200
