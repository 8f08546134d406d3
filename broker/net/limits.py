"""What a peer of a listener may do to its socket, whatever protocol it speaks."""

from __future__ import annotations

from dataclasses import dataclass

ROOM = 192 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may do. Times in seconds.

    An address is an IPv4 address or the /64 network of an IPv6 address; those of this machine have no limits as
    addresses, since a proxy may stand for many.

    Args:
        handshake_timeout: until a TLS handshake must be over.
        write_timeout: a peer whose buffer is full must have read something by then.
        room: bytes that may wait for a peer on top of a full buffer before its stream is told to write no more.
        max_unread: bytes that may come on top of a full buffer; a peer that leaves more unread is let go of.
        close_timeout: after its connection was closed a peer must have read something, or closed its side, by then.
        stop_grace: the same where the listener closes and the peer has taken everything, so that a stop takes a second;
            one that is still reading has ``close_timeout``.
        max_connections: connections of one listener.
        max_strangers: those of them that have not logged in yet.
        max_pending: connections of one address that have not logged in yet.
        rate: new connections of one address in a second, in the long run; ``0`` for any number.
        burst: new connections of one address at once.
    """

    handshake_timeout: float = 15.0
    write_timeout: float = 30.0
    room: int = ROOM
    max_unread: int = 128 << 20
    close_timeout: float = 5.0
    stop_grace: float = 0.5
    max_connections: int = 100_000
    max_strangers: int = 20_000
    max_pending: int = 1000
    rate: int = 100
    burst: int = 1000
