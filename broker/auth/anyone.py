"""Logins without a check, for trying things out on one machine (spec xmlblaster §13.2, §13.3)."""

from __future__ import annotations

from zope.interface import implementer

from broker.auth.denial import access_denied
from broker.auth.names import is_account_name
from broker.model.connect import Credentials
from broker.model.host import is_loopback
from broker.ports import IAuthenticator


@implementer(IAuthenticator)
class Anyone:
    """Accepts everybody who comes from this machine, as ``secretfile=NONE`` wants it.

    Elsewhere that setting let in the whole network; here a peer on any other address is refused. Who configures it
    logs a warning at every start.
    """

    async def authenticate(self, credentials: Credentials, host: str) -> None:
        """See :class:`broker.ports.IAuthenticator`; only ``host`` matters."""
        if not is_loopback(host):
            raise access_denied()

    async def exists(self, name: str) -> bool:
        """Whoever could log in has an account."""
        return is_account_name(name)


class Simple(Anyone):
    """The security service of type ``simple`` (spec xmlblaster §13.3); served only where it is configured."""
