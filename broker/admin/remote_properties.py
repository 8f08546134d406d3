"""Properties that a client lets the broker keep for its session, for administrators to read (spec xmlblaster §8.7)."""

from __future__ import annotations

from collections.abc import Iterable

from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.property import ClientProperty

MERGE = "merge"
SET = "set"
CLEAR = "clear"
MAX_PROPERTIES = 1000
MAX_BYTES = 1 << 20
"""Of names and values together."""


def change(session: Session, action: str, given: Iterable[ClientProperty], prefix: str = "") -> None:
    """Change the remote properties of a session.

    Args:
        session: whose they are.
        action: ``merge`` (or nothing) adds to those that are there, ``set`` replaces them, ``clear`` removes them.
        given: the new ones.
        prefix: replace or remove only those whose names begin so.

    Raises:
        BrokerError: ``user.illegalArgument`` for another action, ``resource.exhaust`` where there would be too many;
            nothing is changed then.
    """
    known = session.remote_properties
    others = {name: each for name, each in known.items() if prefix and not name.startswith(prefix)}
    added = {each.name: each for each in given}
    match action:
        case "" | "merge":
            properties = known | added
        case "set":
            properties = others | added
        case "clear":
            properties = others
        case _:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{action[:64]}' is none of {MERGE}, {SET} and {CLEAR}")
    size = sum(len(each.name) + len(each.value) for each in properties.values())
    if len(properties) > MAX_PROPERTIES or size > MAX_BYTES:
        raise BrokerError(
            Code.RESOURCE_EXHAUST,
            f"a session has at most {MAX_PROPERTIES} remote properties, with {MAX_BYTES} bytes together",
            session.name.absolute,
        )
    session.remote_properties = properties
