"""The grammar of administrative commands (spec xmlblaster §16.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from broker.errors import BrokerError, Code
from broker.model.key import COMMAND_PREFIX
from broker.model.number import whole

MAX_CHARACTERS = 4096
"""Of a command without its node and its value."""
_SHOWN = 200

_FORM = re.compile(
    r"(?:/node/(?P<node>[^/?]+))?/?(?P<context>[^?]*)\?(?P<attribute>[^=]*)(?:=(?P<value>.*))?", re.DOTALL
)
_CLIENT = re.compile(r"client/(?P<name>[^/]+)(?:/(?:session/)?(?P<number>-?[0-9]{1,18}))?")


class Kind(StrEnum):
    """What a command is about."""

    NODE = "node"
    CLIENT = "client"
    SESSION = "session"
    TOPIC = "topic"
    SUBSCRIPTION = "subscription"
    PROPERTY = "sysprop"
    LOGGING = "logging"


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Args:
        kind: of what it is about.
        name: login name, oid, subscription id; empty for node, properties and logging.
        number: of the session.
        attribute: what is read or changed.
        value: new value or argument; ``None`` where there is none.
        context: the text between node and attribute, as it was given.
    """

    kind: Kind
    name: str
    number: int
    attribute: str
    value: str | None
    context: str

    @property
    def oid(self) -> str:
        """The oid that permissions are about: relative, without a value."""
        return f"{COMMAND_PREFIX}{self.context}?{self.attribute}"

    def address(self, node: str) -> str:
        """The absolute form without a value, ``/node/heron/client/joe/?uptime``."""
        return f"/node/{node}/{self.context}?{self.attribute}"


def parse(text: str, node: str) -> Command:
    """Read a command, with or without ``__cmd:`` in front.

    Args:
        text: ``[/node/<id>/]?attribute[=value]``, or with ``client/<name>/``, ``client/<name>[/session]/<number>/``,
            ``topic/<oid>/``, ``subscription/<id>/``, ``sysprop/`` or ``logging/`` before the question mark.
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
    if form.end("attribute") - form.start("context") > MAX_CHARACTERS:
        raise _wrong(text, f"it is longer than {MAX_CHARACTERS} characters")
    kind, name, number = _context(form["context"].removesuffix("/"), text)
    return Command(kind, name, number, attribute, form["value"], form["context"])


def _context(context: str, text: str) -> tuple[Kind, str, int]:
    if not context:
        return Kind.NODE, "", 0
    client = _CLIENT.fullmatch(context)
    if client is not None:
        number = whole(client["number"] or "0", "the session's number")
        return (Kind.SESSION if number else Kind.CLIENT), client["name"], number
    start, _, name = context.partition("/")
    if start in (Kind.TOPIC, Kind.SUBSCRIPTION) and name:
        return Kind(start), name, 0
    if start in (Kind.PROPERTY, Kind.LOGGING) and not name:
        return Kind(start), "", 0
    raise _wrong(text, f"'{context[:_SHOWN]}' is not known")


def _wrong(text: str, reason: str) -> BrokerError:
    return BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{text[:_SHOWN]}' is not an administrative command: {reason}")
