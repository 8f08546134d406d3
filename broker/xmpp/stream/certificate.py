"""Who the certificate of a client (XEP-0178), or of a program, says that it is."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier
from pyasn1.codec.der import decoder
from pyasn1.error import PyAsn1Error
from pyasn1.type.char import UTF8String

from broker.errors import BrokerError
from broker.model.jid import parse_jid

XMPP_ADDRESS = ObjectIdentifier("1.3.6.1.5.5.7.8.5")


def identities(certificate: x509.Certificate | None) -> Sequence[str]:
    """Bare JIDs that a client's certificate proves (XEP-0178 §2).

    Args:
        certificate: that was verified, or ``None`` where the client showed none.
    """
    if certificate is None:
        return ()
    names: list[str] = []
    alternative = _alternative_names(certificate)
    if alternative is not None:
        names = [_text(each.value) for each in alternative.get_values_for_type(x509.OtherName) if _is_address(each)]
        names = names or list(alternative.get_values_for_type(x509.RFC822Name))
    if not names:
        names = [name for name in _common_names(certificate) if "@" in name]
    return [jid for jid in map(_bare, names) if jid]


def hosts(certificate: x509.Certificate | None) -> Sequence[str]:
    """Names, in lower case, that the certificate of a program proves: DNS names, or where it has none common names.

    Args:
        certificate: that was verified, or ``None`` where the peer showed none.
    """
    if certificate is None:
        return ()
    names: list[str] = []
    alternative = _alternative_names(certificate)
    if alternative is not None:
        names = list(alternative.get_values_for_type(x509.DNSName))
    names = names or _common_names(certificate)
    return [name.lower() for name in names]


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _common_names(certificate: x509.Certificate) -> list[str]:
    return [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def _is_address(name: x509.OtherName) -> bool:
    return name.type_id == XMPP_ADDRESS


def _text(der: bytes) -> str:
    """A DER UTF8String; empty for anything else."""
    try:
        value, rest = decoder.decode(der, asn1Spec=UTF8String())
    except PyAsn1Error:
        return ""
    return "" if rest else str(value)


def _bare(name: str) -> str:
    try:
        jid = parse_jid(name)
    except BrokerError:
        return ""
    return jid.bare if jid.local else ""
