"""What goes wrong: names that mean harm, addresses of nothing, what ends while it is looked at, more than one tab."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from broker.client import ConnectOptions
from tests.page.browser import Window
from tests.page.population import NOBODY, PASSWORD
from tests.page.test_pages import settle
from tests.system.launcher import BrokerProcess
from tests.system.native_client import connected

pytestmark = [pytest.mark.browser, pytest.mark.system]

NAMES = ("<img src=x onerror=alert(1)>", "\u202egnp.exe\u2066", "L" * 4000, "%2e%2e?#&=+ %/~")
PLACES = (
    "topics/{}",
    "sessions/{}/1",
    "queues/subject/{}",
    "accounts/{}",
    "dead/{}",
    "run-level/{}",
    "tail?topic={}",
    "explain?session={}%2F1&topic={}",
    "events?type={}",
    "sessions?q={}",
    "nothing/{}",
)
ODD = (
    "%",
    "sessions/%/1",
    "queues/x/y/z",
    "overview?seconds=abc",
    "sessions?sort=nosuch&limit=9",
    "explain?by=zz&topic=a",
)
UNREADABLE = r"""() => document.body.innerText.split("\n").filter(
    (line) => /\bundefined\b|\[object |NaN|Invalid Date|[\u202a-\u202e\u2066-\u2069]/.test(line))"""


def shows_well(window: Window) -> None:
    """All of it can be read, and is not wider than the window."""
    page = window.page
    page.locator("main h1").first.wait_for()
    page.wait_for_timeout(100)
    assert page.evaluate(UNREADABLE) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_hostile_name_in_any_address_is_shown_as_text(window: Window, name: str) -> None:
    for place in PLACES:
        window.open(place.replace("{}", quote(name, safe="")))
        shows_well(window)


def test_address_of_nothing_is_answered_with_words(window: Window) -> None:
    for place in ODD:
        window.open(place)
        shows_well(window)


def test_every_page_is_the_same_after_a_reload_and_by_back_and_forward(window: Window) -> None:
    places = {"sessions?state=waiting": "Sessions", "queues/callback/visitor~1": "visitor~1", "explain": "Explain"}
    for place, heading in places.items():
        page = window.open(place).heading(heading).page
        page.reload()
        window.heading(heading)
        assert page.url.endswith(place)
    page.go_back()
    window.heading("visitor~1").page.go_back()
    window.heading("Sessions").rows("visitor/1").wait_for()
    page.go_forward()
    window.heading("visitor~1")


def test_session_that_ends_while_looked_at_is_said_to_have_and_nothing_can_be_done_to_it(
    window: Window, broker: BrokerProcess
) -> None:
    client = connected(broker, ConnectOptions(NOBODY, PASSWORD, session=33))
    page = settle(window, "sessions/visitor/33", "visitor/33")
    page.get_by_role("button", name="Disconnect").click()
    dialog = page.get_by_role("dialog", name="Disconnect visitor/33")

    client.disconnect()
    page.get_by_text("it has ended, or never was").wait_for()
    dialog.get_by_role("button", name="Disconnect").click()
    dialog.get_by_role("alert").filter(has_text="no session visitor/33").wait_for()
    page.keyboard.press("Escape")

    assert page.locator("main .actions button:visible").count() == 0


def test_dialog_goes_with_the_page_that_it_was_about(window: Window) -> None:
    page = settle(window, "topics", "Topics")
    window.open("topics/news").heading("news").page.get_by_role("button", name="Erase").click()
    page.get_by_role("dialog").wait_for()

    page.go_back()

    window.heading("Topics")
    assert page.locator("dialog[open]").count() == 0


def test_login_in_one_tab_is_one_in_the_other_too(stranger: Window) -> None:
    other = Window(stranger.page.context, stranger.origin)
    stranger.open("sessions").log_in()
    stranger.heading("Sessions")
    other.open("topics").heading("Topics")
    stranger.page.get_by_role("button", name="Log out").click()
    for tab in (stranger, other):
        tab.page.locator("dialog.login[open]").wait_for()

    other.log_in()
    other.page.locator("dialog.login[open]").wait_for(state="hidden")
    stranger.page.evaluate("() => dispatchEvent(new Event('focus'))")

    stranger.page.locator("dialog.login[open]").wait_for(state="hidden")
    stranger.heading("Sessions")
    assert other.errors == []
