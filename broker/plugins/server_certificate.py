"""The certificate that a listener of the native protocol shows, by its own attributes."""

from __future__ import annotations

from pathlib import Path

from broker.config.kinds import TEXT
from broker.net.tls import Alpn, Names, ServerContext, server_context
from broker.plugins.ports import Attributes
from broker.private_files import warn_of_readers

NO_ALPN = Alpn()
CERTIFICATE_ATTRIBUTES = ("certificate", "privateKey", "clientCertificates")


def server_context_of(attributes: Attributes, plugin_id: str, alpn: Alpn = NO_ALPN) -> ServerContext:
    """What TLS connections of a listener show.

    Args:
        attributes: of the plugin, which knows :data:`CERTIFICATE_ATTRIBUTES`.
        plugin_id: for error texts.
        alpn: what is spoken over them.

    Raises:
        BrokerError: ``resource.configuration`` without a certificate, or ``….sslSocket`` where it cannot be used.
    """
    certificate, key, authorities = (attributes.get(name, TEXT, "") for name in CERTIFICATE_ATTRIBUTES)
    if not certificate:
        raise attributes.error("SSL needs the attribute certificate, a PEM file")
    names = Names(*(f"plugin/{plugin_id}/{name}" for name in CERTIFICATE_ATTRIBUTES))
    warn_of_readers(Path(key or certificate), names.private_key if key else names.certificate)
    return server_context(
        Path(certificate),
        Path(key) if key else None,
        Path(authorities) if authorities else None,
        names=names,
        alpn=alpn,
    )
