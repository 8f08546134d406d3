"""All connection managers of one server, and what holds for each of them."""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IReactorTime

from broker.net.store_pressure import StorePressure
from broker.net.turns import Turns
from broker.xmpp.managers.link import MakeFrames
from broker.xmpp.managers.manager import Manager
from broker.xmpp.managers.settings import ManagerSettings, Secrets
from broker.xmpp.service import XmppService
from broker.xmpp.settings import TlsPolicy
from broker.xmpp.wire.routes import Configuration
from broker.xmpp.wire.sasl import Offer


class Managers:
    """The managers by their names, whatever listeners their links come over.

    Args:
        service: that their clients use.
        settings: of managers.
        secrets: that they must know.
        clock: an ``IReactorTime``.
        turns: that their clients take.
        pressure: of the store, which links wait for.
        make_frames: goes on with links of managers that speak in frames; ``None`` where that is not offered.

    Attributes:
        settings: as above.
        secrets: as above.
        clock: as above.
        pressure: as above.
        make_frames: as above.
        domain: that is served.
        max_stanza: longest stanza of a client in bytes.
        logins: the audit of logins.
        refusals: for the log, of managers and addresses.
    """

    def __init__(
        self,
        service: XmppService,
        settings: ManagerSettings,
        secrets: Secrets,
        clock: IReactorTime,
        turns: Turns,
        *,
        pressure: StorePressure | None = None,
        make_frames: MakeFrames | None = None,
    ) -> None:
        self.settings = settings
        self.secrets = secrets
        self.clock = clock
        self.pressure = pressure
        self.make_frames = make_frames
        self.domain = service.settings.domain
        self.max_stanza = service.settings.max_stanza
        self.logins = service.logins
        self.refusals = service.refusals
        self._service = service
        self._turns = turns
        self._managers: dict[str, Manager] = {}
        self._links: Counter[str] = Counter()
        self._told = self.configuration()

    def opened(self, name: str) -> Manager:
        """A link is open.

        Args:
            name: of its manager, in lower case.
        """
        self._links[name] += 1
        found = self._managers.get(name)
        if found is None:
            found = self._managers[name] = Manager(name, self._service, self.settings, self.clock, self._turns)
        return found

    def links_of(self, name: str) -> int:
        """How many links a manager has, whatever it speaks over them."""
        return self._links[name]

    def closed(self, manager: Manager) -> None:
        """A link is gone; managers of which nothing is left are forgotten."""
        self._links[manager.name] -= 1
        if not self._links[manager.name]:
            del self._links[manager.name]
        for each in [each for each in self._managers.values() if each.is_unused]:
            del self._managers[each.name]

    def configuration(self) -> Configuration:
        """What managers are to offer: what a link can vouch for, and nothing else (spec §14).

        No mechanism that needs the client's TLS is among it, since managers tell nothing of that.
        """
        settings, policy = self._service.settings, self.settings.client_tls
        required = policy is TlsPolicy.REQUIRED
        offer = Offer(
            settings.domain,
            plain=required or settings.plain_without_tls,
            scram=self._service.security.offers_scram,
            anonymous=settings.anonymous,
        )
        return Configuration(tuple(offer.mechanisms()), policy is not TlsPolicy.OFF, required)

    def reload(self, secrets: Secrets) -> None:
        """Use other secrets for new links, and tell all links what has changed of the configuration.

        Args:
            secrets: read again.
        """
        self.secrets = secrets
        now = self.configuration()
        if now != self._told:
            self._told = now
            for manager in self._managers.values():
                for link in manager.links:
                    link.configure()

    def stop(self) -> None:
        """The server stops: clients without a link are not waited for."""
        for manager in self._managers.values():
            manager.stop()
