"""A certificate for those who have none: good for trying things out on one's own machine."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.logger import Logger

from broker.errors import BrokerError, Code
from broker.private_files import keep_private

log = Logger()

FILE_NAME = "selfsigned.pem"
LIFE = timedelta(days=825)
RENEWED_BEFORE = timedelta(days=30)


def self_signed(directory: Path, domain: str, now: float) -> Path:
    """A self-signed certificate for a domain, made if there is none that is still good.

    Args:
        directory: where it is kept, with its key, readable by the broker only.
        domain: that it is for.
        now: seconds since 1970.

    Returns:
        The PEM file with certificate and key.

    Raises:
        BrokerError: ``resource.configuration.sslSocket`` where the file cannot be written, or there can be no
            certificate for the domain.
    """
    path = directory / FILE_NAME
    moment = datetime.fromtimestamp(now, UTC)
    try:
        if _is_good(path, _name(domain), moment):
            keep_private(path)
            return path
        _write(path, _make(domain, moment))
    except OSError as error:
        raise BrokerError(
            Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"{path}: {error.strerror or error}; set xmpp.certificate instead"
        ) from error
    except ValueError as error:
        raise BrokerError(
            Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"xmpp.domain: no certificate can be made for '{domain}': {error}"
        ) from error
    log.warn("a self-signed certificate for {domain} was made: {path}", domain=domain, path=path)
    return path


def _is_good(path: Path, name: x509.GeneralName, moment: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    if certificate.not_valid_after_utc - RENEWED_BEFORE < moment or certificate.not_valid_before_utc > moment:
        return False
    return name in names


def _make(domain: str, moment: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain[:64])])
    names = dict.fromkeys(map(_name, (domain, "localhost", "127.0.0.1", "::1")))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())


def _write(path: Path, pem: bytes) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")  # a broker and its manager may both make one
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
