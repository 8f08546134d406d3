"""The form of the commands that ask a broker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Form(Enum):
    """How a command asks, and what it makes of the answer."""

    LIST = "list"
    """Pages of rows, as a table."""
    COUNT = "count"
    """The number of rows that match."""
    SHOW = "show"
    """One object, a line for each field."""
    CHANGE = "change"
    """A change, and what came of it."""
    WHY = "why"
    """The reasons why a queue waits."""
    STATUS = "status"
    TOP = "top"
    EVENTS = "events"
    TAIL = "tail"
    HEALTH = "health"
    DIAGNOSE = "diagnose"
    METRICS = "metrics"
    API = "api"
    EXPORT = "export"
    """A document, as it is sent."""
    IMPORT = "import"
    """A document out of a file, and what it changes."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A name on the command line that stands for parameters of the path.

    Args:
        metavar: what the help calls it.
        parameters: one, or two with ``/`` between their values.
        help: what it is, with an example.
        cut_last: of several ``/`` the last one counts, else the first.
    """

    metavar: str
    parameters: tuple[str, ...]
    help: str
    cut_last: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """A command.

    Args:
        name: one word, or a noun and a verb.
        help: what it does.
        operation: that it asks for; empty where that depends on its arguments.
        form: how.
        argument: what it is about; ``None`` for everything.
        columns: fields that a list shows unless others are named, the first of which is the name of an object.
        also: more operations that it asks for.
        rows: member of the answer that a list shows.
        fixed: members of the body of a change, or parameters of a list, that are the same each time.
        positional: members of the body that are arguments, in their order.
        takes: members of the body that have options; ``None`` for all.
        rehearsed: list whose filters it takes: a dry run tells how many these find, and it is done for as many only.
        confirm: a member that repeats what a parameter of the path says, and that parameter.
        seen: operation that tells of the object before, whose ``revision`` the change is for (``If-Match``).
        prints: member of the answer that is a text, and is printed instead of all.
        secret: member of the body that is a password: it is asked for, or read from standard input.
        loses: what a change destroys, for the question that is asked before; empty where there is none.
        examples: command lines.
        offline: where no broker runs it is done on the database.
    """

    name: str
    help: str
    operation: str
    form: Form
    argument: Argument | None = None
    columns: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    rows: str = "items"
    fixed: tuple[tuple[str, object], ...] = ()
    positional: tuple[str, ...] = ()
    takes: tuple[str, ...] | None = None
    rehearsed: str = ""
    confirm: tuple[str, str] = ("", "")
    seen: str = ""
    prints: str = ""
    secret: str = ""
    loses: str = ""
    examples: tuple[str, ...] = ()
    offline: bool = False

    @property
    def operations(self) -> tuple[str, ...]:
        """All operations that it asks for."""
        return (self.operation, *self.also) if self.operation else self.also
