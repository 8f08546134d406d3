"""What is done to the broker behind connection managers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.case import CaseError, Drive, Driver, Field, Figures
from bench.managed_system import ManagedSystem
from bench.system import Running, Settings, System


def ports_of_managers(running: Running) -> Sequence[int]:
    """Where the managers listen, beside the first of them."""
    return [port for name, (_, port) in running.ports.items() if name.startswith("xmpp-") and name != "xmpp-tls"]


@dataclass(frozen=True, slots=True)
class Managed(Drive):
    """Have clients take all connection managers in turn."""

    def __call__(self, where: Field, system: System) -> Figures:
        """Do it."""
        with where.started(system, self.settings) as running:
            specification = {**self.specification, "more_ports": ports_of_managers(running)}
            return where.drive(self.load, running, self.protocol, specification)


@dataclass(frozen=True, slots=True)
class Outages:
    """Log clients in over managers, kill the broker and start it again, then kill a manager.

    Args:
        specification: of the load.
        settings: of the broker.
    """

    specification: Mapping[str, Any]
    settings: Settings

    def __call__(self, where: Field, system: System) -> Figures:
        """Do it."""
        assert isinstance(system, ManagedSystem)
        with where.started(system, self.settings) as running:
            specification = {**self.specification, "more_ports": ports_of_managers(running)}
            driver = Driver("outages", running, "xmpp", where.scaled(specification))
            try:
                driver.hear()
                running.process.kill()
                driver.tell()
                start = time.monotonic()
                again = system.start_again(running, self.settings)
                ports_open = time.monotonic() - start
                try:
                    driver.hear()
                    running.helpers[0].kill()
                    driver.tell()
                    return {**driver.figures(), "ports_open_s": ports_open}
                except CaseError as error:
                    raise CaseError(f"{error}\nafter the start: {again.process.text()[-1000:]}") from None
                finally:
                    again.process.kill()
            finally:
                driver.kill()
