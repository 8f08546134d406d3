"""Reading a JSON object that a peer has written: its members, or ``None``, and nothing else (design D18)."""

from __future__ import annotations

import json
from typing import Any


def object_or_none(data: bytes) -> dict[str, Any] | None:
    """The members of a JSON object in UTF-8; ``None`` where the bytes are no such object.

    Args:
        data: as it came.
    """
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError):  # of bytes that are no UTF-8, too
        return None
    return found if type(found) is dict else None
