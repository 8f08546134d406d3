"""Pictures of the console, for its document: ``python -m tests.page.screenshots docs/console [NAME …]``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.page.browser import Window, chromium, logged_in, origin_of
from tests.page.population import ADMINISTRATOR, MONITOR, NOBODY, SETTINGS, crowd, populate, traffic
from tests.system.launcher import BrokerProcess

PAGES = {
    "overview": "overview",
    "sessions": "sessions?sort=-queueEntries",
    "session": "sessions/visitor/1",
    "queues": "queues",
    "queue": "queues/callback/visitor~1",
    "topics": "topics",
    "topic": "topics/news",
    "subscriptions": "subscriptions",
    "connections": "connections",
    "dead": "dead",
    "accounts": "accounts",
    "listeners": "listeners",
    "configuration": "configuration",
    "diagnose": "diagnose",
    "audit": "audit",
    "events": "events",
    "explain": "explain?session=visitor/1&topic=news",
    "tail": "tail?topic=prices",
    "operations": "operations",
    "run-level": "run-level",
    "tokens": "tokens",
    "definitions": "definitions",
    "backups": "backups",
}
SETTLE = 2500
"""Milliseconds after which all of a page is there."""
SECONDS = 45
"""Of traffic, so that the charts show something."""


def main(folder: Path, names: Sequence[str]) -> None:
    """Take them, or those that are named."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        broker = BrokerProcess(Path(directory) / "data", settings=SETTINGS)
        broker.add_accounts(ADMINISTRATOR, MONITOR, NOBODY)
        with broker:
            populate(broker)
            writer = traffic(broker, SECONDS)
            crowd(writer, 12)
            kept = logged_in(browser, origin_of(broker))
            for theme in ("light", "dark"):
                context = browser.new_context(
                    storage_state=kept,
                    viewport={"width": 1024, "height": 640},
                    color_scheme=theme,
                )
                window = Window(context, origin_of(broker))
                for name in names or PAGES:
                    window.open(PAGES[name]).page.wait_for_timeout(SETTLE)
                    window.page.screenshot(path=folder / f"{name}-{theme}.png")
                context.close()
                assert window.errors == []


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
