"""Data that tests read, and where it is."""

from __future__ import annotations

from pathlib import Path

CAPTURES = Path(__file__).parent / "captures" / "xmlblaster"
"""Recorded conversations of the xmlBlaster server with its own clients; see the README there."""
