"""The relay as a system: the ceiling of what a broker on Twisted can do."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path

from bench.process import Process
from bench.system import Running, Settings


class RelaySystem:
    """The relay, which has neither data nor accounts. A setting says what it cuts: ``cut=native`` or ``cut=xmpp``."""

    name = "relay"

    def prepare(self, scratch: Path) -> None:
        """There is nothing to do."""

    def version(self) -> str:
        """Version of Twisted."""
        return version("twisted")

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it."""
        process = Process(
            [sys.executable, "-m", "bench.relay", settings["cut"]],
            directory / "relay.log",
            Path(__file__).parent.parent,
        )
        found = process.wait_for_text(re.compile(r"^port (\d+)$", re.MULTILINE))
        return Running(process, {"relay": ("127.0.0.1", int(found[1]))}, directory)
