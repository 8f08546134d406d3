"""TLS of links: the server is verified, and the manager shows it a certificate where it has one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLContextFactory
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from zope.interface import implementer

from broker.errors import BrokerError, Code
from broker.manager.settings import AUTHORITIES, LINK_CERTIFICATE, ManagerSettings

T = TypeVar("T")


@implementer(IOpenSSLClientConnectionCreator)
class Verified:
    """TLS to a server whose certificate is verified.

    Args:
        options: of Twisted.
    """

    def __init__(self, options: Any) -> None:
        self._options = options

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """A connection for a protocol."""
        with warnings.catch_warnings():  # Twisted hands over the own certificate in a way that is out of use
            warnings.simplefilter("ignore", DeprecationWarning)
            connection: SSL.Connection = self._options.clientConnectionForTLS(tlsProtocol)
        return connection


@implementer(IOpenSSLContextFactory)
class Unverified:
    """TLS to a server whose certificate is not looked at.

    Args:
        own: certificate of the manager, with its key.
    """

    def __init__(self, own: PrivateCertificate | None) -> None:
        self._own = own

    def getContext(self) -> SSL.Context:
        """A context that accepts any certificate."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        if self._own is not None:
            context.use_certificate(self._own.original.to_cryptography())
            context.use_privatekey(self._own.privateKey.original.to_cryptography_key())
        return context


def link_tls(settings: ManagerSettings) -> Callable[[], Any]:
    """What makes the client's side of TLS for a link, which is what ``startTLS`` of a transport takes.

    The server must have a certificate for the domain that it serves.

    Args:
        settings: of the manager.

    Raises:
        BrokerError: ``resource.configuration.sslSocket`` for a file that cannot be used.
    """
    own = _read(
        LINK_CERTIFICATE.name, settings.link_certificate, PrivateCertificate.loadPEM, "certificate with its key"
    )
    if not settings.verify:
        return lambda: Unverified(own)
    authorities = _read(AUTHORITIES.name, settings.authorities, _certificates, "certificate")
    trust: Any = platformTrust() if authorities is None else trustRootFromCertificates(authorities)
    return lambda: Verified(optionsForClientTLS(settings.domain, trustRoot=trust, clientCertificate=own))


def _certificates(pem: bytes) -> list[Certificate]:
    return [Certificate(crypto.X509.from_cryptography(each)) for each in x509.load_pem_x509_certificates(pem)]


def _read(name: str, path: Path | None, read: Callable[[bytes], T], what: str) -> T | None:
    if path is None:
        return None
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise _unusable(name, path, error.strerror or str(error)) from error
    except (SSL.Error, crypto.Error, ValueError) as error:
        raise _unusable(name, path, f"it has no {what} in PEM format") from error


def _unusable(name: str, path: Path, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"{name}: {path}: {reason}")
