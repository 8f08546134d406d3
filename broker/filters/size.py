"""The filter ``ContentLenFilter``: the length of the content (spec xmlblaster §12.1)."""

from __future__ import annotations

from broker.errors import BrokerError, Code
from broker.filters.candidate import Candidate, Predicate
from broker.model.number import whole_or_none

DEFAULT_MAX_LENGTH = 1_000_000
"""Bytes, where the filter's text is empty."""
MAX_LENGTH = 10**18 - 1


def compile_size(text: str) -> Predicate:
    """Let messages pass whose content has at most so many bytes.

    Raises:
        BrokerError: ``user.query.invalid`` where the text is no such number.
    """
    limit = _number(text) if text else DEFAULT_MAX_LENGTH

    def passes(candidate: Candidate) -> bool:
        return len(candidate.content) <= limit

    return passes


def _number(text: str) -> int:
    number = whole_or_none(text, 0, MAX_LENGTH)
    if number is None:
        raise BrokerError(Code.USER_QUERY_INVALID, f"The length limit '{text[:64]}' is not a number of bytes.")
    return number
