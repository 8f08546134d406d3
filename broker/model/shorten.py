"""Names and texts of clients where many are kept or shown: they may be as long as a request."""

from __future__ import annotations

MOST = 400
"""Characters that tell enough of a name or a reason."""


def shorten(text: str, most: int = MOST) -> str:
    """A text, cut where it is too long to be kept.

    Args:
        text: of a client.
        most: characters of the result; the last one is an ellipsis where something is cut.
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
