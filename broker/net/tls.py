"""TLS for listeners: version 1.2 and up, certificates from files (RFC 7590)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from OpenSSL import SSL, crypto
from twisted.internet.ssl import Certificate, CertificateOptions, TLSVersion, trustRootFromCertificates

from broker.errors import BrokerError, Code


def server_context(
    certificate: Path,
    private_key: Path | None = None,
    client_ca: Path | None = None,
    *,
    require_client: bool = True,
    protocols: Sequence[bytes] = (),
) -> CertificateOptions:
    """TLS for a listener.

    Args:
        certificate: PEM file with the certificate, then its chain.
        private_key: PEM file with the key; by default it stands in the certificate's file.
        client_ca: PEM file of authorities; where given, clients must show a certificate of one of them.
        require_client: ``False`` lets clients do without one.
        protocols: to agree on by ALPN (RFC 7301).

    Raises:
        BrokerError: ``resource.configuration.sslSocket``, naming the file and what is wrong with it.
    """
    chain = _certificates(certificate)
    key = _key(private_key or certificate)
    trust = None
    if client_ca is not None:
        trust = trustRootFromCertificates([Certificate(each) for each in _certificates(client_ca)])
    try:
        options = CertificateOptions(
            privateKey=key,
            certificate=chain[0],
            extraCertChain=chain[1:],
            trustRoot=trust,
            acceptableProtocols=list(protocols) or None,
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        context = options.getContext()
        if trust is not None and not require_client:
            context.set_verify(SSL.VERIFY_PEER, lambda _connection, _certificate, _error, _depth, valid: bool(valid))
    except (SSL.Error, ValueError) as error:
        raise _unusable(certificate, f"certificate and key do not go together: {error}") from error
    return options


def _certificates(path: Path) -> list[crypto.X509]:
    text = _read(path)
    mark = b"-----BEGIN CERTIFICATE-----"
    found = [mark + part for part in text.split(mark)[1:]]
    if not found:
        raise _unusable(path, "it has no certificate in PEM format")
    try:
        return [crypto.load_certificate(crypto.FILETYPE_PEM, each) for each in found]
    except crypto.Error as error:
        raise _unusable(path, "its certificate can not be read") from error


def _key(path: Path) -> crypto.PKey:
    try:
        # An empty passphrase keeps OpenSSL from asking for one on the terminal.
        return crypto.load_privatekey(crypto.FILETYPE_PEM, _read(path), b"")
    except crypto.Error as error:
        raise _unusable(path, "it has no private key in PEM format without passphrase") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


def _unusable(path: Path, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"{path}: {reason}")
