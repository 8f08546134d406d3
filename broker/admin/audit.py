"""The audit of administrative messages: who changed what, with which outcome."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.admin.address import Command
from broker.core.asker import Asker
from broker.core.audit_trail import Change
from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.errors import BrokerError
from broker.logs.audit import CountedAudit

_SECRET = re.compile("(?<!ht)passw(?!ordLength)|passphrase|secret(?!file)|token|credential", re.IGNORECASE)
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


ALWAYS = frozenset({"node.runlevel"})
"""Actions that must be possible also where they cannot be written down."""
LOGGING = "logging."


class ChangeAudit:
    """Changes by messages: those of an administrator are written down, as all that administration changes.

    Those of others, of what is their own or refused, are counted by login name.

    Args:
        broker: the core.
    """

    def __init__(self, broker: Broker) -> None:
        self._is_administrator = broker.rights.is_administrator
        self._trail = broker.node.trail
        self._of_others = CountedAudit(broker.node.monotonic, "changes")

    @asynccontextmanager
    async def change(
        self, session: Session, action: str, target: str = "", *, parameters: str = ""
    ) -> AsyncIterator[None]:
        """Make a change inside of this.

        Args:
            session: who makes it.
            action: what it is.
            target: what it changes; empty for the node.
            parameters: with which; no secret is among them.

        Raises:
            BrokerError: ``resource.db.unavailable`` where it cannot be written down.
        """
        if self._is_administrator(session):
            asker = Asker(session.subject.name, via="__cmd", session=session.name.relative)
            always = action in ALWAYS or action.startswith(LOGGING)
            async with self._trail.change(Change(asker, action, target, parameters), always=always):
                yield
            return
        outcome: dict[str, object] = {"outcome": "failed"}
        try:
            yield
            outcome = {"outcome": "done"}
        except BrokerError as error:
            outcome |= {"code": error.code, "reason": error.message}
            raise
        finally:
            fields = {
                "principal": session.subject.name,
                "via": "__cmd",
                "session": session.name.relative,
                "target": target,
                "parameters": parameters,
            }
            self._of_others.note(session.subject.name, action, fields | outcome)
