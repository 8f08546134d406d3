"""Certificates that listeners would show: chain, names, key, and how long they last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509

from broker.cli.check.findings import Finding, Findings, Subject
from broker.config.kinds import BOOLEAN
from broker.errors import BrokerError
from broker.net.certificate import FILE_NAME
from broker.net.tls import server_context
from broker.plugins.ports import is_loopback
from broker.xmpp.settings import CERTIFICATE, DOMAIN, PRIVATE_KEY

CERTIFICATES = Findings("certificates")
OTHERS = 0o077
DAYS_LEFT = 21
"""Below which a certificate is worth a look, as for the alert."""
RENEW = "renew it, and send SIGHUP to the broker"
XMPP_PLUGIN = "XmppPlugin"


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate that is configured.

    Args:
        whose: the setting that names it.
        certificate: its file, with the chain.
        key: file of its key; ``None`` where that stands in the same file.
        name: that it must be for; empty for any.
    """

    whose: str
    certificate: Path
    key: Path | None
    name: str = ""


def check_certificates(subject: Subject, now: float | None = None) -> Iterator[Finding]:
    """Look at each of them.

    Args:
        subject: the broker.
        now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    found = list(shown_by(subject))
    for each in found:
        yield from _check(each, moment)
    if not CERTIFICATE.get(subject.properties):
        hosts = [
            each.attributes.get("hostname", "127.0.0.1").strip()
            for each in subject.plugins
            if getattr(each.factory, "__name__", "") == XMPP_PLUGIN
        ]
        told = f"XMPP clients get the self-signed certificate {FILE_NAME}"
        if any(host and not is_loopback(host) for host in hosts):
            yield CERTIFICATES.warning(f"{told}, also those of elsewhere", "set xmpp.certificate")
        elif hosts:
            yield CERTIFICATES.ok(f"{told}, which is good for this machine")


def shown_by(subject: Subject) -> Iterator[Shown]:
    """The certificates that are configured."""
    properties = subject.properties
    certificate, key = CERTIFICATE.get(properties), PRIVATE_KEY.get(properties)
    if certificate:
        yield Shown(CERTIFICATE.name, Path(certificate), Path(key) if key else None, DOMAIN.get(properties))
    for plugin in subject.plugins:
        named = plugin.attributes.get("certificate", "").strip()
        if named and _uses_tls(plugin.attributes):
            file = plugin.attributes.get("privateKey", "").strip()
            yield Shown(f"plugin/{plugin.id.lower()}/certificate", Path(named), Path(file) if file else None)


def _uses_tls(attributes: dict[str, str]) -> bool:
    text = attributes.get("SSL")
    try:
        return text is None or BOOLEAN.parse(text)
    except ValueError:
        return True  # the start fails, and says why


def _check(shown: Shown, now: datetime) -> Iterator[Finding]:
    try:
        server_context(shown.certificate, shown.key)
        chain = x509.load_pem_x509_certificates(shown.certificate.read_bytes())
    except BrokerError as error:
        yield CERTIFICATES.problem(f"{shown.whose}: {error.message}")
        return
    left = (chain[0].not_valid_after_utc - now).days
    until = f"{chain[0].not_valid_after_utc:%Y-%m-%d}"
    if left < 0:
        yield CERTIFICATES.problem(f"{shown.whose}: {shown.certificate} expired on {until}", RENEW)
    elif chain[0].not_valid_before_utc > now:
        begins = f"{chain[0].not_valid_before_utc:%Y-%m-%d %H:%M}"
        yield CERTIFICATES.problem(f"{shown.whose}: {shown.certificate} is valid from {begins} only", "see the clock")
    elif left < DAYS_LEFT:
        yield CERTIFICATES.warning(f"{shown.whose}: {shown.certificate} expires on {until}, in {left} days", RENEW)
    else:
        yield CERTIFICATES.ok(
            f"{shown.whose}: {shown.certificate} and its key go together, until {until} ({left} days)"
        )
    yield from _check_chain(shown, chain)
    names = names_of(chain[0])
    if shown.name and not any(_matches(each, shown.name) for each in names):
        yield CERTIFICATES.problem(
            f"{shown.whose}: {shown.certificate} is for {', '.join(names) or 'nobody'}, not for {shown.name}",
            f"get one whose subjectAltName has {shown.name}",
        )
    secret = shown.key or shown.certificate
    mode = secret.stat().st_mode
    if mode & OTHERS:
        yield CERTIFICATES.warning(f"others may read the key {secret} (mode {mode & 0o777:04o})", f"chmod 600 {secret}")


def _check_chain(shown: Shown, chain: list[x509.Certificate]) -> Iterator[Finding]:
    for one, next_one in pairwise(chain):
        if one.issuer != next_one.subject:
            yield CERTIFICATES.problem(
                f"{shown.whose}: in {shown.certificate} {_subject(one)} is not followed by its issuer"
                f" {one.issuer.rfc4514_string()}",
                "put the certificate first, then that of its issuer, and so on",
            )
            return
    if len(chain) == 1 and chain[0].issuer != chain[0].subject:
        yield CERTIFICATES.warning(
            f"{shown.whose}: {shown.certificate} has no certificate of its issuer {chain[0].issuer.rfc4514_string()}",
            "use the file with the whole chain, unless clients know that issuer",
        )


def names_of(certificate: x509.Certificate) -> list[str]:
    """Names and addresses in the subjectAltName of a certificate."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _matches(pattern: str, name: str) -> bool:
    """Whether a certificate for one name is good for another (RFC 9525 §6.3): ``*`` is its first label."""
    pattern, name = pattern.lower(), name.lower()
    return pattern == name or (pattern.startswith("*.") and pattern[2:] == name.partition(".")[2])


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a subject"
