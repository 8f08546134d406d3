"""What keeps the first entry of a queue from leaving it, as those tell who deliver it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Hindrance(StrEnum):
    """Why a queue waits. This set is closed: metrics and filters are made of it."""

    RUN_LEVEL = "runLevel"
    STORE_FAILING = "storeFailing"
    COMMIT_PENDING = "commitPending"
    ON_DISK = "onDisk"
    HELD_BACK = "heldBack"
    NO_RECEIVER = "noReceiver"
    RECEIVER_AWAY = "receiverAway"
    RECEIVER_BEING_CALLED = "receiverBeingCalled"
    TAKEN_OVER = "takenOver"
    DETACHED_STREAM = "detachedStream"
    UNANSWERED = "unanswered"
    WINDOW_FULL = "windowFull"
    NOT_READING = "notReading"
    COLLECTING = "collecting"
    STALLED = "stalled"
    LOGIN_BLOCKED = "loginBlocked"
    NO_SESSION_TAKES = "noSessionTakes"
    FLOWING = "flowing"
    """Nothing does: entries leave."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One reason why a queue waits.

    Args:
        code: which.
        since: when that began, in milliseconds since 1970; 0 where it is not known.
        params: what else is known of it; names have their units in them.
    """

    code: Hindrance
    since: int = 0
    params: Mapping[str, str | int | float] = field(default_factory=dict)
