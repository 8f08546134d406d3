"""What the connections of one listener did, together."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field

from broker.net.read_pauses import Pause


@dataclass(slots=True)
class ConnectionCounts:
    """Numbers of a listener's connections, also of those that are gone; all but :attr:`held` never fall.

    Attributes:
        received: bytes that peers have sent; with TLS those inside it.
        sent: bytes that were written to them; likewise.
        handshakes_failed: TLS handshakes that did not come to their end.
        held: connections that are not read from now, by why; those with two reasons are in both.
    """

    received: int = 0
    sent: int = 0
    handshakes_failed: int = 0
    held: MutableMapping[str, int] = field(default_factory=lambda: {each.value: 0 for each in Pause})
