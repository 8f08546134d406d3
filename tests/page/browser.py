"""Chromium, as people use it, on the console of a broker."""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Playwright,
    Request,
    sync_playwright,
)

from tests.page.population import ADMINISTRATOR, PASSWORD
from tests.system.launcher import BrokerProcess

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
MISSING = f"there is no {CHROMIUM}: apt-get install chromium, or name another by CHROMIUM"
ROOT = 0
PATIENCE = 20_000
"""Milliseconds that a page may take for anything, on a busy machine."""
ACTIONS = """() => [...document.querySelectorAll("main .actions button")]
    .filter((each) => each.checkVisibility()).map((each) => each.textContent)"""
SIZE: Any = {"width": 1280, "height": 800}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    browser = _playwright().chromium.launch(
        executable_path=str(CHROMIUM), args=["--no-sandbox"] if os.geteuid() == ROOT else []
    )
    yield browser
    browser.close()


@cache
def _playwright() -> Playwright:
    # One for the process: it refuses a second one beside it.
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    return playwright


class Window:
    """One page of the console, and whatever is wrong with it.

    Args:
        context: of the browser.
        origin: of the console.

    Attributes:
        page: itself.
        errors: of its scripts, what its console says, requests to anywhere else, and dialogs that scripts opened.
        steps: clicks, commands by key and fields typed since the last :meth:`begin`.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.origin = origin
        self.errors: list[str] = []
        self.steps = 0
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(f"{error}"))
        self.page.on("request", self._requested)
        self.page.on("dialog", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        # That a request was refused is shown by the page itself, and is no fault of it.
        if message.type in ("error", "warning") and "the server responded with a status of" not in message.text:
            self.errors.append(message.text)

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:")):
            self.errors.append(f"asked {request.url}")

    def _asked(self, dialog: Dialog) -> None:
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, place: str = "overview") -> Self:
        """Go to a place, such as ``sessions?state=waiting``."""
        self.page.goto(f"{self.origin}/#/{place}")
        return self

    def heading(self, text: str) -> Self:
        """Wait for a page by its heading."""
        self.page.locator("main h1", has_text=text).wait_for()
        return self

    def rows(self, text: str | re.Pattern[str] = "") -> Any:
        """The rows of the table, those with a text if one is given."""
        return self.page.locator("tbody tr[aria-rowindex]", has_text=text or None)

    def log_in(self, user: str = ADMINISTRATOR, password: str = PASSWORD) -> None:
        """Fill in the form."""
        self.page.locator("dialog.login[open]").wait_for()
        self.page.get_by_label("Login name").fill(user)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")

    # Steps, as the tasks count them

    def begin(self) -> None:
        """Count from here."""
        self.steps = 0

    def press(self, *keys: str) -> None:
        """One command by keys."""
        self.steps += 1
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Fill in what has the focus."""
        self.page.keyboard.type(text)

    def click(self, what: Any) -> None:
        """One click."""
        self.steps += 1
        what.click()

    def choose(self, label: str, option: str) -> None:
        """One field chosen, by keys: the way to it, and the beginning of what is chosen."""
        self.steps += 1
        self.reach(label)
        self.page.keyboard.type(option)

    def reach(self, label: str) -> None:
        """Go on by Tab until a field has the focus."""
        wanted = self.page.locator("main form").get_by_label(label, exact=True)
        self.page.keyboard.press("f")
        while not wanted.evaluate("(node) => node === document.activeElement"):
            self.page.keyboard.press("Tab")

    def act(self, button: str) -> None:
        """Press a button of the page by the digit that stands for it: one command."""
        names = self.page.evaluate(ACTIONS)
        self.press(str(names.index(button) + 1))

    def look_up(self, text: str, name: str) -> None:
        """Type a text into the search, and go to what it finds: two steps."""
        self.press("/")
        self.type(text)
        self.page.get_by_role("option", name=name).wait_for()
        self.press("Enter")


def origin_of(broker: BrokerProcess) -> str:
    """Where the console of a broker is."""
    host, port = broker.address("ADMIN")
    return f"http://{host}:{port}"


def logged_in(browser: Browser, origin: str, user: str = ADMINISTRATOR) -> Any:
    """What a browser keeps of a login, for as many contexts as are wanted."""
    context = browser.new_context()
    window = Window(context, origin).open()
    window.log_in(user)
    window.heading("Overview")
    kept = context.storage_state()
    context.close()
    return kept
