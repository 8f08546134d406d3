"""Who a client's certificate says that it is (XEP-0178)."""

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
