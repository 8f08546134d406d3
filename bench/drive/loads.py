"""All loads by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bench.drive.native import NativeAbsent, NativeLatency, NativeLoad
from bench.drive.xmpp import XmppLoad


class Load(Protocol):
    """What a driver does."""

    def run(self) -> dict[str, float]:
        """Do it; returns figures by name."""
        ...


LOADS: Mapping[str, Callable[..., Load]] = {
    "native": NativeLoad,
    "native-latency": NativeLatency,
    "native-absent": NativeAbsent,
    "xmpp": XmppLoad,
}
