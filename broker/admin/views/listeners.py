"""Listeners for clients, and the certificates that they show."""

from __future__ import annotations

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from broker.admin.instance import Instance
from broker.admin.moment import moment
from broker.model.host import is_loopback
from broker.net.admission import Refusal
from broker.net.listener import Listener
from broker.net.tls import ServerContext
from broker.xmpp.settings import TLS, TlsPolicy

DAY = 86_400


class ListenerTls(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """How the connections of a listener are secured.

    Args:
        mode: ``direct``, the handshake comes first; ``required`` or ``optional``, clients start TLS themselves.
        minimum: version.
        subject: of the certificate that is shown.
        names: that it is for.
        issuer: of it.
        not_before: when it begins.
        not_after: when it ends.
        days_left: until then.
        self_signed: its issuer is its subject.
        fingerprint_sha256: of it, in hexadecimal digits.
        file: where it is from.
        file_changed: a file is another one than was read; reload it.
        loaded_at: when the files were read.
        client_authorities: certificates of authorities by which clients may show who they are.
    """

    mode: str
    minimum: str
    subject: str
    names: list[str]
    issuer: str
    not_before: str
    not_after: str
    days_left: float
    self_signed: bool
    fingerprint_sha256: str
    file: str
    file_changed: bool
    loaded_at: str
    client_authorities: int = 0


class ListenerRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A listener.

    Args:
        name: of it.
        plugin: id of the plugin that it belongs to.
        open: its port is open.
        accepting: new connections are let in, as far as there is room.
        host: address of the port; absent where it is not open, as of the following.
        port: its number.
        connections: that it has.
        not_logged_in: those of them that have not logged in.
        max_connections: that it may have.
        opened: connections so far.
        refused: connections that were not let in, by why.
        received_bytes: from all its clients.
        sent_bytes: to them.
        handshakes_failed: TLS handshakes that did not come to their end.
        tls: how connections are secured; absent where they are not.
    """

    name: str
    plugin: str
    open: bool
    accepting: bool
    connections: int
    not_logged_in: int
    max_connections: int
    opened: int
    refused: dict[Refusal, int]
    received_bytes: int
    sent_bytes: int
    handshakes_failed: int
    host: str | None = None
    port: int | None = None
    tls: ListenerTls | None = None


def listener_rows(instance: Instance) -> list[ListenerRow]:
    """All listeners, by name.

    Args:
        instance: the broker.
    """
    ports = {name: (host, port) for name, host, port in instance.run_levels.ports()}
    return sorted(
        (_row(instance, name, listener, ports.get(name)) for name, listener in instance.listeners()),
        key=lambda row: row.name,
    )


def _row(instance: Instance, name: str, listener: Listener, address: tuple[str, int] | None) -> ListenerRow:
    admission, counts, tls = listener.admission, listener.counts, listener.settings.tls
    host = "" if address is None else address[0]
    return ListenerRow(
        name,
        instance.plugin_of(name),
        address is not None,
        address is not None and not admission.draining,
        len(admission),
        admission.strangers,
        admission.max_connections,
        admission.admitted,
        dict(admission.refusals),
        counts.received,
        counts.sent,
        counts.handshakes_failed,
        None if address is None else address[0],
        None if address is None else address[1],
        None if tls is None else _tls(tls, _mode(instance, listener, host), instance.wall_clock()),
    )


def _mode(instance: Instance, listener: Listener, host: str) -> str:
    if listener.settings.direct_tls:
        return "direct"
    service = instance.xmpp.current if instance.xmpp else None
    policy = TLS.get(instance.properties) if service is None else service.settings.tls
    if policy is TlsPolicy.AUTO:
        return TlsPolicy.OPTIONAL if is_loopback(host) else TlsPolicy.REQUIRED
    return policy


def _tls(tls: ServerContext, mode: str, now: float) -> ListenerTls:
    certificate = tls.certificate
    end = certificate.not_valid_after_utc.timestamp()
    return ListenerTls(
        mode,
        "TLSv1.2",
        certificate.subject.rfc4514_string(),
        _names(certificate),
        certificate.issuer.rfc4514_string(),
        moment(round(certificate.not_valid_before_utc.timestamp() * 1000)),
        moment(round(end * 1000)),
        round((end - now) / DAY, 2),
        certificate.issuer == certificate.subject,
        certificate.fingerprint(SHA256()).hex(),
        str(tls.files[0]),
        tls.files_changed,
        moment(round(tls.loaded_at * 1000)),
        tls.client_authorities,
    )


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    names = [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]
    return names
