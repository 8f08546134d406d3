"""What a measured system is to the bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.process import Process
from bench.procfs import rss_bytes

Settings = Mapping[str, str]


class Unavailable(Exception):
    """A system cannot be measured here; the text says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A system that was started for one case.

    Args:
        process: that is ended by the bench.
        ports: host and port by protocol.
        data: where it keeps its data.
        helpers: processes that it needs, which are ended with it and do not count.
    """

    process: Process
    ports: Mapping[str, tuple[str, int]]
    data: Path
    helpers: Sequence[Process] = ()

    @property
    def pids(self) -> Sequence[int]:
        """Processes whose time and memory count."""
        return self.process.members()

    def rss_mib(self) -> float:
        """Memory that is resident."""
        return rss_bytes(self.pids) / (1 << 20)

    def kill(self) -> None:
        """End all of it at once."""
        for process in (self.process, *self.helpers):
            process.kill()


class System(Protocol):
    """A system, ours or another."""

    name: str

    def prepare(self, scratch: Path) -> None:
        """Install it where that is needed, and make the data with accounts that every case gets a copy of.

        Raises:
            Unavailable: it cannot be measured here.
        """

    def version(self) -> str:
        """Its version, once it is prepared."""
        ...

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it on fresh data in a directory, and wait until it listens."""
        ...
