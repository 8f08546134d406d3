"""What every load is told, and what it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load(ABC):
    """What a driver does to a server.

    Args:
        host: address of the server.
        port: of the server.
        watch: process ids of the server.
    """

    host: str
    port: int
    watch: Sequence[int]

    @abstractmethod
    def run(self) -> dict[str, float]:
        """Do it; returns figures by name."""


@dataclass(frozen=True, slots=True)
class TimedLoad(Load):
    """A load that goes on for a time.

    Args:
        seconds: of measurement.
        warm_up: seconds before it.
    """

    seconds: float
    warm_up: float
