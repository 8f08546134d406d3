"""One broker and one browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.page.browser import CHROMIUM, MISSING, SIZE, Window, chromium, logged_in, origin_of
from tests.page.population import ADMINISTRATOR, MONITOR, NOBODY, SETTINGS, populate
from tests.system.launcher import BrokerProcess

Open = Callable[..., Window]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(MISSING)
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    directory: Path = tmp_path_factory.mktemp("console")
    process = BrokerProcess(directory / "data", settings=SETTINGS)
    process.add_accounts(ADMINISTRATOR, MONITOR, NOBODY)
    with process:
        populate(process)
        yield process


@pytest.fixture(scope="session")
def login(browser: Browser, broker: BrokerProcess) -> Any:
    """What the browser keeps of the login of an administrator."""
    return logged_in(browser, origin_of(broker))


@pytest.fixture
def window(browser: Browser, broker: BrokerProcess, login: Any) -> Iterator[Window]:
    """A window of somebody who is logged in; there must be nothing wrong with the page at the end."""
    context = browser.new_context(storage_state=login, viewport=SIZE, reduced_motion="reduce")
    found = Window(context, origin_of(broker))
    yield found
    context.close()
    assert found.errors == []


@pytest.fixture
def stranger(browser: Browser, broker: BrokerProcess) -> Iterator[Window]:
    """A window of somebody who is not."""
    context = browser.new_context(viewport=SIZE, reduced_motion="reduce")
    found = Window(context, origin_of(broker))
    yield found
    context.close()
    assert found.errors == []
