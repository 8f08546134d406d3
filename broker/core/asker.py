"""Who asks for something by administration, over no session of the core."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody whom administration has let in, and whose right to what is asked it has checked.

    Args:
        principal: login name, ``uid 0``, or user of the operating system.
        role: that it has; empty where none is needed.
        via: how it came: ``socket``, ``session``, ``token …``, ``__cmd …``, ``command``, ``signal``.
        peer: its address; empty where there is none.
        session: over which it came, of those that send messages.
        request: id of the request; empty where there is none.
    """

    principal: str
    role: str = ""
    via: str = ""
    peer: str = ""
    request: str = ""
    session: str = ""

    @property
    def sender(self) -> str:
        """Its name as receivers are told it: a user of the operating system is no login name, and may have blanks."""
        return self.principal.replace(" ", "_").replace("/", "_")
