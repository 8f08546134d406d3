"""The audit of administrative messages: who changed what, with which outcome."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from broker.admin.address import Command
from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.errors import BrokerError
from broker.logs.audit import CountedAudit, audit

_SECRET = re.compile("(?<!ht)passw|passphrase|secret(?!file)|token|credential", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^:/@\s]*):[^@/\s]*@")
HIDDEN = "***"
PROPERTY_OF_CLIENT = "addRemoteProperty"


def shown(name: str, value: str) -> str:
    """A value as others may see it.

    Args:
        name: of the property or attribute that has it; one that sounds like a secret is not shown at all.
        value: in which passwords of URLs are hidden.
    """
    if name == PROPERTY_OF_CLIENT:  # whatever its clients keep there
        return value.partition("&")[0]
    return HIDDEN if _SECRET.search(name) else _PASSWORD_IN_URL.sub(rf"\1:{HIDDEN}@", value)


def named(command: Command) -> tuple[str, str]:
    """Action and target of a command: ``session.killSession``, ``client/joe/1``."""
    return f"{command.kind}.{command.attribute}", command.context.strip("/")


class ChangeAudit:
    """One line for each change of an administrator, also where it fails; those of others are counted by login name.

    Args:
        broker: the core.
    """

    def __init__(self, broker: Broker) -> None:
        self._is_administrator = broker.rights.is_administrator
        self._of_others = CountedAudit(broker.node.monotonic, "changes")

    @contextmanager
    def change(self, session: Session, action: str, target: str = "", *, parameters: str = "") -> Iterator[None]:
        """Write a line when a change has been made, or has failed.

        Args:
            session: who makes it.
            action: what it is.
            target: what it changes; empty for the node.
            parameters: with which; no secret is among them.
        """
        fields: dict[str, object] = {
            "principal": session.subject.name,
            "via": "__cmd",
            "session": session.name.relative,
            "target": target,
            "parameters": parameters,
        }
        outcome: dict[str, object] = {"outcome": "failed"}
        try:
            yield
            outcome = {"outcome": "done"}
        except BrokerError as error:
            outcome |= {"code": error.code, "reason": error.message}
            raise
        finally:
            if self._is_administrator(session):
                audit(action, fields | outcome)
            else:
                self._of_others.note(session.subject.name, action, fields | outcome)
