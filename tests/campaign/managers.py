"""The connection managers of a campaign, whose links can be cut."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

from broker.failpoints import VARIABLE
from tests.campaign.checks import Failed
from tests.campaign.proxy import Proxy
from tests.system.launcher import BrokerProcess, LaunchError
from tests.system.manager_process import ManagerProcess
from tests.system.routed_client import SETTINGS as LISTENING

SETTINGS = {**LISTENING, "xmpp.managers.grace": "5000"}
"""Of the broker; it keeps the sessions of a manager that was killed for 5 s."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the managers.

    Args:
        name: of the manager.
        links: to the broker.
        frames: it speaks frames; otherwise routes, as existing managers do.
    """

    name: str
    links: int
    frames: bool = True


KINDS = (Kind("cm1", 1), Kind("cm2", 5), Kind("cm3", 2, frames=False))
IN_FRAMES = (
    "frames of the server received",
    "data of a client sent",
    "client given data",
    "session attached again",
    "client asked for its counter",
    "stream resumed for its client",
    "client taken on",
    "sessions drained",
)
"""Of :mod:`broker.failpoints`, in a manager that speaks frames, ..."""
IN_ROUTES = ("stanza of a client routed", "client given a stanza", "client taken on", "sessions drained")
"""... and in one that speaks routes."""
ARMED = 0.5
"""Share of the starts after which a manager dies at a named point, if it is reached."""
OFTEN = 60
"""Times that a point may be reached before."""
WRONG = re.compile(r"Traceback|does not keep to the protocol|is cut off|could not be handled")
"""In the log of the broker or a manager, what must not be there."""


class Manager:
    """A connection manager.

    Args:
        directory: of its own.
        broker: that it dials, which has been started.
        kind: which one it is.
        chance: decides whether it dies at a point.

    Attributes:
        name: of the manager.
        frames: it speaks frames.
        proxy: that its links pass.
        process: of the manager.
        deaths: how often it died.
        points: at which named points, and how often.
    """

    def __init__(self, directory: Path, broker: BrokerProcess, kind: Kind, chance: random.Random) -> None:
        self.name = kind.name
        self.frames = kind.frames
        self.proxy = Proxy(*broker.address("XMPP-MANAGERS"), waits=True)
        self.process = ManagerProcess(
            directory,
            broker,
            {"xmpp.manager.connections": str(kind.links), "xmpp.manager.frames": str(kind.frames).lower()},
            kind.name,
            server=("127.0.0.1", self.proxy.port),
        )
        self.deaths = 0
        self.points: dict[str, int] = {}
        self._chance = chance
        self._starts = 0
        self._stops = True
        self._point = ""

    @property
    def life(self) -> int:
        """Number of the process that holds connections; 0 where it has ended, or is about to."""
        return 0 if self._stops or not self.process.running else self._starts

    def revive(self) -> None:
        """Start it if it does not run; by chance it will die at a named point."""
        if not self.process.running:
            armed = self._chance.random() < ARMED
            points = IN_FRAMES if self.frames else IN_ROUTES
            self.start(self._chance.choice(points) if armed else "", self._chance.randint(1, OFTEN))

    def start(self, point: str = "", count: int = 1) -> None:
        """Start it, and wait until it is ready.

        Args:
            point: named one, at which it will die; none if empty.
            count: times that it comes there.
        """
        self._died()
        if point:
            self._point = point
            self.process.environment[VARIABLE] = f"{point}:{count}"
        try:
            self.process.start()
        except LaunchError:
            if self.process.running or not self._point:
                raise
            self._died()  # as soon as it has links
            self.process.environment.pop(VARIABLE)
            self.process.start()
        finally:
            self.process.environment.pop(VARIABLE, None)
        self._starts += 1
        self._stops = False

    def steady(self) -> None:
        """Have a manager that does not die by itself."""
        if self._point or not self.process.running:
            self.kill()
            self.start()

    def kill(self) -> None:
        """SIGKILL."""
        self._stops = True
        if self.process.running:
            self._point = ""
            self.process.kill()

    def stop(self) -> None:
        """SIGTERM; raises :class:`Failed` where it does not end in good time."""
        self._stops = True
        if not self.process.running:
            return
        try:
            self.process.terminate()
        except LaunchError as error:
            raise Failed(f"SIGTERM: the manager {self.name} {str(error)[-2000:]}") from None
        self._point = ""

    def about_to_stop(self) -> None:
        """It may close connections from now on."""
        self._stops = True

    def check_log(self) -> None:
        """Raises :class:`Failed` where its log has what must not be there."""
        check_log(f"manager {self.name}", self.process.log_path, WRONG)

    def close(self) -> None:
        """End everything."""
        self.process.close()
        self.proxy.close()

    def _died(self) -> None:
        if self._starts and self._point:
            self.points[self._point] = self.points.get(self._point, 0) + 1
        self.deaths += bool(self._starts)
        self._point = ""


def check_log(who: str, path: Path, wrong: re.Pattern[str]) -> None:
    """Nothing is in a log that must not be there.

    Args:
        who: has written it.
        path: of the log.
        wrong: what must not be there.

    Raises:
        Failed: it is.
    """
    lines = path.read_text("utf-8", "replace").splitlines()
    found = [index for index, line in enumerate(lines) if wrong.search(line)]
    if found:
        raise Failed(f"{who} has {len(found)} errors in its log:\n" + "\n".join(lines[found[0] : found[0] + 40]))
