"""TLS for listeners: version 1.2 and up, certificates from files (RFC 7590, RFC 9325)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

from broker.errors import BrokerError, Code

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
"""Of TLS 1.2: forward secrecy and authenticated encryption (RFC 9325 §4.2); those of TLS 1.3 are all of that kind."""


@dataclass(frozen=True, slots=True)
class Alpn:
    """Application protocols that a listener agrees on (RFC 7301).

    Args:
        protocols: that it speaks, the best first.
        required: a client that offers others only is refused with ``no_application_protocol``, as for a port that is
            found by its protocol; else what it offers is ignored. One that offers none may come in any case.
    """

    protocols: Sequence[bytes] = ()
    required: bool = False


Stamps = list[tuple[int, int]]
"""Times and sizes of files, by which others in their place are told apart."""


@implementer(IOpenSSLContextFactory)
class ServerContext:
    """TLS of a listener, by files that can be read again.

    Args:
        make: reads the files and makes a context of OpenSSL, with the certificate that it shows.
        files: that it reads, first that of the certificate, last that of authorities where certificates of clients are
            verified.
        verifies: whether they are.
        wall: seconds since 1970.

    Attributes:
        certificate: that it shows.
        files: see above.
        loaded_at: when they were read, in seconds since 1970.
        stamps: what told them apart from others then.
        client_authorities: certificates in the last of them.
        reloads: how often its files were read again and are in use.
        reloads_failed: how often they could not be used.

    Raises:
        BrokerError: what ``make`` raises.
    """

    def __init__(
        self,
        make: Callable[[], tuple[SSL.Context, x509.Certificate]],
        files: Sequence[Path],
        *,
        verifies: bool,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._make = make
        self._wall = wall
        self._context, self.certificate = make()
        self.files = tuple(files)
        self.verifies = verifies
        self.client_authorities = 0
        self.loaded_at = 0.0
        self.stamps: Stamps = []
        self._loaded()
        self.reloads = self.reloads_failed = 0

    @property
    def files_changed(self) -> bool:
        """Whether a file is another one than was read."""
        return self.stamps_now() != self.stamps

    def stamps_now(self) -> Stamps:
        """What tells the files apart from others, as they are now."""
        return _stamps(self.files)

    def _loaded(self) -> None:
        self.loaded_at = self._wall()
        self.stamps = self.stamps_now()
        self.client_authorities = len(_certificates("", self.files[-1])) if self.verifies else 0

    def getContext(self) -> SSL.Context:
        """The context of a new connection."""
        return self._context

    def reload(self, now: float) -> None:
        """Read the files again, for new connections; those that are there go on with what they began with.

        Args:
            now: seconds since 1970.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where a file cannot be used, or the certificate has
                expired; nothing changes.
        """
        try:
            self._context, self.certificate = self._read_again(now)
        except BrokerError:
            self.reloads_failed += 1
            raise
        self.reloads += 1
        self._loaded()

    def _read_again(self, now: float) -> tuple[SSL.Context, x509.Certificate]:
        context, certificate = self._make()
        end = certificate.not_valid_after_utc
        if end < datetime.fromtimestamp(now, UTC):
            raise BrokerError(Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"the certificate has expired on {end:%Y-%m-%d}")
        return context, certificate


@dataclass(frozen=True, slots=True)
class Names:
    """What the settings are called that name the files of a listener's TLS, for errors.

    Args:
        certificate: with its chain.
        private_key: of that.
        authorities: of clients.
    """

    certificate: str = "certificate"
    private_key: str = "privateKey"
    authorities: str = "clientCertificates"


def server_context(
    certificate: Path,
    private_key: Path | None = None,
    client_ca: Path | None = None,
    *,
    require_client: bool = True,
    alpn: Alpn = Alpn(),
    names: Names = Names(),
) -> ServerContext:
    """TLS for a listener.

    Args:
        certificate: PEM file with the certificate, then its chain.
        private_key: PEM file with the key; by default it stands in the certificate's file.
        client_ca: PEM file of authorities; where given, clients must show a certificate of one of them.
        require_client: ``False`` lets clients do without one.
        alpn: application protocols.
        names: of the settings.

    Raises:
        BrokerError: ``resource.configuration.sslSocket``, naming the setting, the file and what is wrong with it.
    """

    def make() -> tuple[SSL.Context, x509.Certificate]:
        return _context(certificate, private_key, client_ca, require_client=require_client, alpn=alpn, names=names)

    files = [each for each in (certificate, private_key, client_ca) if each is not None]
    return ServerContext(make, files, verifies=client_ca is not None)


def _stamps(files: Sequence[Path]) -> Stamps:
    """What tells that a file is another one: its time and its size."""
    found: Stamps = []
    for each in files:
        try:
            status = each.stat()
        except OSError:  # it is gone, which is a change, too
            found.append((0, -1))
        else:
            found.append((status.st_mtime_ns, status.st_size))
    return found


def _context(
    certificate: Path,
    private_key: Path | None,
    client_ca: Path | None,
    *,
    require_client: bool,
    alpn: Alpn,
    names: Names,
) -> tuple[SSL.Context, x509.Certificate]:
    chain = _certificates(names.certificate, certificate)
    if private_key is None:
        key = _key(names.certificate, certificate, f"; {names.private_key} can name another file that has it")
    else:
        key = _key(names.private_key, private_key)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(secrets.token_bytes(8))  # certificates of clients need one
    _set_alpn(context, alpn)
    try:
        context.use_certificate(chain[0])
        context.use_privatekey(key)  # type: ignore[arg-type]
        for each in chain[1:]:
            context.add_extra_chain_cert(each)
        context.check_privatekey()
    except (SSL.Error, ValueError, TypeError) as error:
        where = names.certificate if private_key is None else f"{names.certificate} and {names.private_key}"
        raise _unusable(where, certificate, f"certificate and key do not go together: {error}") from error
    if client_ca is not None:
        _certificates(names.authorities, client_ca)  # whose error names the file and what is wrong with it
        context.load_verify_locations(str(client_ca))
        context.set_verify(SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if require_client else 0))
    return context, chain[0]


def _set_alpn(context: SSL.Context, alpn: Alpn) -> None:
    def select(_: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
        for protocol in alpn.protocols:
            if protocol in offered:
                return protocol
        if alpn.required:
            # OpenSSL makes the alert no_application_protocol of any error; this one looks as if it were its own.
            raise SSL.Error([("SSL routines", "", "no application protocol")])
        return SSL.NO_OVERLAPPING_PROTOCOLS

    context.set_alpn_select_callback(select)


def _certificates(name: str, path: Path) -> list[x509.Certificate]:
    text = _read(name, path)
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise _unusable(name, path, "it has no certificate in PEM format")
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise _unusable(name, path, "its certificate cannot be read") from error


def _key(name: str, path: Path, advice: str = "") -> PrivateKeyTypes:
    try:
        return load_pem_private_key(_read(name, path), None)
    except (ValueError, TypeError) as error:  # the latter where it has a passphrase
        raise _unusable(name, path, f"it has no private key in PEM format without passphrase{advice}") from error


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(name, path, error.strerror or str(error)) from error


def _unusable(name: str, path: Path, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"{name}: {path}: {reason}")
