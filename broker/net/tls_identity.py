"""What a TLS connection proves to SASL: channel bindings, and the identities of a client's certificate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID, ObjectIdentifier
from OpenSSL import SSL

from broker.errors import BrokerError
from broker.model.jid import parse_jid

EXPORTER_LABEL = b"EXPORTER-Channel-Binding"
EXPORTER_SIZE = 32
XMPP_ADDRESS = ObjectIdentifier("1.3.6.1.5.5.7.8.5")
_UTF8_STRING = 0x0C
_SHORT = 0x80


def channel_bindings(connection: Any) -> dict[str, bytes]:
    """Channel binding data of a TLS connection, the best first.

    ``tls-unique`` is left out: it is not defined for TLS 1.3, and not safe for TLS 1.2 without the extended master
    secret (RFC 9266 §3).

    Args:
        connection: an :class:`OpenSSL.SSL.Connection` whose handshake is over.
    """
    found: dict[str, bytes] = {}
    if connection.get_protocol_version() == SSL.TLS1_3_VERSION:
        found["tls-exporter"] = connection.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, b"")
    certificate = connection.get_certificate()
    if certificate is not None:
        found["tls-server-end-point"] = end_point(certificate.to_cryptography())
    return found


def end_point(certificate: x509.Certificate) -> bytes:
    """``tls-server-end-point`` of a certificate (RFC 5929 §4.1): weak and missing hashes give way to SHA-256."""
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        algorithm = hashes.SHA256()
    return certificate.fingerprint(algorithm)


def identities(connection: Any) -> Sequence[str]:
    """Bare JIDs that the client's certificate proves (XEP-0178 §2); none where it showed none.

    Args:
        connection: an :class:`OpenSSL.SSL.Connection` that has verified the certificate.
    """
    shown = connection.get_peer_certificate()
    if shown is None:
        return ()
    certificate = shown.to_cryptography()
    names: list[str] = []
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        alternative = None
    if alternative is not None:
        names = [_text(each.value) for each in alternative.get_values_for_type(x509.OtherName) if _is_address(each)]
        names = names or list(alternative.get_values_for_type(x509.RFC822Name))
    if not names:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = [str(each.value) for each in common if "@" in str(each.value)]
    return [jid for jid in map(_bare, names) if jid]


def _is_address(name: x509.OtherName) -> bool:
    return name.type_id == XMPP_ADDRESS


def _text(der: bytes) -> str:
    """A DER UTF8String of less than 128 bytes; empty for anything else."""
    if len(der) < 2 or der[0] != _UTF8_STRING or der[1] >= _SHORT or len(der) != der[1] + 2:
        return ""
    return der[2:].decode("utf-8", "replace")


def _bare(name: str) -> str:
    try:
        jid = parse_jid(name)
    except BrokerError:
        return ""
    return jid.bare if jid.local else ""
