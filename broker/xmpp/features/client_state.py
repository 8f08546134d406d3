"""Clients that nobody looks at are spared presence until somebody does (XEP-0352)."""

from __future__ import annotations

from broker.xmpp.routing.domain import Client, Domain

MAX_HELD = 1000
"""Presence stanzas that are held for one client; then they go out all the same."""


class Activity:
    """Holds presence back from inactive clients, the newest of each sender only.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._delivery = domain.delivery

    def changed(self, client: Client, *, active: bool) -> None:
        """The client says whether somebody looks (XEP-0352 §4)."""
        client.active = active
        if active:
            self._delivery.release(client.session)

    def hold(self, client: Client, data: bytes, key: str) -> bool:
        """Hold a stanza back.

        Args:
            client: that it is for.
            data: the stanza.
            key: of those that replace each other.

        Returns:
            ``False`` where it must go out now.
        """
        if client.active or not key.startswith("presence "):
            if not client.active:
                self._delivery.release(client.session)  # what was held comes first, since the radio is on now anyway
            return False
        held = self._delivery.held.setdefault(client.session, {})
        held.pop(key, None)
        held[key] = data
        if len(held) > MAX_HELD:
            self._delivery.release(client.session)
        return True

    def resumed(self, client: Client) -> None:
        """On a new connection somebody looks until the client says something else."""
        self.changed(client, active=True)

    def ended(self, client: Client) -> None:
        """What was held back is of no use any more."""
        self._delivery.held.pop(client.session, None)
