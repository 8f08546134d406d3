"""Types of events as they are chosen in a configuration (spec xmlblaster §16.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from broker.core.thresholds import Wanted, read_mark
from broker.model.number import whole_or_none

DAY = 86_400_000
HEARTBEAT = "heartbeat"
MIN_HEARTBEAT = 100
"""Milliseconds between two heartbeats, at least."""
NOT_SERVED = "/persistence/msgUnitStore/event/"
"""Messages have no store of their own for each topic; the history's marks tell how full a topic is."""
_ALIASES = {"logging/error/": "logging/severe/", "logging/warn/": "logging/warning/"}
_OF_SESSIONS = "connect|disconnect|subscribe|unSubscribe|callbackState|connectionState|remoteProperties|resume|blocked"
_KNOWN = re.compile(
    r"\*"
    r"|logging/(severe|warning)/.+"
    r"|service/RunlevelManager/event/(startup|shutdown)Runlevel(-?\d+|\*)"
    rf"|client/.+/session/.+/event/({_OF_SESSIONS}|\*)"
    r"|topic/.+/event/(subscribe|unSubscribe|alive|dead|\*)"
    r"|topicStartsWith/.*/event/(subscribe|unSubscribe)"
    r"|(store|tls|alarm|login|backup|admin|events)/event/\S+",
    re.DOTALL,
)
_THRESHOLD = re.compile(
    r"((?:client/.+/session/.+/queue/callback)|(?:client/.+/queue/subject)|(?:topic/.+/queue/history))"
    r"/event/threshold\.(.+)",
    re.DOTALL,
)
_STARTS = re.compile(r"topicStartsWith/(.*)/event/(subscribe|unSubscribe)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class EventTypes:
    """The events that somebody wants.

    Args:
        pattern: matches their types.
        thresholds: marks on queues that are needed for it.
        heartbeats: milliseconds between heartbeats, likewise.
        ignored: types that there are none of here.
    """

    pattern: re.Pattern[str]
    thresholds: tuple[Wanted, ...]
    heartbeats: tuple[int, ...]
    ignored: tuple[str, ...]

    def match(self, type: str) -> bool:
        """Whether an event of this type is one of them; heartbeats are told to whoever asked for them."""
        return self.pattern.fullmatch(type) is not None


def read_event_types(text: str) -> EventTypes:
    """The types of a comma list; ``*`` stands for any text.

    Raises:
        ValueError: for a type that nothing could match.
    """
    patterns: list[str] = []
    thresholds: list[Wanted] = []
    heartbeats: list[int] = []
    ignored: list[str] = []
    for each in (_unaliased(part.strip()) for part in text.split(",")):
        if not each:
            continue
        if each == HEARTBEAT or each.startswith(f"{HEARTBEAT}."):
            heartbeats.append(_milliseconds(each))
        elif NOT_SERVED in each:
            ignored.append(each)
        elif (threshold := _THRESHOLD.fullmatch(each)) is not None:
            thresholds.append(Wanted(re.compile(_any(threshold[1]), re.DOTALL), read_mark(threshold[2])))
            patterns.append(_any(each))
        elif _KNOWN.fullmatch(each) is None:
            raise ValueError(f"there are no events '{each[:200]}'")
        elif (starts := _STARTS.fullmatch(each)) is not None:
            patterns.append(f"topic/{_any(starts[1])}.*/event/{starts[2]}")
        else:
            patterns.append(_any(each))
    return EventTypes(
        re.compile("|".join(patterns) or r"(?!)", re.DOTALL), tuple(thresholds), tuple(heartbeats), tuple(ignored)
    )


def _unaliased(type: str) -> str:
    for alias, name in _ALIASES.items():
        if type.startswith(alias):
            return name + type.removeprefix(alias)
    return type


def type_of_heartbeat(milliseconds: int) -> str:
    """The type of heartbeats that come so often."""
    return f"{HEARTBEAT}.{milliseconds}"


def _milliseconds(text: str) -> int:
    _, dot, number = text.partition(".")
    if not dot:
        return DAY
    milliseconds = whole_or_none(number, MIN_HEARTBEAT)
    if milliseconds is None:
        raise ValueError(f"'{text[:64]}': the milliseconds of a heartbeat are {MIN_HEARTBEAT} at least")
    return milliseconds


def _any(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))
