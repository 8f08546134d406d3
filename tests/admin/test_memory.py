"""What memory the process may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.admin import memory

MACHINE = "MemTotal:        1000 kB\nMemAvailable:     400 kB\n"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 1,000 KiB, whose control groups are in this directory."""
    machine, group = tmp_path / "meminfo", tmp_path / "self"
    machine.write_text(MACHINE)
    group.write_text("0::/system/broker.service\n")
    for name, value in (("MACHINE", machine), ("GROUP", group), ("GROUPS", tmp_path / "groups")):
        monkeypatch.setattr(memory, name, value)
    (tmp_path / "groups" / "system" / "broker.service").mkdir(parents=True)
    return tmp_path


def test_without_a_control_group_that_is_what_the_machine_has(system: Path) -> None:
    assert (memory.limit(), memory.available()) == (1_024_000, 409_600)


@pytest.mark.parametrize("place", ["system/broker.service", "system"])
def test_control_group_or_one_that_it_is_in_may_have_less(system: Path, place: str) -> None:
    (system / "groups" / "system" / "broker.service" / "memory.max").write_text("max\n")
    (system / "groups" / place / "memory.max").write_text("5000\n")
    assert memory.limit() == 5000


def test_older_control_groups_are_known_too(system: Path) -> None:
    (system / "self").write_text("3:cpu,memory:/broker\n1:cpu:/other\n")
    directory = system / "groups" / "memory" / "broker"
    directory.mkdir(parents=True)
    (directory / "memory.limit_in_bytes").write_text("7000\n")
    assert memory.limit() == 7000


def test_system_that_does_not_tell_is_said_to_have_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MACHINE", "GROUP", "GROUPS"):
        monkeypatch.setattr(memory, name, tmp_path / "missing")
    assert (memory.limit(), memory.available()) == (0, 0)
