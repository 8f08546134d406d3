"""What a stream needs of its connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cryptography import x509

from broker.net.tls_details import TlsDetails
from broker.net.turns import GivesWay
from broker.net.unread import UnreadTotal


class StreamTransport(GivesWay, Protocol):
    """A connection, as :class:`broker.xmpp.stream.connection.StreamConnection` sees it.

    Over TCP it is a :class:`broker.net.transport.Connection`.
    """

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""

    @property
    def can_start_tls(self) -> bool:
        """Whether the stream may start TLS on it."""

    def probe(self) -> bool:
        """Ask the peer for a sign of life below the stream; ``False`` where the connection has no such thing."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def start_tls(self) -> None:
        """Begin the TLS handshake, as soon as what was written is out; then the stream's ``secured()`` is called."""

    def close(self) -> None:
        """Send what was written, then close; a peer that does not read it is given up after a while."""

    def abort(self) -> None:
        """Close now."""

    def logged_in(self, account: str, unread: UnreadTotal | None = None) -> None:
        """The connection has logged in, and counts no more as one of strangers.

        Args:
            account: with whose other connections it takes turns.
            unread: counts what these do not take.
        """

    def channel_bindings(self) -> Mapping[str, bytes]:
        """Channel binding data by type; empty without TLS (RFC 5929, RFC 9266)."""

    def tls_details(self) -> TlsDetails | None:
        """How the connection is secured; ``None`` without TLS, or where it is not known."""

    def client_certificate(self) -> x509.Certificate | None:
        """The certificate of the client, where it has shown one that was verified."""
