"""The ways by which XMPP clients come to the broker: directly, and over connection managers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from tests.campaign.checks import Failed
from tests.campaign.managers import KINDS, Kind, Manager
from tests.system.launcher import BrokerProcess

DIRECT = "XMPP"
WEB = "WEB"
"""Over WebSocket."""


class Ways:
    """All of them; clients take one for each connection.

    Args:
        broker: the process.
        chance: decides.
        share: of the connections that go over managers; at 0 there are none.
        kinds: of the managers.
        web: of those that are direct, some go over WebSocket.

    Attributes:
        managers: that were started.
        on_close: called when the broker's process is closed.
    """

    def __init__(
        self,
        broker: BrokerProcess,
        chance: random.Random,
        share: float,
        kinds: Sequence[Kind] = KINDS,
        *,
        web: bool = False,
    ) -> None:
        self.managers: Sequence[Manager] = ()
        self.on_close = broker.on_close
        self._broker = broker
        self._chance = chance
        self._share = share
        self._kinds = kinds
        self._web = web
        self._lost: list[str] = []

    def open(self, directory: Path, point: str = "", count: int = 1) -> None:
        """Start the managers; the broker runs.

        Args:
            directory: for what they keep.
            point: named one, at which each will die; none if empty.
            count: times that it comes there.
        """
        if self._share:
            self.managers = [Manager(directory / kind.name, self._broker, kind, self._chance) for kind in self._kinds]
        for each in self.managers:
            each.start(point, count)

    @property
    def is_open(self) -> bool:
        """Whether it makes sense to connect."""
        return self._broker.running

    def choose(self) -> str:
        """The name of a way."""
        if self.managers and self._chance.random() < self._share:
            return f"{self._chance.choice(self.managers).name}-TLS"
        return self._chance.choice((DIRECT, WEB)) if self._web else DIRECT

    def choose_routes(self) -> str:
        """The name of a way over a manager that speaks routes; the direct one where there are no managers."""
        routes = [each for each in self.managers if not each.frames]
        return f"{self._chance.choice(routes).name}-TLS" if routes else DIRECT

    def address(self, name: str = DIRECT) -> tuple[str, int]:
        """Host and port."""
        manager = self._manager(name)
        return self._broker.address(name) if manager is None else manager.process.address("XMPP-TLS")

    def life(self, name: str) -> int:
        """Number of the manager's process that a way leads over; 0 where there is none that keeps connections open.

        Over routes none is kept: what was on its way with a link or the broker is not known, so that the client must
        resume its stream.
        """
        manager = self._manager(name)
        return 0 if manager is None or not manager.frames else manager.life

    def is_living(self, name: str, life: int) -> bool:
        """Whether the manager's process that a way led over keeps connections open."""
        return bool(life) and self.life(name) == life

    def lost(self, what: str) -> None:
        """A connection is lost that a manager should have kept open; :meth:`check` says so."""
        self._lost.append(what)

    def check(self) -> None:
        """Raises :class:`Failed` where a manager has not kept a connection open."""
        if self._lost:
            raise Failed(f"{len(self._lost)} connections were not kept open: {'; '.join(self._lost[:5])}")

    def revive(self) -> None:
        """Have all managers running."""
        for each in self.managers:
            each.revive()

    def steady(self) -> None:
        """Have all managers running, and none that dies by itself."""
        for each in self.managers:
            each.steady()

    def close(self) -> None:
        """Stop all managers in good order; raises :class:`Failed` where one does not stop, or its log has errors."""
        for each in self.managers:
            each.stop()
            each.check_log()

    def end(self) -> None:
        """End all processes."""
        for each in self.managers:
            each.close()

    def _manager(self, name: str) -> Manager | None:
        for each in self.managers:
            if name == f"{each.name}-TLS":
                return each
        return None
