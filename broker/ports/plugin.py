"""What the plugin file names."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import Interface


class IPlugin(Interface):
    """What the plugin file names: a small service with a life between two run levels (spec xmlblaster §14)."""

    async def start() -> None:
        """Begin to work; raises BrokerError where it cannot."""

    async def stop() -> None:
        """Let go of everything that ``start`` took."""

    def ports() -> Sequence[tuple[str, str, int]]:
        """Listening ports as ``(name, host, port)``; empty for most."""
