"""The plugin that brings back sessions and subscriptions (requirement ``engine.persistence.session``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from broker.core.broker import Broker
from broker.ports import IPlugin


@implementer(IPlugin)
class SessionPersistence:
    """Recovers persistent sessions, their subscriptions and their queues, before any client can come.

    Args:
        context: the application.
        plugin_id: as in the plugin file.
        attributes: none.
    """

    requires = ("topics",)
    provides = ("sessions",)
    known_attributes = ()

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context

    async def start(self) -> None:
        """Recover."""
        broker: Broker = self._context.broker
        await broker.recovery.sessions()

    async def stop(self) -> None:
        """Nothing is held: what is durable is in the store already."""

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """None."""
        return ()
