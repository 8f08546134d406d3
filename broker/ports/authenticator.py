"""Who somebody is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Interface

if TYPE_CHECKING:
    from broker.model.connect import Credentials


class IAuthenticator(Interface):
    """Checks who somebody is (design D13)."""

    async def authenticate(credentials: Credentials, host: str) -> None:
        """Check credentials that came from the peer address ``host``.

        Takes the same time for an unknown user as for a wrong password.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied``.
        """

    async def exists(name: str) -> bool:
        """Whether there is an account of exactly this name."""
