"""What a measured system is to the bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.process import Process

Settings = Mapping[str, str]


class Unavailable(Exception):
    """A system can not be measured here; the text says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A system that was started for one case.

    Args:
        process: that is ended by the bench.
        ports: host and port by protocol.
    """

    process: Process
    ports: Mapping[str, tuple[str, int]]

    @property
    def pids(self) -> Sequence[int]:
        """Processes whose time and memory count."""
        return [self.process.pid]


class System(Protocol):
    """A system, ours or another."""

    name: str

    def prepare(self, scratch: Path) -> None:
        """Install it where that is needed, and make the data with accounts that every case gets a copy of.

        Raises:
            Unavailable: it can not be measured here.
        """

    def version(self) -> str:
        """Its version, once it is prepared."""
        ...

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it on fresh data in a directory, and wait until it listens."""
        ...
