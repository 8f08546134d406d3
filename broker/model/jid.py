"""Addresses of XMPP (RFC 7622): ``local@domain/resource``.

Localparts and resources are prepared with the PRECIS profiles that RFC 7622 names, by a library that knows today's
Unicode; the older stringprep of the standard library stops at Unicode 3.2. A localpart is a login name of the broker
as it is after this preparation; login names that are not (upper case, for instance) have no JID.
"""

from __future__ import annotations

import re

import idna
from precis_i18n import get_profile

from broker.errors import BrokerError, Code
from broker.model.cache import cached_if_short

MAX_PART = 1023
"""Most bytes of each part (RFC 7622 §3.2-3.4)."""

_CACHED = 65_536
_SIMPLE = re.compile(
    r"(?:([a-z0-9_.+\-!#$%*=?^`{|}~]{1,255})@)?"
    r"([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*)"
    r"(?:/([A-Za-z0-9_.:+\-=@]{1,255}))?\Z"
)
"""An address that is prepared already, unless a label of its domain is written in ASCII."""
_A_LABEL = re.compile(r"(?:\A|\.)xn--")
_NOT_IN_LOCALPART = re.compile("[\"&'/:<>@]")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*\Z")
_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])\Z")
_username = get_profile("UsernameCaseMapped")
_opaque = get_profile("OpaqueString")


class JID:
    """An address. Values are compared by :attr:`full`; treat it as frozen.

    Args:
        local: prepared localpart, empty for none.
        domain: prepared domainpart.
        resource: prepared resourcepart, empty for none.

    Attributes:
        bare: ``local@domain``, or the domain alone.
        full: with the resource, if there is one.
    """

    __slots__ = ("bare", "domain", "full", "local", "resource")

    def __init__(self, local: str, domain: str, resource: str = "") -> None:
        self.local = local
        self.domain = domain
        self.resource = resource
        self.bare = f"{local}@{domain}" if local else domain
        self.full = f"{self.bare}/{resource}" if resource else self.bare

    def __str__(self) -> str:
        return self.full

    def __repr__(self) -> str:
        return f"JID({self.full!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JID) and self.full == other.full

    def __hash__(self) -> int:
        return hash(self.full)

    @property
    def is_bare(self) -> bool:
        """Whether it has no resource."""
        return not self.resource

    def to_bare(self) -> JID:
        """The same without a resource."""
        return JID(self.local, self.domain) if self.resource else self


@cached_if_short(_CACHED)
def parse_jid(text: str) -> JID:
    """Read and prepare an address.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is none.
    """
    simple = _SIMPLE.match(text)
    if simple is not None and not _A_LABEL.search(simple[2]):
        return JID(simple[1] or "", simple[2], simple[3] or "")
    if len(text) > 3 * MAX_PART + 2:
        raise _malformed(text, "it is too long")
    rest, slash, resource = text.partition("/")
    if slash and not resource:
        raise _malformed(text, "its resource is empty")
    local, at, domain = rest.partition("@")
    if not at:
        local, domain = "", rest
    elif not local:
        raise _malformed(text, "its localpart is empty")
    return JID(prepare_local(local) if local else "", prepare_domain(domain), prepare_resource(resource))


def prepared_or_empty(text: str) -> str:
    """An address in the form that addresses are compared in, the :attr:`JID.full` of it; empty for none."""
    try:
        return parse_jid(text).full
    except BrokerError:
        return ""


@cached_if_short(4096)
def prepare_local(text: str) -> str:
    """Prepare a localpart (RFC 7622 §3.3).

    Raises:
        BrokerError: ``user.illegalArgument``.
    """
    try:
        local = _username.enforce(text)
    except UnicodeError as error:
        raise _malformed(text, "it cannot be a localpart") from error
    if _NOT_IN_LOCALPART.search(local):
        raise _malformed(text, "its localpart has characters that are not allowed there")
    return _bounded(local)


def prepare_resource(text: str) -> str:
    """Prepare a resourcepart (RFC 7622 §3.4); an empty one stays empty.

    Raises:
        BrokerError: ``user.illegalArgument``.
    """
    if text.isascii() and (text.isprintable() or not text):  # which the profile takes as it is (RFC 8265 §4.2)
        return _bounded(text)
    try:
        return _bounded(_opaque.enforce(text))
    except UnicodeError as error:
        raise _malformed(text, "it cannot be a resource") from error


def prepare_domain(text: str) -> str:
    """Prepare a domainpart (RFC 7622 §3.2): a domain name as its users write it, or an IP address.

    Labels that are written in ASCII (A-labels) become U-labels, and a dot at the end is dropped, so that a domain has
    one form.

    Raises:
        BrokerError: ``user.illegalArgument``.
    """
    domain = text.removesuffix(".").lower()
    if _ADDRESS.match(domain):
        return domain
    if domain.isascii():
        if len(domain) > 253 or not _DOMAIN.match(domain):
            raise _malformed(text, "it has no domain")
        if not _A_LABEL.search(domain):
            return domain
    try:
        prepared = idna.decode(idna.encode(domain, uts46=True))
        if not prepared.isascii():
            return _bounded(prepared.removesuffix("."))
        if not domain.isascii():  # a dot or a digit may have been written in another script
            return prepare_domain(prepared)
    except (idna.IDNAError, UnicodeError) as error:
        raise _malformed(text, "its domain is none") from error
    raise _malformed(text, "its domain is none")


def _bounded(part: str) -> str:
    if len(part.encode()) > MAX_PART:
        raise _malformed(part, f"a part of it is longer than {MAX_PART} bytes")
    return part


def _malformed(text: str, reason: str) -> BrokerError:
    return BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{text[:64]!r} is not an XMPP address: {reason}")
