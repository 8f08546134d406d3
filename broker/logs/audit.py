"""The audit: one line for each login, refused login and administrative change, in a namespace of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from time import time

from twisted.logger import Logger, LogLevel

from broker.logs.limit import NamedLogLimits, lines
from broker.model.host import network_of

NAMESPACE = "broker.audit"
"""Of all lines of the audit, so that they can be found and sent elsewhere."""
MAX_VALUE = 200
"""Characters of a value that peers have chosen."""
_PLAIN = re.compile(r"[!#-&(-<>-\[\]-~]+")
"""Visible ASCII characters but for quotes, the equals sign and the backslash."""

log = Logger(NAMESPACE)


def audit(action: str, fields: Mapping[str, object]) -> None:
    """Write one line of the audit: ``login principal=joe via=native peer=192.0.2.7``.

    Args:
        action: what was done, e.g. ``login`` or ``session.killSession``.
        fields: what else is to be known of it, in this order; nobody's password is among them. What is empty is left
            out.
    """
    given = {name: value for name, value in fields.items() if value}
    event = {
        **given,
        "action": action,
        "audit": line(action, given),
        "log_format": "{audit}",
        "log_level": LogLevel.info,
        "log_logger": log,
        "log_namespace": NAMESPACE,
        "log_source": None,
        "log_time": time(),
    }
    log.observer(event)  # as Logger.info does, which sorts all levels before


def line(action: str, fields: Mapping[str, object]) -> str:
    """The text of a line; values that are not one plain word are quoted, and long ones cut."""
    parts = [action]
    for name, value in fields.items():
        if value:
            text = str(value)[:MAX_VALUE]
            parts.append(f"{name}={text if _PLAIN.fullmatch(text) else repr(text)}")
    return " ".join(parts)


class CountedAudit:
    """Lines of the audit that anybody can cause: one a minute for whoever does, with the number of the others.

    Args:
        monotonic: seconds by a clock that nobody sets.
        what: they are about, in the plural.
    """

    def __init__(self, monotonic: Callable[[], float], what: str) -> None:
        self._limits = NamedLogLimits(monotonic, lines(log.warn), what)

    def note(self, asker: str, action: str, fields: Mapping[str, object]) -> None:
        """Something was done or refused.

        Args:
            asker: an address or a login name, by which lines are counted.
            action: that was asked for.
            fields: see :func:`audit`.
        """
        self._limits.tell(asker, lambda: line(action, fields))


class LoginAudit:
    """The audit of logins, over whatever protocol.

    Args:
        monotonic: seconds by a clock that nobody sets.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._refusals = CountedAudit(monotonic, "refused logins")

    def admitted(self, user: str, via: str, peer: str, **more: object) -> None:
        """Somebody has logged in.

        Args:
            user: the login name.
            via: the protocol.
            peer: address that the client has.
            more: what else is to be known of it.
        """
        audit("login", {"principal": user, "via": via, "peer": peer, **more})

    def refused(self, user: str, via: str, peer: str, reason: str, **more: object) -> None:
        """Somebody was not let in; told once a minute and address, or network of IPv6.

        Args:
            user: the login name as it was sent; empty where none was.
            via: the protocol.
            peer: address that the client has.
            reason: why.
            more: what else is to be known of it.
        """
        fields = {"principal": user, "via": via, "peer": peer, **more, "outcome": "refused", "reason": reason}
        self._refusals.note(network_of(peer), "login", fields)
