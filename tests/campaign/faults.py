"""What is done to the broker and to what it stands on. Each fault ends with everything there is healthy again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path

from broker.failpoints import VARIABLE
from tests.campaign.checks import Failed
from tests.campaign.manager_faults import ManagerFaults, Talk
from tests.campaign.places import Place, PostgresPlace, SqlitePlace
from tests.campaign.ways import Ways
from tests.system.launcher import BrokerProcess, LaunchError

OF_LINKS = (
    "frames of a manager received",
    "bytes of a client stored",
    "session on another link",
    "end of a managed session stored",
)
POINTS = (
    "commit begun",
    "commit written",
    "commit done",
    "answer due",
    "bytes received",
    "stanzas due",
    "stanzas written",
    "resume taken over",
    "resume committed",
    "resume sent",
    "login answered",
    "connect answered",
    "update written",
    "update acknowledged",
    "entry swapped out",
    "entries swapped in",
    "journal written to the tables",
    "recovery cleaned",
    "topic removed",
    "erasure forgotten",
    "message expired",
    "message returned",
    "messages handed over",
    "session emptied",
    "session removed",
    *OF_LINKS,
)
"""Of :mod:`broker.failpoints`, in the broker."""
ELSEWHERE = (
    "answer over BOSH",
    "dead message replayed",
    "definitions committed",
    "definitions half made",
    "entries put",
    "properties noted",
    "schema changed",
)
"""Points that no client brings about, and other tests kill the broker at."""
ONCE_A_SECOND = frozenset({"commit written", "journal written to the tables"})
"""Those that the broker comes to when it folds its journal."""
AT_POINT = "SIGKILL at a named point"
ARMED = 0.7
"""Share of the starts after which the broker dies at a named point, if it is reached."""
DOWN = 0.3
"""Longest time in seconds for which clients talk, over managers, while there is no broker."""
KILLS = 12
"""How much more often the broker is killed than something else happens."""
OF_MANAGERS = 2
"""The same for each fault of managers and links."""
FAILS = "The store cannot commit"
WORKS = "The store commits again"
JUMPING = Path(__file__).parent / "jumping"
"""Has the module that makes a process's wall clock jump."""
JUMPS = (3.0, -2.0, 5.0, -4.5, 0.0)
"""Hours that the broker's clock is off, one after the other."""


class Faults:
    """Faults by name; each is called with what lets clients talk.

    Args:
        broker: the process.
        place: its data.
        chance: decides when.
        ways: of clients to it.

    Attributes:
        made: how often each was made.
        deaths: how often the broker died.
        points: at which named points, and how often.
    """

    def __init__(self, broker: BrokerProcess, place: Place, chance: random.Random, ways: Ways) -> None:
        self._broker = broker
        self._place = place
        self._chance = chance
        self._ways = ways
        self.made: dict[str, int] = {}
        self.deaths = 0
        self.points: dict[str, int] = {}
        self._killed = False
        self._point = ""
        self._of_managers: dict[str, Callable[[Talk], None]] = {}
        self.skipped = dict(place.skipped)
        self.usual: dict[str, Callable[[Talk], None]] = {
            "SIGKILL": self.killed,
            "SIGKILL while starting": self.killed_while_starting,
            "SIGTERM": self.terminated,
            "SIGTERM twice": self.terminated_twice,
            "SIGTERM while starting": self.terminated_while_starting,
        }
        self.rare: dict[str, Callable[[Talk], None]] = {"clock jumps": self.clock_jumps}
        if isinstance(place, SqlitePlace) and place.disk is not None:
            self.rare["full disk"] = self.full_disk
        if isinstance(place, PostgresPlace):
            self.usual["database cut off"] = self.database_cut
            self.usual["answers of the database lost"] = self.answers_lost
            self.rare["database away"] = self.database_away
            if place.is_private:
                self.rare["database killed"] = self.database_killed

    def add_managers(self) -> None:
        """The managers have been started, and have faults of their own."""
        if self._ways.managers:
            self._of_managers = ManagerFaults(self._ways.managers, self._chance).usual
            self.usual.update(self._of_managers)

    def choose(self) -> str:
        """One of the usual faults."""
        return self._chance.choices(list(self.usual), list(map(self._weight, self.usual)))[0]

    def _weight(self, name: str) -> int:
        if name in self._of_managers:
            return OF_MANAGERS
        return KILLS if name == "SIGKILL" else 1

    def make(self, name: str, talk: Talk) -> None:
        """Make a fault, and have the broker running afterwards."""
        (self.usual.get(name) or self.rare[name])(talk)
        self.count(name)
        if not self._broker.running:
            talk(self._chance.uniform(0.0, DOWN))
        self.start()
        self._ways.revive()

    def count(self, name: str) -> None:
        """Something was made."""
        self.made[name] = self.made.get(name, 0) + 1

    def steady(self) -> None:
        """Have a broker that does not die by itself."""
        if self._point or not self._broker.running:
            self._kill()
            self.start(armed=0.0)
        self._ways.steady()

    def start(self, armed: float = ARMED) -> None:
        """Start the broker if it does not run.

        Args:
            armed: how likely it is to die at a named point.
        """
        if self._broker.running:
            return
        self._died()
        if self._chance.random() < armed:
            self._point = self._chance.choice(POINTS)
            often = 2 if self._point in ONCE_A_SECOND else 40
            self._broker.environment[VARIABLE] = f"{self._point}:{self._chance.randint(1, often)}"
        try:
            self._broker.start()
        except LaunchError:
            if self._broker.running or not self._point:
                raise
            self._died()  # at a point that is reached while it starts
            self._broker.environment.pop(VARIABLE)
            self._broker.start()
        finally:
            self._broker.environment.pop(VARIABLE, None)

    def _died(self) -> None:
        if self._point and not self._killed:
            self.count(AT_POINT)
            self.points[self._point] = self.points.get(self._point, 0) + 1
        self.deaths += 1
        self._killed, self._point = False, ""

    def killed(self, talk: Talk) -> None:
        """SIGKILL at a named point where one is reached soon, else at any time."""
        talk(0.7 if self._point else self._some_time())
        self._kill()

    def killed_while_starting(self, talk: Talk) -> None:
        """SIGKILL during start and recovery."""
        talk(self._some_time())
        self._kill()
        self._broker.spawn()
        time.sleep(self._chance.uniform(0.2, 1.2))
        self._kill()

    def terminated(self, talk: Talk) -> None:
        """SIGTERM at any time."""
        talk(self._some_time())
        self._terminate()

    def terminated_twice(self, talk: Talk) -> None:
        """SIGTERM, and again before it has ended."""
        talk(self._some_time())
        with contextlib.suppress(ProcessLookupError):  # it has died at a point
            os.kill(self._broker.pid, signal.SIGTERM)
        time.sleep(self._chance.uniform(0, 0.1))
        self._terminate()

    def terminated_while_starting(self, talk: Talk) -> None:
        """SIGTERM during start and recovery."""
        talk(self._some_time())
        self._kill()
        self._broker.spawn()
        time.sleep(self._chance.uniform(0.2, 1.2))
        self._terminate()

    def database_cut(self, talk: Talk) -> None:
        """All connections to the database are lost, more than once."""
        self.steady()
        assert isinstance(self._place, PostgresPlace)
        for _ in range(self._chance.randint(1, 3)):
            talk(self._some_time())
            self._place.proxy.cut()
        talk(0.3)

    def answers_lost(self, talk: Talk) -> None:
        """What the database answers does not arrive, then the connection is lost: was it committed?"""
        self.steady()
        assert isinstance(self._place, PostgresPlace)
        for _ in range(self._chance.randint(1, 3)):
            talk(self._some_time())
            self._place.proxy.lose_answers(self._chance.uniform(0.005, 0.1))
        talk(0.3)

    def database_away(self, talk: Talk) -> None:
        """No connection to the database for seconds; sometimes the broker dies meanwhile."""
        self.steady()
        assert isinstance(self._place, PostgresPlace)
        self._place.proxy.leave()
        self._while_failing(talk)
        self._place.proxy.come_back()
        self._after_failing(talk)

    def database_killed(self, talk: Talk) -> None:
        """SIGKILL of the database server, which is started again seconds later."""
        self.steady()
        assert isinstance(self._place, PostgresPlace)
        talk(self._some_time())
        self._place.kill()
        self._while_failing(talk)
        self._place.start_again()
        self._after_failing(talk)

    def full_disk(self, talk: Talk) -> None:
        """No room for seconds; sometimes the broker dies meanwhile."""
        self.steady()
        assert isinstance(self._place, SqlitePlace)
        assert self._place.disk is not None
        talk(self._some_time())
        self._place.disk.fill()
        try:
            talk(3.0)
            if FAILS in self._broker.log():  # else the log of SQLite has room in itself
                self._while_failing(talk)
        finally:
            self._place.disk.free()
        self._after_failing(talk)

    def clock_jumps(self, talk: Talk) -> None:
        """The broker's wall clock jumps by hours, forward and back."""
        talk(self._some_time())
        self._kill()
        offset = self._place.directory / "offset"
        offset.write_bytes(struct.pack("d", 0.0))
        added = {"PYTHONPATH": str(JUMPING), "CAMPAIGN_CLOCK": str(offset)}
        self._broker.environment.update(added)
        try:
            self.start(armed=0.0)
            for hours in JUMPS:
                talk(0.5)
                with offset.open("r+b") as file:
                    file.write(struct.pack("d", hours * 3600))
            talk(0.5)
        finally:
            for name in added:
                self._broker.environment.pop(name, None)
        self._kill()

    def _while_failing(self, talk: Talk) -> None:
        try:
            self._broker.wait_for_log(FAILS)
        except LaunchError:
            if self._broker.running:
                raise Failed("the store cannot work, and the broker does not say so") from None
        talk(self._chance.uniform(0.5, 2.0))
        if self._chance.random() < 0.4:
            self._kill()

    def _after_failing(self, talk: Talk) -> None:
        if not self._broker.running:
            return
        log = self._broker.log()
        if log.count(FAILS) == log.count(WORKS):
            return
        try:
            self._broker.wait_for_log(WORKS)
        except LaunchError:
            raise Failed("the store can work again, and does not") from None
        talk(0.3)

    def _some_time(self) -> float:
        return self._chance.uniform(0.02, 0.4)

    def _kill(self) -> None:
        if self._broker.running:
            self._killed = True
            self._broker.kill()

    def _terminate(self) -> None:
        if not self._broker.running:
            return
        self._killed = True
        try:
            self._broker.terminate()
        except LaunchError as error:
            raise Failed(f"SIGTERM: the broker {str(error)[:2000]}") from None
