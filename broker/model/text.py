"""Which text can be written as XML 1.0 (§2.2, production Char)."""

from __future__ import annotations

import re

NOT_XML = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
"""Characters that no XML document has, not even as references; for a class of a regular expression."""
_FOUND = re.compile(f"[{NOT_XML}]")


def is_xml_text(text: str) -> bool:
    """Whether every character of a text can stand in XML."""
    return _FOUND.search(text) is None
