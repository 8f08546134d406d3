"""What is done at three in the morning, by keys alone: each within its number of steps.

A step is a click, a command by keys, or one field that is filled in, the way to it included.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable

import pytest

from broker.client import ConnectOptions, PublishOptions
from tests.page.browser import Window
from tests.page.population import ADMINISTRATOR, NOBODY, PASSWORD
from tests.page.test_pages import JSON, settle
from tests.system.http_client import ask_socket
from tests.system.launcher import BrokerProcess
from tests.system.native_client import connected

pytestmark = [pytest.mark.browser, pytest.mark.system]


def find_why_a_queue_does_not_drain(window: Window, broker: BrokerProcess) -> None:
    window.look_up("visitor", "visitor/1")
    window.page.get_by_role("region", name="Why is it waiting?").wait_for()


def see_the_oldest_message(window: Window, broker: BrokerProcess) -> None:
    window.look_up("visitor", "visitor/1")
    window.heading("visitor/1").page.locator(".entries tbody button").first.wait_for()
    window.press("m")
    window.page.get_by_role("complementary", name="Message").get_by_text("news").first.wait_for()


def send_the_dead_messages_of_a_receiver_again(window: Window, broker: BrokerProcess) -> None:
    window.press("g", "d")
    window.heading("Dead messages").rows("again/1").first.wait_for()
    window.choose("Receiver", "*again*")
    window.page.wait_for_function("() => location.hash.includes('again')")
    window.page.keyboard.press("Enter")
    window.rows("again/1").first.wait_for()
    window.act("Send these again …")
    window.page.get_by_role("dialog").get_by_text("1\u00a0message").wait_for()
    window.press("Enter")
    window.page.get_by_text("1\u00a0message sent again").wait_for()


def throw_a_client_out_and_keep_it_out(window: Window, broker: BrokerProcess) -> None:
    client = connected(broker, ConnectOptions(NOBODY, PASSWORD, session=8))
    window.look_up("visitor/8", "visitor/8")
    window.heading("visitor/8").page.get_by_role("button", name="Block login").wait_for()
    window.act("Block login …")
    window.page.get_by_role("dialog").wait_for()
    window.press("Enter")
    window.page.get_by_text("Logins of visitor are blocked; 1\u00a0connection closed").wait_for()
    client.disconnect()
    unblocked = ask_socket(broker.admin_socket, "/api/v1/subjects/visitor/unblock", "POST", JSON, b"{}")
    assert unblocked.status == 200


def see_what_changed_in_the_last_hour(window: Window, broker: BrokerProcess) -> None:
    window.press("g", "a")
    window.heading("Audit").rows().first.wait_for()
    window.choose("Whenever", "In the last hour")
    window.page.wait_for_function("() => location.hash.includes('since')")
    window.rows(ADMINISTRATOR).first.wait_for()


def see_what_takes_the_disk(window: Window, broker: BrokerProcess) -> None:
    window.press("g", "z")
    window.heading("Queues").rows().first.wait_for()
    window.page.locator("th[aria-sort=descending]", has_text="Bytes").wait_for()


def put_in_a_renewed_certificate(window: Window, broker: BrokerProcess) -> None:
    window.press("g", "l")
    window.heading("Listeners").page.get_by_role("button", name="Reload TLS").first.wait_for()
    window.act("Reload TLS …")
    window.page.get_by_role("dialog").wait_for()
    window.press("Enter")
    window.page.get_by_text("shows a certificate until").wait_for()


def have_a_part_of_the_log_say_more(window: Window, broker: BrokerProcess) -> None:
    window.press("g", "p")
    window.heading("Configuration").page.get_by_role("button", name="Change a level").wait_for()
    window.act("Change a level …")
    window.steps += 1
    window.type("broker.store")
    window.press("Enter")
    window.page.get_by_text("broker.store: debug").wait_for()


def follow_the_messages_of_a_topic(window: Window, broker: BrokerProcess) -> None:
    window.look_up("weather", "weather")
    window.heading("weather").page.get_by_role("button", name="Tail").wait_for()
    window.act("Tail")
    window.page.get_by_role("status").filter(has_text="following until").wait_for()


def get_a_bundle_for_support(window: Window, broker: BrokerProcess) -> None:
    window.press("g", "i")
    window.heading("Diagnose").page.get_by_role("button", name="Bundle", exact=True).wait_for()
    with window.page.expect_download() as found:
        window.act("Bundle")
    assert zipfile.is_zipfile(found.value.path())


STEPS: dict[Callable[[Window, BrokerProcess], None], int] = {
    find_why_a_queue_does_not_drain: 2,
    see_the_oldest_message: 3,
    send_the_dead_messages_of_a_receiver_again: 5,
    throw_a_client_out_and_keep_it_out: 4,
    see_what_changed_in_the_last_hour: 2,
    see_what_takes_the_disk: 2,
    put_in_a_renewed_certificate: 3,
    have_a_part_of_the_log_say_more: 4,
    follow_the_messages_of_a_topic: 4,
    get_a_bundle_for_support: 2,
}


@pytest.fixture(scope="module", autouse=True)
def dead_message(broker: BrokerProcess) -> None:
    """Somebody did not get a message, and is back."""
    writer = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
    letter = PublishOptions(to=("again/1",), force=True, persistent=True)
    writer.publish("letter", b"for you", letter)
    ended = ask_socket(broker.admin_socket, "/api/v1/sessions/again/1/end", "POST", JSON, b'{"queue": "dead"}')
    assert ended.status == 200
    writer.publish("letter", b"the receiver is back", letter)
    writer.disconnect()


@pytest.mark.parametrize("task", STEPS, ids=lambda task: task.__name__)
def test_task_is_done_by_keys_alone(
    window: Window, broker: BrokerProcess, task: Callable[[Window, BrokerProcess], None]
) -> None:
    settle(window, "overview", "Overview")
    window.begin()

    task(window, broker)

    assert window.steps <= STEPS[task]


def test_what_takes_the_disk_is_seen_in_one_click(window: Window) -> None:
    page = settle(window, "overview", "Overview")
    window.begin()

    window.click(page.locator("div", has=page.get_by_text("Database", exact=True)).get_by_role("link").last)

    window.heading("Queues").rows().first.wait_for()
    assert window.steps <= 2


def test_certificate_is_put_in_with_three_clicks(window: Window) -> None:
    page = settle(window, "overview", "Overview")
    window.begin()

    window.click(page.get_by_role("link", name="Listeners", exact=True))
    window.click(page.get_by_role("button", name="Reload TLS").first)
    window.click(page.get_by_role("button", name="Reload", exact=True))

    page.get_by_text("shows a certificate until").wait_for()
    assert window.steps <= 3


def test_bundle_is_got_with_two_clicks(window: Window) -> None:
    page = settle(window, "overview", "Overview")
    window.begin()

    window.click(page.get_by_role("link", name="Diagnose", exact=True))
    with page.expect_download() as found:
        window.click(page.get_by_role("button", name="Bundle without names"))

    assert zipfile.is_zipfile(found.value.path())
    assert window.steps <= 2


def test_all_keys_are_listed_with_those_of_the_page_and_the_focus_returns(window: Window) -> None:
    page = settle(window, "sessions/visitor/1", "visitor/1")
    page.get_by_role("button", name="Look again").focus()

    page.keyboard.press("?")

    keys = page.get_by_role("dialog", name="Keys")
    pairs = dict(zip(keys.locator("dt").all_text_contents(), keys.locator("dd").all_text_contents(), strict=True))
    assert pairs["2"] == "Disconnect"
    assert pairs["g e"] == "Events"
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.textContent") == "Look again"


@pytest.mark.parametrize(
    ("place", "button"), [("topics/news", "Erase …"), ("accounts", "New …"), ("listeners", "Drain …")]
)
def test_focus_returns_to_the_button_when_its_dialog_closes(window: Window, place: str, button: str) -> None:
    page = settle(window, place, re.sub(r"^.*/", "", place).capitalize() if place != "topics/news" else "news")
    opener = page.get_by_role("button", name=button).first
    opener.wait_for()
    opener.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()

    page.keyboard.press("Escape")

    assert opener.evaluate("(node) => node === document.activeElement")


@pytest.mark.parametrize(
    ("place", "heading", "buttons"),
    [
        ("sessions/visitor/1", "visitor/1", ["End …", "Block login …", "Delete …"]),
        ("topics/news", "news", ["Clear history …", "Erase …"]),
        ("queues/callback/visitor~1", "visitor~1", ["Purge …", "Delete …"]),
        ("accounts/visitor", "visitor", ["Block …", "Delete …"]),
        ("run-level", "Run level", ["Shut down …"]),
    ],
)
def test_buttons_by_which_something_is_lost_look_so_and_no_others(
    window: Window, place: str, heading: str, buttons: list[str]
) -> None:
    page = settle(window, place, heading)
    page.locator("main .actions button").first.wait_for()

    assert page.locator("main .actions button.danger").all_text_contents() == buttons
