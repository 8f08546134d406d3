"""TLS of links: the server is verified."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from zope.interface import implementer

from broker.errors import BrokerError, Code
from broker.manager.settings import AUTHORITIES, ManagerSettings


@implementer(IOpenSSLContextFactory)
class Unverified:
    """TLS to a server whose certificate is not looked at."""

    def getContext(self) -> SSL.Context:
        """A context that accepts any certificate."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        return context


def link_tls(settings: ManagerSettings) -> Callable[[], Any]:
    """What makes the client's side of TLS for a link, which is what ``startTLS`` of a transport takes.

    The server must have a certificate for the domain that it serves.

    Args:
        settings: of the manager.

    Raises:
        BrokerError: ``resource.configuration.sslSocket`` for authorities that cannot be read.
    """
    if not settings.verify:
        return Unverified
    trust: Any = platformTrust()
    if settings.authorities is not None:
        try:
            trust = trustRootFromCertificates([Certificate.loadPEM(settings.authorities.read_bytes())])
        except (OSError, SSL.Error, ValueError) as error:
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"{AUTHORITIES.name}: {settings.authorities}: {error}"
            ) from error
    return lambda: optionsForClientTLS(settings.domain, trustRoot=trust)
