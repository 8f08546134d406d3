"""Points in time as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from broker.admin.values import LATEST


def moment(milliseconds: int) -> str:
    """RFC 3339 in UTC, with milliseconds; the last that there is for what no calendar goes to.

    Args:
        milliseconds: since 1970.
    """
    seconds, rest = divmod(max(0, min(milliseconds, LATEST)), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def read_moment(text: str) -> int | None:
    """Milliseconds since 1970 of a time as RFC 3339 writes it; ``None`` where it is none, or names no zone."""
    try:
        found = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    if found.tzinfo is None:
        return None
    return max(0, (found - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1))
