"""Clients that nobody looks at are spared presence until somebody does (XEP-0352)."""

from __future__ import annotations

from broker.xmpp.domain import Client, Domain

MOST_HELD = 1000
"""Presence stanzas that are held for one client; then they go out all the same."""


class Activity:
    """Holds presence back from inactive clients, the newest of each sender only.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._held: dict[Client, dict[str, bytes]] = {}
        domain.on_ended.append(self._forget)
        domain.on_resumed.append(self._resumed)

    def changed(self, client: Client, *, active: bool) -> None:
        """The client says whether somebody looks (XEP-0352 §4)."""
        client.active = active
        if active:
            self._flush(client)

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
            if not client.active and client in self._held:
                self._flush(client)  # what was held comes first, since the radio is on now anyway
            return False
        held = self._held.setdefault(client, {})
        held.pop(key, None)
        held[key] = data
        if len(held) > MOST_HELD:
            self._flush(client)
        return True

    def _flush(self, client: Client) -> None:
        for key, data in self._held.pop(client, {}).items():
            self._domain.send(client.session, data, key)

    def _resumed(self, client: Client) -> None:
        self.changed(client, active=True)

    def _forget(self, client: Client) -> None:
        self._held.pop(client, None)
