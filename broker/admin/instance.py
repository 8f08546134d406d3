"""The running broker, as administration sees it over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from broker.admin.access import Access
    from broker.admin.property_book import PropertyBook
    from broker.auth.wiring import Security
    from broker.config.properties import Properties
    from broker.core.broker import Broker
    from broker.core.events import Events
    from broker.logs.recent import RecentLines
    from broker.logs.timed_levels import TimedLevels
    from broker.net.listener import Listener
    from broker.runlevels.service import RunLevels
    from broker.xmpp.shared import SharedService

BROKER_LEVEL = 2
"""From this run level on there is a :attr:`Instance.broker` and a store."""


class Instance(Protocol):
    """What :class:`broker.app.Application` tells of itself.

    Attributes:
        properties: the configuration.
        reactor: the reactor. Its clock is one that nobody sets, and no wall clock.
        wall_clock: seconds since 1970.
        run_levels: of the broker.
        running: it has not been told to end.
        serving: all ports for clients are open.
        store: an opened :class:`broker.ports.IStore`, from run level 2 on at the latest, and while it is opened.
        broker: the core, from run level :data:`BROKER_LEVEL` on.
        security: what logins are checked with, from there on, too.
        data: the data directory.
        xmpp: the XMPP service of all its listeners.
        access: who may administer.
        property_book: the properties, and changes of them.
        log_levels: levels of the log; ``None`` where it is not the broker's own.
        events: are told of what happens.
        recent_lines: the last lines of the log.
    """

    properties: Properties
    reactor: Any
    wall_clock: Callable[[], float]
    run_levels: RunLevels
    running: int
    serving: bool
    store: Any
    broker: Broker
    data: Path
    xmpp: SharedService
    access: Access
    property_book: PropertyBook
    log_levels: TimedLevels | None
    events: Events
    recent_lines: RecentLines

    @property
    def security(self) -> Security:
        """See above."""

    def request_run_levels(self, levels: Sequence[int]) -> None:
        """Go to other run levels soon, one after the other."""

    def plugin_of(self, listener: str) -> str:
        """The id of the plugin that a listener belongs to; empty where there is none."""

    def reload_listener(self, name: str) -> None:
        """Read the certificates of a listener's plugin again; raises as the plugin does."""

    def shut_down(self) -> None:
        """End the process in good order."""

    def listeners(self) -> list[tuple[str, Listener]]:
        """The listeners for clients, by their names."""


def core_of(instance: Instance) -> Broker | None:
    """The core, where the run level has one."""
    return instance.broker if instance.run_levels.level >= BROKER_LEVEL else None
