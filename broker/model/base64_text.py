"""Reading base64 that others have written: its bytes, or ``None``, and nothing else (design D18)."""

from __future__ import annotations

import base64


def bytes_or_none(text: str, *, wrapped: bool = False) -> bytes | None:
    """The bytes that a text stands for, ``None`` where it is no base64 (RFC 4648 §4).

    Args:
        text: of the alphabet of base64 only, with its padding.
        wrapped: white space may stand anywhere in it, as MIME and XML editors wrap lines.
    """
    if wrapped:
        text = "".join(text.split())
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # of a length that none has, or with other characters
        return None
