"""Whether a page of this site sends a request, or another one that a browser has open."""

from __future__ import annotations

from collections.abc import Mapping

SAME_ORIGIN = "same-origin"


def comes_from_here(headers: Mapping[str, str], *, secure: bool, required: bool) -> bool:
    """Whether a request comes from a page of the host that it is sent to (RFC 6454 §7, Fetch Metadata).

    Args:
        headers: of the request.
        secure: it came over TLS.
        required: it has to say where it comes from; else it may come from what is no browser, and says nothing.
    """
    origin = headers.get("origin")
    if origin is not None:
        scheme = "https" if secure else "http"
        return origin.lower() == f"{scheme}://{headers.get('host', '')}".lower()
    site = headers.get("sec-fetch-site")
    return site == SAME_ORIGIN or (site is None and not required)
