"""The certificate that XMPP listeners show."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from broker.net.certificate import self_signed
from broker.net.tls import Alpn, Names, ServerContext, server_context
from broker.private_files import warn_of_readers
from broker.xmpp.settings import CERTIFICATE, CLIENT_CA, PRIVATE_KEY, settings_of

log = Logger()


class Certificate:
    """The certificate of ``xmpp.certificate``; where none is given, one that is made, and made anew in time.

    Args:
        application: with the properties and the data directory.
        peers: whom it is shown to, for the log.
    """

    def __init__(self, application: Any, peers: str) -> None:
        self._application = application
        self._peers = peers
        self._contexts: list[ServerContext] = []

    def contexts(
        self,
        *alpns: Alpn,
        loopback: bool,
        authorities: str = "",
        authorities_name: str = CLIENT_CA.name,
        require: bool = False,
    ) -> Sequence[ServerContext]:
        """TLS for listeners, which :meth:`reload` renews.

        Args:
            alpns: application protocols of each.
            loopback: the listeners can be reached from this machine only.
            authorities: PEM file of those whose certificates peers may show; empty for none.
            authorities_name: of the property that names the file.
            require: peers must show one.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where it cannot be used.
        """
        properties = self._application.properties
        certificate = self._file()
        given = CERTIFICATE.get(properties)
        if not given and not loopback:
            log.warn("{peers} from elsewhere get a self-signed certificate; set xmpp.certificate", peers=self._peers)
        elif not given:
            log.info("{peers} get the self-signed certificate {path}", peers=self._peers, path=certificate)
        key = PRIVATE_KEY.get(properties)
        if given:
            warn_of_readers(Path(key or given), PRIVATE_KEY.name if key else CERTIFICATE.name)
        private_key = Path(key) if given and key else None
        client_ca = Path(authorities) if authorities else None
        names = Names(CERTIFICATE.name, PRIVATE_KEY.name, authorities_name)
        self._contexts = [
            server_context(certificate, private_key, client_ca, require_client=require, alpn=alpn, names=names)
            for alpn in alpns
        ]
        return self._contexts

    def reload(self) -> None:
        """Read it again, for new connections.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` where it cannot be used; the old one stays in use.
        """
        if self._contexts:
            self._file()
        for each in self._contexts:
            each.reload(time.time())

    def _file(self) -> Path:
        properties = self._application.properties
        given = CERTIFICATE.get(properties)
        return (
            Path(given) if given else self_signed(self._application.data, settings_of(properties).domain, time.time())
        )
