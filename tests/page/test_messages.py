"""Messages that wait are moved, put at the end and deleted; who gets what is explained and followed."""

from __future__ import annotations

import re

import pytest

from broker.client import ConnectOptions, PublishOptions
from tests.page.browser import Window
from tests.page.population import ADMINISTRATOR, PASSWORD
from tests.page.test_pages import look_up, settle, violations
from tests.system.launcher import BrokerProcess
from tests.system.native_client import connected

pytestmark = [pytest.mark.browser, pytest.mark.system]


def fill_queue(broker: BrokerProcess, owner: str, number: int = 3) -> None:
    """Let messages wait for a session that nobody has."""
    writer = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
    for each in range(number):
        writer.publish("letter", f"letter {each}", PublishOptions(to=(f"{owner}/1",), force=True, persistent=True))
    writer.disconnect()


def test_marked_messages_are_moved_after_a_dry_run_has_told_how_many(window: Window, broker: BrokerProcess) -> None:
    fill_queue(broker, "mover")
    page = settle(window, "sessions/mover/1", "mover/1")

    page.get_by_role("checkbox", name=re.compile("^Mark message")).first.check()
    page.get_by_text("With 1\u00a0marked message:").wait_for()
    page.get_by_role("button", name="Move …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").first.select_option("subject")
    dialog.get_by_label("Its name").fill("taker")
    dialog.get_by_role("button", name="See what it would do").click()
    dialog.get_by_text("1\u00a0message would be moved.").wait_for()
    assert violations(page) == []
    dialog.get_by_role("button", name="Move", exact=True).click()

    page.get_by_text("1\u00a0message moved").wait_for()
    page.get_by_text("2\u00a0messages, as of").wait_for()
    window.open("queues/subject/taker").heading("taker").page.get_by_text("1\u00a0message, as of").wait_for()


def test_another_choice_asks_for_another_dry_run(window: Window, broker: BrokerProcess) -> None:
    fill_queue(broker, "chooser")
    page = settle(window, "queues/callback/chooser~1", "chooser~1")

    page.get_by_role("button", name="Put at the end …").click()
    dialog = page.get_by_role("dialog")
    page.keyboard.press("Enter")
    dialog.get_by_text("3\u00a0messages would be put at the end.").wait_for()
    dialog.get_by_role("combobox").select_option("9")
    assert dialog.get_by_role("status").text_content() == ""
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_role("button", name="Put at the end", exact=True).click()

    page.get_by_text("3\u00a0messages put at the end").wait_for()
    page.locator(".entries td.number", has_text="9").first.wait_for()


def test_messages_that_match_are_deleted_when_the_name_was_typed(window: Window, broker: BrokerProcess) -> None:
    fill_queue(broker, "loser")
    page = settle(window, "queues/callback/loser~1", "loser~1")

    page.get_by_label("Topic", exact=True).fill("lett*")
    page.get_by_text("With messages that match:").wait_for()
    page.get_by_role("button", name="Delete …").click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("button", name="See what it would do").is_disabled()
    dialog.get_by_label("To confirm").fill("loser~1")
    dialog.get_by_role("button", name="See what it would do").click()
    dialog.get_by_text("3\u00a0messages would be deleted.").wait_for()
    dialog.get_by_role("button", name="Delete", exact=True).click()

    page.get_by_text("3\u00a0messages deleted").wait_for()
    page.get_by_text("No message matches.").wait_for()
    window.open("dead?receiver=*loser*").heading("Dead messages").rows("loser/1").first.wait_for()


def test_why_a_session_does_not_get_a_message_is_explained_and_the_address_keeps_the_question(window: Window) -> None:
    page = settle(window, "explain", "Explain")

    page.get_by_label("Session", exact=True).fill("visitor/1")
    page.get_by_label("Topic", exact=True).fill("weather")
    page.get_by_role("button", name="Explain").first.click()
    verdict = page.get_by_text("does not get it")  # its queue is full
    verdict.wait_for()
    page.locator(".steps li", has_text="queue").locator("b", has_text="fail").wait_for()
    page.reload()
    verdict.wait_for()

    page.get_by_label("Topic", exact=True).fill("nothing of this name")
    page.keyboard.press("Enter")
    page.locator("li", has_text="topic exists").locator("b", has_text="fail").wait_for()
    page.go_back()
    page.wait_for_function("() => location.hash.includes('topic=weather')")


def test_where_a_message_of_xmpp_would_go_is_explained(window: Window) -> None:
    page = settle(window, "explain?from=boss@localhost&to=visitor@localhost", "Explain")

    page.locator(".verdict").wait_for()


def test_tail_of_a_topic_is_followed_in_four_steps_and_stopped(window: Window, broker: BrokerProcess) -> None:
    writer = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
    writer.publish("tides", "high")
    page = settle(window, "overview", "Overview")
    window.begin()

    look_up(window, "tides", "tides")
    window.heading("tides")
    window.click(page.get_by_role("button", name="Tail"))
    page.get_by_role("status").filter(has_text="following until").wait_for()
    writer.publish("tides", "low")
    writer.disconnect()

    page.get_by_role("cell", name="published").wait_for()
    assert window.steps <= 4
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("status").filter(has_text="stopped").wait_for()
