"""Figures of the console with 10,000 sessions in its table: ``python -m tests.page.measure [SECONDS]``.

The table is scrolled from its beginning to its end, and looked at for some time (10 minutes by default) while the
sessions change.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.client import BlockingClient, ConnectOptions, PublishOptions
from tests.page.browser import SIZE, Window, chromium, logged_in, origin_of
from tests.page.population import ADMINISTRATOR, MANY, MONITOR, NOBODY, PASSWORD, SETTINGS, crowd, populate
from tests.system.launcher import BrokerProcess
from tests.system.native_client import connected

SECONDS = 600
LOOK_EVERY = 20
"""Seconds between two looks at the memory."""
WARM = 60
"""Seconds until the memory is taken for what it is at the beginning."""
MEGABYTE = 1_000_000
SCROLL = """() => new Promise((resolve) => {
    const rows = document.querySelector(".rows"), frames = [];
    let last = performance.now(), nodes = 0;
    function frame(now) {
        frames.push(now - last);
        last = now;
        nodes = Math.max(nodes, document.querySelectorAll("tbody tr[aria-rowindex]").length);
        rows.scrollTop += 400;
        if (rows.scrollTop + rows.clientHeight >= rows.scrollHeight - 1) resolve({frames: frames.slice(1), nodes});
        else requestAnimationFrame(frame);
    }
    requestAnimationFrame(frame);
})"""


@dataclass(frozen=True, slots=True)
class Scrolled:
    """How a table was scrolled.

    Args:
        frames: milliseconds of each.
        nodes: rows that were nodes, at most.
    """

    frames: Sequence[float]
    nodes: int

    def __str__(self) -> str:
        frames = f"{1000 / statistics.median(self.frames):.0f} frames a second (median)"
        return f"{frames}, the longest {max(self.frames):.0f} ms, {self.nodes} nodes of rows at most"


def heap(session: Any) -> float:
    """Megabytes of the page's objects that are in use."""
    session.send("HeapProfiler.collectGarbage")
    found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return float(found["JSHeapUsedSize"]) / MEGABYTE


def watch(window: Window, session: Any, writer: BlockingClient, seconds: int) -> list[float]:
    """Look at the table while sessions change; the memory now and then, in megabytes."""
    found: list[float] = []
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        for number in range(1, 40):
            writer.publish("letter", b"one more", PublishOptions(to=(f"crowd/{number}",), force=True))
        window.page.wait_for_timeout(1000)
        if passed >= LOOK_EVERY * (len(found) + 1):
            found.append(heap(session))
    return found


def main(seconds: int) -> None:
    """Measure, and print what was found."""
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        broker = BrokerProcess(Path(directory) / "data", settings={**SETTINGS, "queue/callback/maxEntries": "100000"})
        broker.add_accounts(ADMINISTRATOR, MONITOR, NOBODY)
        with broker:
            populate(broker)
            writer = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
            broker.on_close.append(writer.disconnect)
            crowd(writer)
            context = browser.new_context(storage_state=logged_in(browser, origin_of(broker)), viewport=SIZE)
            window = Window(context, origin_of(broker))
            began = time.monotonic()
            window.open("sessions?subject=crowd").rows("crowd/1").first.wait_for()
            print(f"{MANY} sessions: the first rows after {time.monotonic() - began:.2f} s")
            print(Scrolled(**window.page.evaluate(SCROLL)))
            session = context.new_cdp_session(window.page)
            session.send("Performance.enable")
            window.page.locator(".rows").evaluate("(node) => { node.scrollTop = 0; }")
            found = watch(window, session, writer, seconds)
            settled = found[WARM // LOOK_EVERY - 1 :] or found
            first, last = settled[0], settled[-1]
            print(
                f"memory over {seconds} s: {first:.1f} MB at first, {last:.1f} MB at last, {max(found):.1f} MB at most"
            )
            context.close()
            assert window.errors == []


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
