"""The grammar of administrative commands (spec xmlblaster §16.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from broker.errors import BrokerError, Code
from broker.model.key import COMMAND_PREFIX

NODE = "node"
CLIENT = "client"
SESSION = "session"
TOPIC = "topic"
SUBSCRIPTION = "subscription"
PROPERTY = "sysprop"
LOGGING = "logging"

_FORM = re.compile(r"(?:/node/(?P<node>[^/]+)/)?(?P<context>[^?]*)\?(?P<attribute>[^=]*)(?:=(?P<value>.*))?", re.DOTALL)
_CLIENT = re.compile(r"client/(?P<name>[^/]+)(?:/(?:session/)?(?P<number>-?\d+))?")


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Args:
        kind: of what it is about: ``node``, ``client``, ``session``, ``topic``, ``subscription``, ``sysprop`` or
            ``logging``.
        name: login name, oid, subscription id; empty for the node.
        number: of the session.
        attribute: what is read or changed.
        value: new value; ``None`` to read.
        context: the text between node and attribute, as it was given.
    """

    kind: str
    name: str
    number: int
    attribute: str
    value: str | None
    context: str

    def address(self, node: str) -> str:
        """The absolute form without a value, ``/node/heron/client/joe/?uptime``."""
        return f"/node/{node}/{self.context}?{self.attribute}"


def parse(text: str, node: str) -> Command:
    """Read a command, with or without ``__cmd:`` in front.

    Args:
        text: the command.
        node: id of this node.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is none, or is about another node.
    """
    form = _FORM.fullmatch(text.removeprefix(COMMAND_PREFIX))
    if form is None:
        raise _wrong(text, "it has no '?attribute'")
    if form["node"] not in (None, node):
        raise _wrong(text, f"this is node '{node}'")
    attribute = form["attribute"].strip()
    if not attribute:
        raise _wrong(text, "it names no attribute")
    kind, name, number = _context(form["context"].strip("/"), text)
    return Command(kind, name, number, attribute, form["value"], form["context"])


def _context(context: str, text: str) -> tuple[str, str, int]:
    if not context:
        return NODE, "", 0
    client = _CLIENT.fullmatch(context)
    if client is not None:
        number = int(client["number"] or 0)
        return (SESSION if number else CLIENT), client["name"], number
    kind, _, name = context.partition("/")
    if kind in (TOPIC, SUBSCRIPTION) and name:
        return kind, name, 0
    if kind in (PROPERTY, LOGGING) and not name:
        return kind, "", 0
    raise _wrong(text, f"'{context}' is not known")


def _wrong(text: str, reason: str) -> BrokerError:
    return BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{text}' is not an administrative command: {reason}")
