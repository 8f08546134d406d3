"""Texts that hardly anybody expects in a request."""

from __future__ import annotations

from hypothesis import strategies as st

TRICKY = (
    "--",
    "<![CDATA[x]]>",
    "&amp;&#0;&nbsp;",
    "\u2400",
    "\u202e\u2067x",
    "\u2028",
    "\u200b",
    "\u3000",
    "𝟙𝟚",
)
"""What XML or Unicode makes something of."""


def texts(longest: int) -> st.SearchStrategy[str]:
    """Any text that XML can hold, but for control characters.

    Args:
        longest: in characters.
    """
    characters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
    return st.text(characters, max_size=longest)
