"""Streams end with the login, the token or the role of who follows (operations, proof 17)."""

from __future__ import annotations

import pytest

from broker.admin.followers import Followers, Kind
from broker.core.asker import Asker
from broker.net.http.events import EventStream
from broker.net.http.exchange import Call, Peer
from tests.admin.api.browser import Browser
from tests.admin.api.test_login import with_role
from tests.admin.api.test_tokens import Program
from tests.admin.test_streams import Output

DAY = 86_400


def follow(browser: Browser, headers: dict[str, str]) -> Output:
    """Follow something with the login that headers show."""
    call = Call("r-1", "GET", {}, {}, headers, b"", Peer("127.0.0.1"))
    output = Output()
    ended: list[EventStream] = []
    followers = Followers(browser.desk.world.clock)
    followers.open(browser.desk.gate.principal(call), Kind.EVENTS, ended.append).begin(output)
    return output


def change(browser: Browser, how: str) -> None:
    """Something happens to the account joe."""
    world = browser.desk.world
    match how:
        case "logout":
            browser.change("logout")
        case "password":
            world.broker.account_changes.renew("joe")
        case "removed":
            world.run(world.broker.account_changes.remove("joe"))
        case "less" | "more" | "none":
            role = {"less": "monitoring", "more": "administrator", "none": ""}[how]
            world.run(world.store.set_role("joe", role))
        case "blocked":
            world.broker.control.block(Asker("boss"), world.node.subject("joe"), True)


@pytest.mark.parametrize("how", ["logout", "password", "removed", "less", "more", "none", "blocked"])
def test_stream_of_a_browser_ends_within_a_second(how: str) -> None:
    browser = Browser()
    with_role(browser, "operator")
    browser.log_in("joe")
    output = follow(browser, {"cookie": browser.cookie})
    browser.desk.world.advance(5)
    assert not output.finished

    change(browser, how)
    for _ in range(2):  # an account is looked at every second
        browser.desk.world.advance(1)

    assert output.finished


@pytest.mark.parametrize("how", ["password", "removed", "less", "none", "blocked"])
def test_stream_of_a_program_ends_within_a_second(how: str) -> None:
    program = Program()
    with_role(program, "operator")
    output = follow(program, {"authorization": f"Bearer {program.make('joe')}"})

    change(program, how)
    for _ in range(2):
        program.desk.world.advance(1)

    assert output.finished


def test_stream_ends_when_its_token_expires() -> None:
    program = Program()
    output = follow(program, {"authorization": f"Bearer {program.make(days=1)}"})
    program.desk.world.advance(DAY - 2)
    assert not output.finished
    program.desk.world.advance(3)
    assert output.finished


def test_stream_keeps_no_login_alive() -> None:
    browser = Browser()
    browser.log_in()
    output = follow(browser, {"cookie": browser.cookie})
    for _ in range(4):
        browser.desk.world.advance(500)
    assert output.finished
