"""Objects that are named in the configuration to have metrics of their own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.admin.filtering import by_pattern
from broker.config.kinds import Kind

BETWEEN = "~"
"""Stands between login name and number of a session in the name of its queue."""
MAX_OBJECTS = 200
ANY = "*"


class ObjectKind(StrEnum):
    """What is named."""

    TOPIC = "topic"
    QUEUE = "queue"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Named:
    """An entry of the configuration.

    Args:
        text: as it stands there, ``topic:weather``.
        kind: of the objects.
        name: theirs, with ``*`` at the beginning or the end for any text.
    """

    text: str
    kind: ObjectKind
    name: str

    @property
    def is_pattern(self) -> bool:
        """Whether it may stand for many."""
        return ANY in self.name


def read_named(text: str) -> tuple[Named, ...]:
    """The objects of a comma list.

    Raises:
        ValueError: for what names none, a session by a number that the broker gives, or too many.
    """
    found: list[Named] = []
    for each in (part.strip() for part in text.split(",")):
        if not each:
            continue
        kind, colon, name = each.partition(":")
        if not colon or not name or kind not in tuple(ObjectKind):
            raise ValueError(f"'{each[:64]}' is not topic:OID, queue:RELATING/OWNER or subject:NAME")
        by_pattern(str).read(name)  # refuses a star in the middle
        if f"{BETWEEN}-" in name:
            raise ValueError(f"'{each[:64]}': a session whose number the broker gives is another one each time")
        found.append(Named(each, ObjectKind(kind), name))
    if len(found) > MAX_OBJECTS:
        raise ValueError(f"{len(found)} objects are too many: {MAX_OBJECTS} at most")
    return tuple(dict.fromkeys(found))


NAMED_OBJECTS: Kind[tuple[Named, ...]] = Kind(
    "comma list of topic:OID, queue:RELATING/OWNER and subject:NAME",
    read_named,
    lambda found: ",".join(each.text for each in found),
)
