"""Logging in with a browser, and what a page of somebody else cannot do then."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import capturedLogs

from broker.admin.access import Access
from broker.admin.api.operations import Operation
from broker.admin.roles import Right
from broker.core.asker import Asker
from broker.errors import BrokerError, Code
from broker.model.connect import Credentials
from broker.model.records import AccountRecord
from broker.net.http.exchange import Answer, Call
from tests.admin.api.browser import HERE, Browser, desk_of
from tests.admin.api.desk import Desk
from tests.core.world import World, connect_qos
from tests.logs.audit_lines import audit_lines


class Changes:
    """An operation that changes something, and counts how often."""

    def __init__(self, right: Right = Right.ADMINISTRATOR) -> None:
        self.made = 0
        self.operation = Operation("change", "POST", "/api/v1/change", right, self._change, "", None, any_level=True)

    async def _change(self, call: Call) -> Answer:
        self.made += 1
        return Answer(b"{}")


def test_login_gives_a_cookie_that_scripts_and_other_sites_cannot_use() -> None:
    answer = Browser().log_in()
    assert answer.status == 200
    told = answer.json
    assert (told["user"], told["role"], told["idleSeconds"], told["absoluteSeconds"]) == (
        "boss",
        "administrator",
        1800,
        43200,
    )
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name.startswith("broker-session=")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict"]


def test_cookie_behind_tls_is_never_sent_without() -> None:
    answer = Browser(desk_of(behind_proxy=True)).log_in()
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name.startswith("__Host-broker=")
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"]


def test_who_is_logged_in_is_told_role_and_token_again() -> None:
    browser = Browser()
    browser.log_in("watch")
    assert browser.send("me").json == {
        "via": "session",
        "role": "monitoring",
        "user": "watch",
        "roleFrom": "admin.monitors",
        "csrfToken": browser.csrf,
    }


def test_wrong_password_and_unknown_user_are_answered_alike() -> None:
    browser = Browser()
    wrong, unknown = (browser.log_in(user, "wrong") for user in ("boss", "nobody"))
    assert (wrong.status, unknown.status) == (401, 401)
    assert wrong.json["detail"] == unknown.json["detail"]
    assert "set-cookie" not in wrong.headers


def test_who_has_no_role_is_told_what_gives_one() -> None:
    answer = Browser().log_in("joe")
    assert (answer.status, "broker user role joe" in answer.json["detail"]) == (403, True)


def test_blocked_login_name_is_not_let_in() -> None:
    browser = Browser()
    browser.desk.world.node.subject("boss").blocked_at = 1
    answer = browser.log_in()
    assert (answer.status, "blocked" in answer.json["detail"]) == (403, True)


def test_guessing_is_throttled() -> None:
    browser = Browser()
    counts = [browser.log_in(password="wrong").status for _ in range(10)]
    assert counts == [401] * 10
    with pytest.raises(ValueError, match="not enough values"):  # the answer has to wait
        browser.log_in()


def test_guess_that_was_one_too_many_is_answered_so_and_not_as_a_fault_of_the_server() -> None:
    async def throttled(credentials: Credentials, host: str) -> None:
        raise BrokerError(Code.RESOURCE_TEMPORARY_UNAVAILABLE, "Too many failed logins, try again later")

    browser = Browser()
    browser.desk.world.broker.authenticate = throttled
    answer = browser.log_in()
    assert (answer.status, answer.headers["retry-after"]) == (429, "6")


def test_guesses_over_http_count_for_native_clients_too() -> None:
    browser = Browser()
    for _ in range(10):
        browser.log_in(password="wrong")
    world = browser.desk.world
    errors: list[Any] = []
    world.start(world.login.connect(connect_qos("boss"), "127.0.0.1")).addBoth(errors.append)
    world.turn()
    assert errors == []  # the refusal has to wait, so that there are not more guesses than answers
    world.advance(6)
    assert [each.value.code for each in errors] == [Code.RESOURCE_TEMPORARY_UNAVAILABLE]


def test_no_password_reaches_the_log_and_logins_are_in_the_audit() -> None:
    browser = Browser()
    with capturedLogs() as logged:
        browser.log_in()
        browser.log_in(password="wr0ng-secret")
    assert "wr0ng-secret" not in repr(logged)
    admitted, refused = audit_lines(logged)
    assert admitted.startswith("login principal=boss via=http")
    assert "outcome=refused" in refused


def test_logout_ends_the_login_and_takes_the_cookie_back() -> None:
    browser = Browser()
    browser.log_in()
    former = browser.cookie
    answer = browser.change("logout")
    assert (answer.status, answer.body) == (204, b"")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    browser.cookie = former
    assert browser.send("me").json == {"via": "http"}


def test_new_login_ends_the_one_before_of_the_same_browser() -> None:
    browser = Browser()
    browser.log_in()
    former = browser.cookie
    browser.log_in("watch")
    browser.cookie = former
    assert browser.send("me").json == {"via": "http"}


@pytest.mark.parametrize("how", ["removed", "password"])
def test_change_of_the_account_ends_its_logins(how: str) -> None:
    browser, other = Browser(), Browser()
    other.desk, other.operations = browser.desk, browser.operations
    browser.log_in()
    other.log_in("watch")
    changes = browser.desk.world.broker.account_changes
    if how == "removed":
        browser.desk.world.run(changes.remove("boss"))
    else:
        changes.renew("boss")
    assert (browser.send("me").json["via"], other.send("me").json["via"]) == ("http", "session")


def test_change_of_a_file_of_accounts_ends_logins_of_names_that_have_nothing_here() -> None:
    browser = Browser()
    browser.log_in()
    browser.desk.world.broker.rights_changed(lambda user: user == "boss")
    assert browser.send("me").json["via"] == "http"


def test_login_ends_when_nobody_asks_but_the_page_itself() -> None:
    browser = Browser()
    browser.log_in()
    for _ in range(2):
        browser.desk.world.advance(1000)
        browser.send("me", X_Broker_Automatic="1")
    assert browser.send("me").json["via"] == "http"


def test_change_of_a_page_of_the_site_is_made() -> None:
    changes = Changes()
    browser = Browser(operations=[changes.operation])
    browser.log_in()
    assert (browser.change("change").status, changes.made) == (200, 1)
    answer = browser.send("change", "POST", Sec_Fetch_Site="same-origin", X_Broker_CSRF=browser.csrf)
    assert (answer.status, changes.made) == (200, 2)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": HERE},
        {"Origin": HERE, "X_Broker_CSRF": "wrong"},
        {"Origin": HERE, "X_Broker_CSRF": "né"},
        {"Origin": "https://localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {},
    ],
)
def test_change_that_no_page_of_the_site_makes_is_refused(headers: dict[str, str]) -> None:
    changes = Changes()
    browser = Browser(operations=[changes.operation])
    browser.log_in()
    given = (
        headers
        if "X_Broker_CSRF" in headers or headers == {"Origin": HERE}
        else {"X_Broker_CSRF": browser.csrf} | headers
    )
    assert (browser.send("change", "POST", **given).status, changes.made) == (403, 0)


def test_page_of_somebody_else_logs_nobody_in() -> None:
    assert Browser().log_in(Origin="http://evil.example").status == 403
    assert Browser().log_in(Sec_Fetch_Site="cross-site").status == 403


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_form_logs_nobody_in(media_type: str) -> None:
    browser = Browser()
    assert browser.log_in(Content_Type=media_type).status == 415


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", ""),
        (b"{", ""),
        (b"\xff", ""),
        ([], ""),
        ({"user": "boss"}, ""),
        ({"user": 1, "password": "x"}, "/user"),
        ({"user": "boss", "password": "x", "more": 1}, ""),
    ],
)
def test_body_that_is_none_is_refused_with_its_place(body: object, pointer: str) -> None:
    answer = Browser().send("login", "POST", body)
    assert answer.status == 400
    assert answer.json["errors"][0]["pointer"] == pointer


def test_monitoring_makes_no_change() -> None:
    changes = Changes()
    browser = Browser(operations=[changes.operation])
    browser.log_in("watch")
    assert (browser.change("change").status, changes.made) == (403, 0)


def test_logins_are_not_served_before_there_is_a_core() -> None:
    desk = desk_of()
    desk.fake.access = Access(desk.fake.properties, desk.world.clock.seconds)
    assert Browser(desk).log_in().status == 503


def with_role(browser: Browser, role: str) -> None:
    """Give joe an account with a role, as another program does it."""
    world = browser.desk.world
    verifier = "4096$c2Fs$c3Rv$c2Vy"
    world.run(world.store.put_account(AccountRecord("joe", verifier, verifier, 0)))
    world.run(world.store.set_role("joe", role))
    world.run(world.broker.account_changes.read_roles())


def test_role_of_the_account_lets_in() -> None:
    browser = Browser()
    with_role(browser, "operator")
    browser.log_in("joe")
    told = browser.send("me").json
    assert (told["role"], told["roleFrom"]) == ("operator", "account")


def test_property_beats_the_role_of_the_account() -> None:
    browser = Browser(desk_of({"admin.monitors": "joe"}))
    with_role(browser, "administrator")
    assert browser.log_in("joe").json["role"] == "monitoring"


@pytest.mark.parametrize("role", ["", "monitoring"])
def test_other_role_of_the_account_ends_its_logins(role: str) -> None:
    browser = Browser()
    with_role(browser, "operator")
    browser.log_in("joe")
    world = browser.desk.world
    world.run(world.store.set_role("joe", role))
    world.advance(1)
    assert browser.send("me").json == {"via": "http"}
    assert browser.log_in("joe").status == (200 if role else 403)


def test_block_ends_logins() -> None:
    browser = Browser()
    browser.log_in()
    world = browser.desk.world
    world.broker.control.block(Asker("adm"), world.node.subject("boss"), True)
    assert browser.send("me").json == {"via": "http"}


def test_administrator_by_role_may_administer_by_messages_too() -> None:
    world = World()
    browser = Browser(Desk(world))
    joe = world.client("joe").session
    with_role(browser, "administrator")
    assert world.broker.rights.is_administrator(joe)
    world.run(world.store.set_role("joe", "operator"))
    world.advance(1)
    assert not world.broker.rights.is_administrator(joe)
