"""What tests of these commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ops.desk import CommandDesk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandDesk:
    """A broker and the command."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("BROKER_SOCKET", "BROKER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return CommandDesk(monkeypatch)
