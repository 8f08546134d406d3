"""What peers of an HTTP site may do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits of a site; times in seconds, sizes in bytes.

    Args:
        max_connections: at once.
        max_of_address: connections of one address; an IPv6 address counts as its /64 network, and this machine's own
            have no limit, as a proxy may stand for many.
        max_headers: number of header fields of a request.
        max_header_size: of the request line and all header fields.
        max_body: of a request.
        max_bodies: of all requests that are not complete yet.
        request_timeout: from the first byte of a request to its last.
        idle_timeout: of a connection on which nothing comes and nothing is served.
        stop_grace: for requests that are being served when the site closes.
    """

    max_connections: int = 200
    max_of_address: int = 20
    max_headers: int = 100
    max_header_size: int = 16 << 10
    max_body: int = 1 << 20
    max_bodies: int = 8 << 20
    request_timeout: float = 30.0
    idle_timeout: float = 60.0
    stop_grace: float = 1.0


DEFAULT_LIMITS = HttpLimits()
