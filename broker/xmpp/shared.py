"""The one XMPP service of a broker, whatever listeners it has."""

from __future__ import annotations

from collections.abc import Callable

from broker.xmpp.service import XmppService


class SharedService:
    """Makes the service when the first listener needs it, and stops it when the last one is gone.

    Clients of one listener talk to those of another, so there must not be two services.

    Args:
        make: makes the service, not started yet.
    """

    def __init__(self, make: Callable[[], XmppService]) -> None:
        self._make = make
        self._users: set[object] = set()
        self._service: XmppService | None = None

    @property
    def current(self) -> XmppService | None:
        """The service; ``None`` while no listener needs it."""
        return self._service

    def acquire(self, user: object) -> XmppService:
        """The service, started.

        Args:
            user: the listener that needs it.

        Raises:
            BrokerError: ``resource.configuration`` for a property that cannot be used.
        """
        service = self._service
        if service is None:
            service = self._make()
            service.start()
            self._service = service
        self._users.add(user)
        return service

    def release(self, user: object) -> None:
        """A listener does not need it any more."""
        self._users.discard(user)
        if not self._users and self._service is not None:
            service, self._service = self._service, None
            service.stop()
