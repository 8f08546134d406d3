"""What a client of the native protocol may ask for; what it may do to its socket is in :mod:`broker.net.limits`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NativeLimits:
    """Bounds of frames and requests.

    Args:
        max_frame: longest frame in bytes.
        max_frame_before_login: the same before the login.
        login_timeout: seconds until a connection must have logged in.
        idle_timeout: seconds without any byte from the client until it is let go; ``0`` never.
        max_pending: requests of one connection that may wait for the one being served.
    """

    max_frame: int = 64 * 1024 * 1024
    max_frame_before_login: int = 64 * 1024
    login_timeout: float = 30.0
    idle_timeout: float = 0.0
    max_pending: int = 1000
