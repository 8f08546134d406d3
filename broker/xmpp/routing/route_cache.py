"""Where the messages of a client go that it sends again and again, worked out once (design D10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.core.message import Envelope
    from broker.core.sessions import Session
    from broker.model.jid import JID

MAX_ROUTES = 64
"""Routes of one client; a client that never repeats itself starts over."""
LONGEST_ADDRESS = 256
"""Characters of an address that is worth remembering."""


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of the messages of one client with one address, which is a client's, and one type.

    Args:
        to: the address.
        session: that gets them.
        may_wait: whether messages of the type are kept for a receiver that is away.
        durable: envelope of those that are worth keeping.
        transient: envelope of the others.
        copied: whether anybody else may get copies.
        id_head: beginning of the ``<stanza-id/>`` that is added to what is worth keeping; empty where none is.
    """

    to: JID
    session: Session
    may_wait: bool
    durable: Envelope
    transient: Envelope
    copied: bool
    id_head: bytes


class RouteCache:
    """The routes of one client, by address and type as the client writes them."""

    __slots__ = ("_changes", "_routes")

    def __init__(self) -> None:
        self._changes = -1
        self._routes: dict[tuple[str, str], Route] = {}

    def __len__(self) -> int:
        return len(self._routes)

    def find(self, to: str, type: str, changes: int) -> Route | None:
        """A route that still holds.

        Args:
            to: the address.
            type: of the message.
            changes: :attr:`broker.xmpp.routing.domain.Domain.changes`.
        """
        if changes != self._changes:
            self._routes.clear()
            self._changes = changes
        return self._routes.get((to, type))

    def remember(self, to: str, type: str, route: Route) -> None:
        """Keep a route; after :meth:`find` of the same ``changes``."""
        if len(to) + len(type) > LONGEST_ADDRESS:
            return
        if len(self._routes) >= MAX_ROUTES:
            self._routes.clear()
        self._routes[to, type] = route
