"""Stream management between a client and the server, as the manager between them sees it (XEP-0198)."""

from __future__ import annotations

from broker.xml.stanza import Stanza
from broker.xmpp.wire import ns
from broker.xmpp.wire.sm import MODULUS, counter_of

COUNTED = frozenset({"message", "presence", "iq"})
BEGINNINGS = frozenset({"enable", "resume"})
"""Elements behind which a client counts."""


class Management:
    """Counts what both sides of one stream count, and knows whether the stream can be resumed.

    Attributes:
        id: with which the stream may be resumed; empty where it may not.
        sent: number of the last stanza of the client, modulo 2^32.
        given: number of the last stanza that the client was given.
        unanswered: questions of the client for the server's counter.
    """

    __slots__ = ("_beginning", "_client_count", "_enabled", "_previous", "given", "id", "sent", "unanswered")

    def __init__(self) -> None:
        self.id = ""
        self.sent = 0
        self.given = 0
        self.unanswered = 0
        self._beginning = False  # the client has asked to begin or resume it
        self._enabled = False
        self._previous = ""
        self._client_count = 0

    @property
    def is_on(self) -> bool:
        """Whether the server has agreed."""
        return self._enabled

    def from_client(self, stanza: Stanza) -> int | None:
        """An element of the client; returns the number of a stanza that is counted."""
        if stanza.namespace == ns.CLIENT:
            if stanza.name in COUNTED and (self._enabled or self._beginning):
                self.sent = (self.sent + 1) % MODULUS
                return self.sent
        elif stanza.namespace == ns.SM:
            self._managed_by_client(stanza)
        return None

    def _managed_by_client(self, element: Stanza) -> None:
        if element.name == "r":
            self.unanswered += 1
        elif element.name in BEGINNINGS and not self._enabled:
            self._beginning = True
            self.sent = 0
            self._previous = element.attributes.get("previd", "")
            self._client_count = counter_of(element) or 0

    def from_server(self, stanza: Stanza) -> None:
        """An element of the server, which the client is given."""
        if stanza.namespace == ns.CLIENT:
            if self._enabled and stanza.name in COUNTED:
                self.given = (self.given + 1) % MODULUS
        elif stanza.namespace == ns.SM:
            self._managed_by_server(stanza)

    def _managed_by_server(self, element: Stanza) -> None:
        attributes = element.attributes
        match element.name:
            case "a":
                self.unanswered = max(0, self.unanswered - 1)
            case "enabled":
                self._enabled, self._beginning = True, False
                self.given = 0
                if attributes.get("resume") in ("true", "1"):
                    self.id = attributes.get("id", "")
            case "resumed":
                self._enabled, self._beginning = True, False
                self.id = self._previous
                self.given = self._client_count
                self.sent = (self.sent + (counter_of(element) or 0)) % MODULUS
            case "failed" if not self._enabled:
                self._beginning = False
