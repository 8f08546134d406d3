"""LIKE patterns as regular expressions (spec xmlblaster §12.1)."""

from __future__ import annotations

from broker.errors import BrokerError, Code

WILDCARDS = {"%": ".*", "_": "."}


def like_expression(pattern: str, escape: str | None = None) -> str:
    """The regular expression for a LIKE pattern: ``%`` is any text, ``_`` any character.

    Args:
        pattern: of the selector.
        escape: a character that takes the meaning from a following wildcard or from itself.

    Raises:
        BrokerError: ``user.query.invalid`` where the escape is not one character or stands before another one.
    """
    if escape is not None and len(escape) != 1:
        raise BrokerError(Code.USER_QUERY_INVALID, f"the escape '{escape[:64]}' of LIKE is not one character")
    pieces = ["(?s)"]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            escaped = next(characters, "")
            if escaped != escape and escaped not in WILDCARDS:
                raise BrokerError(Code.USER_QUERY_INVALID, f"the escape '{escape}' of LIKE stands before no wildcard")
            pieces.append(_literal(escaped))
        else:
            pieces.append(WILDCARDS.get(character) or _literal(character))
    return "".join(pieces)


def _literal(character: str) -> str:
    if character.isalnum() or not character.isascii():
        return character
    return f"\\x{{{ord(character):x}}}"
