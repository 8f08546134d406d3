"""Regular expressions of users, which must neither hang nor grow the process (design D11)."""

from __future__ import annotations

from collections.abc import Callable

import re2  # type: ignore[import-untyped]

from broker.errors import BrokerError, Code

MAX_MEMORY = 256 * 1024
"""Bytes that one compiled expression and its automaton may take."""

MAX_WORK = 500_000_000
"""Instructions times bytes of one match; the worst expression takes about 5 ns for each."""


def compile_pattern(text: str) -> Callable[[bytes], bool]:
    """Compile an expression in RE2 syntax to a function that tells whether it matches the **whole** of some UTF-8.

    The function raises BrokerError ``user.message.invalid`` where the bytes are too many for so large an expression.

    Raises:
        BrokerError: ``user.query.invalid`` for an expression that is malformed or too large.
    """
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.never_capture = True
    options.log_errors = False
    try:
        expression = re2.compile(text.encode(), options)
    except UnicodeEncodeError as error:
        raise BrokerError(
            Code.USER_QUERY_INVALID, f"The regular expression has no valid character at {error.start + 1}."
        ) from None
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace")
        raise BrokerError(Code.USER_QUERY_INVALID, f"The regular expression is not valid: {reason}") from None
    fullmatch = expression.fullmatch
    limit = MAX_WORK // max(1, expression.programsize)

    def matches(subject: bytes) -> bool:
        if len(subject) > limit:
            raise BrokerError(
                Code.USER_MESSAGE_INVALID, f"{len(subject)} bytes are too many for so large a regular expression."
            )
        return fullmatch(subject) is not None

    return matches
