"""What a TLS connection can be bound to (RFC 5929, RFC 9266)."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

EXPORTER_LABEL = b"EXPORTER-Channel-Binding"
EXPORTER_SIZE = 32


def channel_bindings(connection: SSL.Connection) -> dict[str, bytes]:
    """Channel binding data of a TLS connection, the best first.

    ``tls-unique`` is left out: it is not defined for TLS 1.3, and not safe for TLS 1.2 without the extended master
    secret (RFC 9266 §3).

    Args:
        connection: whose handshake is over.
    """
    found: dict[str, bytes] = {}
    if connection.get_protocol_version() == SSL.TLS1_3_VERSION:
        found["tls-exporter"] = connection.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, b"")
    certificate = connection.get_certificate(as_cryptography=True)
    if certificate is not None:
        found["tls-server-end-point"] = end_point(certificate)
    return found


def end_point(certificate: x509.Certificate) -> bytes:
    """``tls-server-end-point`` of a certificate (RFC 5929 §4.1): weak and missing hashes give way to SHA-256."""
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        algorithm = hashes.SHA256()
    return certificate.fingerprint(algorithm)
