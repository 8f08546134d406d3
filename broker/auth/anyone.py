"""Logins without a check, for trying things out on one machine (spec xmlblaster §13.2, §13.3)."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
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

    def authenticate(self, credentials: Credentials, host: str) -> Deferred[None]:
        """See :class:`broker.ports.IAuthenticator`; only ``host`` matters."""
        return succeed(None) if is_loopback(host) else fail(access_denied())

    def exists(self, name: str) -> Deferred[bool]:
        """Whoever could log in has an account."""
        return succeed(is_account_name(name))


class Simple(Anyone):
    """The security service of type ``simple`` (spec xmlblaster §13.3); served only where it is configured."""
