"""Levels of the log, as administrative messages name them (spec xmlblaster §16.9)."""

from __future__ import annotations

import sys

from broker.errors import BrokerError, Code
from broker.logs.audit import NAMESPACE as AUDIT
from broker.logs.settings import Level
from broker.logs.timed_levels import TimedLevels

LEVELS = {
    "OFF": Level.CRITICAL,
    "SEVERE": Level.ERROR,
    "WARNING": Level.WARN,
    "INFO": Level.INFO,
    "CONFIG": Level.INFO,
    "FINE": Level.DEBUG,
    "FINER": Level.DEBUG,
    "FINEST": Level.DEBUG,
    "ALL": Level.DEBUG,
}
"""Levels by the names that xmlBlaster's clients give them."""
NAMES = {
    Level.CRITICAL: "OFF",
    Level.ERROR: "SEVERE",
    Level.WARN: "WARNING",
    Level.INFO: "INFO",
    Level.DEBUG: "FINE",
}
"""What clients are told."""


def read_level(levels: TimedLevels | None, namespace: str) -> str:
    """The name of the level that holds for a part.

    Args:
        levels: of the log; ``None`` where it is not the broker's own.
        namespace: of the part, for example ``broker.core``.

    Raises:
        BrokerError: ``user.illegalArgument`` where there is no such part, ``resource.admin.unavailable`` where there
            are no levels.
    """
    return NAMES[_checked(levels, namespace).of(namespace)]


def change_level(levels: TimedLevels | None, namespace: str, name: str) -> None:
    """Change the level of a part until the broker stops.

    Args:
        levels: as :func:`read_level`.
        namespace: as :func:`read_level`.
        name: a name of :data:`LEVELS`, or of the property ``log.level``.

    Raises:
        BrokerError: as :func:`read_level`; ``user.illegalArgument`` for a name that is none.
    """
    checked = _checked(levels, namespace)
    level = LEVELS.get(name.strip().upper())
    if level is None:
        try:
            level = Level(name.strip().lower())
        except ValueError:
            known = ", ".join([*LEVELS, *Level])
            raise BrokerError(
                Code.USER_ILLEGAL_ARGUMENT, f"'{name[:64]}' is not a level of the log, but {known} are"
            ) from None
    checked.set(namespace, level)


def check_part(namespace: str) -> None:
    """Refuse the name of a part that there is not.

    Raises:
        BrokerError: ``user.illegalArgument``.
    """
    if namespace != AUDIT and namespace not in sys.modules:
        raise BrokerError(
            Code.USER_ILLEGAL_ARGUMENT, f"no part of the broker has the name '{namespace[:64]}'; broker.core is one"
        )


def _checked(levels: TimedLevels | None, namespace: str) -> TimedLevels:
    if levels is None:
        raise BrokerError(Code.RESOURCE_ADMIN_UNAVAILABLE, "the log is not the broker's own, so its levels are not")
    check_part(namespace)
    return levels
