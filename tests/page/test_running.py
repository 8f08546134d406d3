"""Pages of what runs: run levels, tokens, events, operations."""

from __future__ import annotations

import re

import pytest

from broker.client import ConnectOptions
from tests.page.browser import Window
from tests.page.population import ADMINISTRATOR, MONITOR, PASSWORD
from tests.page.test_pages import settle, violations
from tests.system.launcher import BrokerProcess
from tests.system.native_client import connected

pytestmark = [pytest.mark.browser, pytest.mark.system]


def test_token_is_made_shown_once_and_deleted(window: Window) -> None:
    page = settle(window, "tokens", "Tokens")

    page.get_by_role("button", name="New …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name: what it is for").fill("<b>\u202ereports</b>")
    dialog.get_by_label("Role that it has at most").select_option("monitoring")
    dialog.get_by_role("button", name="Make it").click()
    once = page.get_by_role("dialog", name="Token <b>")
    text = once.locator("pre").text_content() or ""
    assert re.fullmatch(r"brk_\w+_[\w-]{43}", text)
    assert violations(page) == []
    page.keyboard.press("Escape")  # it is not lost by a key
    once.get_by_role("button", name="I have it").click()

    row = page.get_by_role("row", name="reports")
    assert "<b>\\u{202e}reports</b>" in (row.text_content() or "")
    assert text not in page.content()
    row.get_by_role("button", name="Delete").click()
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.dataset.what") == "delete"  # the focus is where it was
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    page.get_by_text("There is no token.").wait_for()


def test_run_level_is_shown_with_its_plugins_and_what_another_would_close(window: Window) -> None:
    page = settle(window, "run-level", "Run level")

    assert "broker is here" in (page.locator("li[aria-current=step]").text_content() or "")
    page.get_by_role("button", name="Change the run level").click()
    dialog = page.get_by_role("dialog")
    assert re.search(r"\d+\sconnections? would close", dialog.text_content() or "")
    assert "Down to 3 stops SOCKET, XMLRPC, XMPP" in (dialog.text_content() or "")
    dialog.get_by_role("combobox").select_option("3,9")
    assert dialog.locator("pre").text_content() == """broker api PUT /run-level '{"levels":[3,9]}'"""
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Shut down").click()
    assert page.get_by_role("button", name="Shut it down").is_disabled()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="SOCKET").click()
    window.heading("SOCKET").page.get_by_text("Stopped at run level").wait_for()


def test_events_are_followed_as_they_come_and_wait_while_somebody_reads(window: Window, broker: BrokerProcess) -> None:
    page = settle(window, "events?type=client/*", "Events")
    page.get_by_role("status").filter(has_text="following").wait_for()

    def connect(session: int) -> None:
        connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD, session=session)).disconnect()

    connect(61)
    page.get_by_role("link", name=f"{ADMINISTRATOR}/61").first.wait_for()
    page.get_by_role("button", name="Pause").click()
    connect(62)
    page.get_by_role("button", name="new, show").click()
    page.get_by_role("link", name=f"{ADMINISTRATOR}/62").first.wait_for()
    page.reload()
    window.heading("Events").page.get_by_role("link", name=f"{ADMINISTRATOR}/61").first.wait_for()


def test_who_may_only_look_makes_tokens_of_that_role_only(stranger: Window) -> None:
    stranger.open("tokens").log_in(MONITOR)

    stranger.page.get_by_role("button", name="New …").click()
    roles = stranger.page.get_by_label("Role that it has at most")
    assert roles.locator("option").all_text_contents() == ["monitoring: sees everything but contents"]


def test_backup_is_made_and_verified_and_is_an_operation_meanwhile(window: Window) -> None:
    page = settle(window, "backups", "Backups")
    page.get_by_role("button", name="Back up now").click()
    page.get_by_role("button", name="Make it").click()
    window.heading("Operations").page.get_by_role("row", name="backup.make").get_by_text("done").wait_for()

    page = window.open("backups").heading("Backups").page
    row = page.get_by_role("row", name=".db")
    row.get_by_text("accounts").wait_for()
    assert violations(page) == []
    row.get_by_role("button", name="Verify").click()
    page.get_by_role("button", name="Verify it").click()
    window.heading("Operations").page.get_by_role("row", name="backup.verify").get_by_text("done").wait_for()
