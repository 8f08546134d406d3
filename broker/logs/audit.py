"""The audit: one line for each login, refused login and administrative change, in a namespace of its own."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.logger import Logger

NAMESPACE = "broker.audit"
"""Of all lines of the audit, so that they can be found and sent elsewhere."""
MAX_VALUE = 200
"""Characters of a value that peers have chosen."""

_log = Logger(NAMESPACE)


def audit(action: str, fields: Mapping[str, object]) -> None:
    """Write one line of the audit: ``login principal=joe via=native peer=192.0.2.7``.

    Args:
        action: what was done, e.g. ``login`` or ``session.killSession``.
        fields: what else is to be known of it, in this order; nobody's password is among them. What is empty is left
            out.
    """
    given = {name: str(value)[:MAX_VALUE] for name, value in fields.items() if value not in ("", None)}
    _log.info("{audit}", audit=line(action, given), action=action, **given)


def line(action: str, fields: Mapping[str, str]) -> str:
    """The text of a line; values that are not one plain word are quoted."""
    return " ".join([action, *(f"{name}={_quoted(value)}" for name, value in fields.items())])


def _quoted(value: str) -> str:
    plain = value.isascii() and value.isprintable() and value and not set(value) & set(" \"'\\=")
    return value if plain else repr(value)
