"""The filter ``GnuRegexFilter``: a regular expression over the content (spec xmlblaster §12.1)."""

from __future__ import annotations

from broker.filters.candidate import Candidate, Predicate
from broker.filters.pattern import compile_pattern


def compile_regex(text: str) -> Predicate:
    """Let messages pass whose whole content matches.

    The content is read as UTF-8, and as ISO 8859-1 where it is none: every content can be matched. A dot does not match
    the end of a line unless the expression begins with ``(?s)``.

    Raises:
        BrokerError: ``user.query.invalid`` for an expression that is malformed or too large.
    """
    matches = compile_pattern(text)

    def passes(candidate: Candidate) -> bool:
        return matches(_as_utf8(candidate.content))

    return passes


def _as_utf8(content: bytes) -> bytes:
    if content.isascii():
        return content
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1").encode()
    return content
