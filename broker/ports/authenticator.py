"""Who somebody is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Interface

if TYPE_CHECKING:
    from broker.model.connect import Credentials


class IAuthenticator(Interface):
    """Checks who somebody is (design D13)."""

    def authenticate(credentials: Credentials, host: str) -> Deferred[None]:
        """Check credentials that came from the peer address ``host``.

        Fires with ``None``; fails with ``user.security.authentication.accessDenied``. Takes the same time for an
        unknown user as for a wrong password.
        """

    def exists(name: str) -> Deferred[bool]:
        """Whether there is an account of exactly this name."""
