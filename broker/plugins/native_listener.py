"""What the listeners of the native protocol have in common: their certificate, and the servers of clients."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from broker.config.kinds import BOOLEAN, TEXT
from broker.native.callback_hosts import CallbackHosts
from broker.net.tls import Alpn, Names, ServerContext, server_context
from broker.plugins.ports import Attributes, is_loopback
from broker.private_files import warn_of_readers

log = Logger()

NO_ALPN = Alpn()
_FILES = ("certificate", "privateKey", "clientCertificates")
TLS_ATTRIBUTES = ("SSL", *_FILES)
"""Attributes of a plugin that :class:`ListenerTls` reads."""


class ListenerTls:
    """TLS of one listener, which has it where ``SSL`` says so.

    Args:
        attributes: of the plugin, which knows :data:`TLS_ATTRIBUTES`.
        plugin_id: for error texts and the log.
        alpn: what is spoken over its connections.

    Attributes:
        context: what they show; ``None`` where there is no TLS, or it was not read.
    """

    def __init__(self, attributes: Attributes, plugin_id: str, alpn: Alpn = NO_ALPN) -> None:
        self.context: ServerContext | None = None
        self._attributes = attributes
        self._plugin_id = plugin_id
        self._alpn = alpn

    def read(self) -> None:
        """Read the attributes and files; passwords that others could read on their way are warned of.

        Raises:
            BrokerError: ``resource.configuration`` without a certificate, or ``….sslSocket`` where it cannot be used.
        """
        host = self._attributes.host
        self.context = self._made() if self._attributes.get("SSL", BOOLEAN, False) else None
        if self.context is None and not is_loopback(host):
            log.warn(
                "{plugin}: passwords cross the network unencrypted from other machines to {host}; set SSL=true",
                plugin=self._plugin_id,
                host=host,
            )

    def reload(self) -> None:
        """Read the certificate again, for new connections.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where it cannot be used; the old one stays in use.
        """
        if self.context is not None:
            self.context.reload(time.time())

    def _made(self) -> ServerContext:
        certificate, key, authorities = (self._attributes.get(name, TEXT, "") for name in _FILES)
        if not certificate:
            raise self._attributes.error("SSL needs the attribute certificate, a PEM file")
        names = Names(*(f"plugin/{self._plugin_id}/{name}" for name in _FILES))
        warn_of_readers(Path(key or certificate), names.private_key if key else names.certificate)
        return server_context(
            Path(certificate),
            Path(key) if key else None,
            Path(authorities) if authorities else None,
            names=names,
            alpn=self._alpn,
        )


def callback_hosts_of(attributes: Attributes, context: Any) -> CallbackHosts:
    """Whose callback servers the broker may reach.

    Args:
        attributes: of the plugin, which knows ``callbackHosts``.
        context: the application.
    """
    return CallbackHosts(
        attributes.listed("callbackHosts"), lambda: [port for _, _, port in context.run_levels.ports()]
    )
