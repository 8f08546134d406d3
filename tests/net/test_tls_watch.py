"""Certificates whose files change are read again by themselves."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from broker.errors import BrokerError
from broker.net.certificate import self_signed
from broker.net.tls import ServerContext, server_context
from broker.net.tls_watch import TlsWatch

NOW = 1.8e9
SECONDS = 30


@dataclass
class Watched:
    """A certificate that is looked at.

    Args:
        directory: for its file.
    """

    directory: Path
    clock: Clock = field(default_factory=Clock)
    reloads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = self_signed(self.directory, "localhost", NOW)
        self.context = server_context(self.file)
        self.watch = TlsWatch(self.clock, self._contexts, self._reload)
        self.watch.start(SECONDS)

    def _contexts(self) -> list[tuple[str, ServerContext]]:
        return [("SOCKET", self.context), ("SOCKET", self.context)]

    def _reload(self, owner: str) -> None:
        self.reloads.append(owner)
        try:
            self.context.reload(NOW)
        except BrokerError:
            return

    def write(self, data: bytes) -> None:
        """Put something else into the file."""
        before = self.file.stat().st_mtime_ns
        self.file.write_bytes(data)
        os.utime(self.file, ns=(before + 1_000_000_000, before + 1_000_000_000))

    def renew(self, name: str = "other") -> None:
        """Put another certificate into the file."""
        (self.directory / name).mkdir()
        self.write(self_signed(self.directory / name, name, NOW).read_bytes())

    def pass_interval(self) -> None:
        self.clock.advance(SECONDS)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_file_that_has_not_changed_is_not_read(watched: Watched) -> None:
    watched.pass_interval()
    assert watched.reloads == []


def test_certificate_that_has_changed_is_shown_once_it_was_looked_at(watched: Watched) -> None:
    before = watched.context.certificate
    watched.renew()
    assert watched.context.certificate == before
    watched.pass_interval()
    assert watched.context.certificate != before
    watched.pass_interval()
    assert watched.reloads == ["SOCKET"]


def test_file_that_cannot_be_used_is_tried_once_and_again_when_it_is_another(watched: Watched) -> None:
    before = watched.context.certificate
    watched.write(b"half a file")
    for _ in range(3):
        watched.pass_interval()
    assert (watched.reloads, watched.context.certificate) == (["SOCKET"], before)
    watched.renew()
    watched.pass_interval()
    assert watched.reloads == ["SOCKET"] * 2
    assert watched.context.certificate != before


def test_file_that_is_gone_changes_nothing_until_it_is_back(watched: Watched) -> None:
    before = watched.context.certificate
    data = watched.file.read_bytes()
    watched.file.unlink()
    watched.pass_interval()
    assert watched.context.certificate == before
    watched.file.write_bytes(data)
    watched.pass_interval()
    assert watched.context.certificate == before


def test_nothing_is_looked_at_where_it_is_turned_off(watched: Watched) -> None:
    watched.watch.start(0)
    watched.renew()
    watched.pass_interval()
    assert (watched.reloads, watched.clock.getDelayedCalls()) == ([], [])


def test_other_interval_counts_from_the_next_look_on(watched: Watched) -> None:
    watched.watch.start(5)
    watched.renew()
    watched.clock.advance(5)
    assert watched.reloads == ["SOCKET"]
