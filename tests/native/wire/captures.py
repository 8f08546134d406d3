"""Recorded conversations between the reference server and its own clients."""

from __future__ import annotations

from pathlib import Path

from tests.data import CAPTURES

_NO_FRAMES = ("xmlrpc", "xmlscript", "zlib")
_NOT_EVEN_A_FRAME = {"raw-probes-wire/conn3", "raw-probes-wire/conn4"}  # sent to provoke the server


def streams() -> list[Path]:
    """One direction of one connection each, framed and not compressed."""
    paths = CAPTURES.glob("*/conn*/[cs]2[cs].bin")
    return sorted(
        path
        for path in paths
        if not any(word in path.parts[-3] for word in _NO_FRAMES) and _name(path.parent) not in _NOT_EVEN_A_FRAME
    )


def stream_id(path: Path) -> str:
    """Name of a test's case."""
    return f"{_name(path.parent)}/{path.stem}"


def _name(connection: Path) -> str:
    return "/".join(connection.parts[-2:])
