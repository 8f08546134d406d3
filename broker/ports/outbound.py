"""Where deliveries go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import Attribute, Interface


class IOutbound(Interface):
    """A connection that deliveries of one session can be written to (design D6)."""

    writable: bool = Attribute(
        "False while the transport's buffer is full; Session.dispatch.resume() is called when it drains."
    )

    def deliver(entries: Sequence[Any], oneway: bool) -> None:
        """Write one update with these queue entries.

        Unless ``oneway``, the session's dispatch is told ``acknowledged()``, ``refused(error)`` or ``lost(error)``, but
        not from within this call.
        """

    def deliver_oneway(entries: Sequence[Any]) -> None:
        """Write an update for each of these queue entries; none is answered."""

    def ping() -> None:
        """Ask whether the client is there; its dispatch is told ``ponged()`` or ``lost(error)``."""

    def close(reason: str) -> None:
        """Let go of the connection because another one owns the session now, or the session ended."""
