"""Characters of other people's texts that would do something where they are shown."""

from __future__ import annotations

import re

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What can move the cursor, change colours, or turn the direction of writing, and half characters."""


def escaped(text: str, keep: str = "") -> str:
    """Text that can do nothing to a terminal.

    Args:
        text: of somebody else.
        keep: control characters that stay.
    """
    return CONTROLS.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
