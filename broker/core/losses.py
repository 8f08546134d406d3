"""Messages that went without a word: nobody got them, and they are no dead messages either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.core.trace import Trace


@dataclass(slots=True)
class Losses:
    """How many there were since the core came up. These numbers never fall.

    Attributes:
        expired: whose time was over, in histories and in queues.
        stale: that were superseded by newer ones, or erased, before they were delivered.
        discarded: that did not fit into a queue whose ``onOverflow`` is ``discard``.
        discarded_oldest: that made room for newer ones, where it is ``discardOldest``.
        trace: is told of them while anybody looks on; ``None`` while nobody does.
    """

    expired: int = 0
    stale: int = 0
    discarded: int = 0
    discarded_oldest: int = 0
    trace: Trace | None = None
