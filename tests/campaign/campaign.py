"""One campaign on one store: rounds of talk and faults, then everything is compared with the model."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign import bosh_talk, friends, managers, resources, scenes, tables, unmanaged
from tests.campaign.checks import Failed, check_nothing_left
from tests.campaign.faults import Faults
from tests.campaign.native_talk import NativeTalk
from tests.campaign.participants import Participants
from tests.campaign.places import Place, PostgresPlace, SqlitePlace
from tests.campaign.resident import resident
from tests.campaign.streams import Streams
from tests.campaign.ways import Ways
from tests.campaign.xmpp_talk import LATE, USERS
from tests.system.launcher import BrokerProcess

ACCOUNTS = (
    *("joe", "jack", "jim", "away", "adm", "ann2", scenes.CROWD_USER, *USERS, *LATE),
    *friends.NAMES,
    *(resources.ACCOUNT, *resources.SENDERS),
    *unmanaged.NAMES,
    *bosh_talk.USERS,
)
SETTINGS = {
    **managers.SETTINGS,
    "xmpp.plainWithoutTls": "true",
    "plugin/web/port": "0",
    "modules.mod_stream_management.buffer_max": "20",
    "admin.users": "adm",
    "session.maxSessions": "500",
    "queue/callback/maxEntries": "1000000",  # receivers are slow, and a full queue would make dead messages
    "queue/callback/maxBytes": "1000000000",
    "queue/callback/maxEntriesCache": "100",  # so that most of a queue is on disk only
    "queue/subject/maxEntries": "1000000",
    "queue/subject/maxBytes": "1000000000",
}
STEPS = 30
"""That clients take while they talk, on a machine that has much else to do, ..."""
LONGER = 0.5
"""... and for which they may talk so many seconds longer."""
REPORT_EVERY = 10
SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread of the campaign lets others run; with Python's 5 ms a login takes half a second."""
LARGE_PAGES = 256
"""Pages by which a database may be larger than at first when all queues are empty."""
LARGE_MEMORY = 80.0
"""Megabytes by which the broker may be larger than at first when all queues are empty."""


@dataclass
class Outcome:
    """What a campaign has found.

    Args:
        store: kind of the database.
        seed: of all that was left to chance.
        figures: by what they count, in order.
        faults: how often each was made.
        skipped: faults that could not be made, and why.
        failed: the promise that is broken; empty where none is.
    """

    store: str
    seed: int
    figures: dict[str, str] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: str = ""


def rounds(kills: int, special: Container[int], until: float, clock: Callable[[], float]) -> Iterator[int]:
    """Numbers of the rounds, from 1; once it is late, only those in which something rare happens."""
    for number in range(1, kills + 1):
        if number in special or clock() < until:
            yield number


class Campaign:
    """The whole of it.

    Args:
        store: ``sqlite`` or ``postgresql``.
        kills: rounds, in most of which the broker is killed.
        seconds: after which the rounds end early; what happens rarely is then made up for.
        participants: which clients take part.
        seed: of all that is left to chance.
        directory: for the data, empty.
        tell: takes a line for people.
    """

    def __init__(
        self,
        store: str,
        kills: int,
        seed: int,
        directory: Path,
        tell: Callable[[str], None],
        *,
        seconds: float = math.inf,
        participants: Participants = Participants(),  # noqa: B008 - it is frozen
    ) -> None:
        self.outcome = Outcome(store, seed)
        self._kills = kills
        self._seconds = seconds
        self._rounds = 0
        self._chance = random.Random(seed)
        self._tell = tell
        self._place: Place = SqlitePlace(directory) if store == "sqlite" else PostgresPlace(directory)
        self._place.add_accounts(*ACCOUNTS)
        self._broker = BrokerProcess(self._place.data, settings={**SETTINGS, **self._place.settings})
        self._ways = Ways(self._broker, self._chance, participants.share, web=True)
        self._participants = participants
        self._faults = Faults(self._broker, self._place, self._chance, self._ways)
        self._close_streams: Callable[[], None] = lambda: None
        self._started = time.monotonic()

    def run(self) -> None:
        """Run it.

        Raises:
            Failed: a promise is broken.
        """
        sys.setswitchinterval(SWITCH_INTERVAL)
        try:
            self._run()
        except AssertionError as error:  # of the stream clients
            raise Failed(str(error)) from error
        finally:
            self.outcome.faults = dict(self._faults.made)
            self.outcome.skipped = dict(self._faults.skipped)
            self._ways.end()
            self._close_streams()
            self._broker.close()
            self._place.close()

    def _run(self) -> None:
        broker = self._broker
        broker.start()
        self._ways.open(self._place.directory)
        self._faults.add_managers()
        streams, native = Streams(self._ways, self._chance, self._participants), NativeTalk(broker, self._chance)
        self._close_streams = streams.bosh.close
        streams.prepare()
        streams.cut()
        broker.terminate()
        pages = tables.pages(self._place.url)
        broker.start()
        memory = resident(broker.pid)
        self._talk_with(streams, 1.0)
        native.start()
        special = self._special_rounds()
        for number in rounds(self._kills, special, self._started + self._seconds, time.monotonic):
            self._round(special.get(number, ""), streams, native)
            self._rounds += 1
            if number % REPORT_EVERY == 0 or number in special:
                self._report(number, streams, native)
        self._tell("draining")
        self._faults.steady()
        native.stop()
        streams.settle()
        streams.cut()
        streams.drain()
        native.drain()
        grown = resident(broker.pid) - memory
        streams.check()
        native.check(len(streams.talk.residents) - 1)
        self._check_rest(streams, native, grown, pages)

    def _special_rounds(self) -> dict[int, str]:
        """What happens rarely, spread over the campaign: each thing once in 100 rounds, and at least once."""
        names = [*self._faults.rare, "crowd", "stall"]
        rounds = max(1, self._kills // 100) * names
        self._chance.shuffle(rounds)
        step = self._kills / (len(rounds) + 1)
        return {max(1, round(step * (index + 1))): name for index, name in enumerate(rounds)}

    def _round(self, special: str, streams: Streams, native: NativeTalk) -> None:
        def talk(seconds: float) -> None:
            self._talk_with(streams, seconds)

        if special in ("crowd", "stall"):
            self._faults.steady()
        match special:
            case "crowd":
                scenes.crowd_vanishes(self._broker, self._ways, self._chance, talk, streams.attend)
                self._faults.count("a hundred clients vanish")
            case "stall":
                grown = scenes.readers_stall(self._broker, streams.talk, native)
                self.outcome.figures["growth while clients do not read"] = f"{grown:.0f} MB"
                self._faults.count("clients stop reading")
            case _:
                self._faults.make(special or self._faults.choose(), talk)
        if self._chance.random() < 0.1:
            streams.talk.welcome()
        if self._chance.random() < 0.1:
            native.visitor.look_in(0.3)
        streams.settle()
        streams.part()

    def _talk_with(self, streams: Streams, seconds: float) -> None:
        begun = time.monotonic()
        ran = self._broker.running
        steps = 0
        while self._broker.running == ran and time.monotonic() < begun + seconds + (LONGER if steps < STEPS else 0.0):
            streams.step()  # a login may take two seconds while the store cannot work
            steps += 1

    def _check_rest(self, streams: Streams, native: NativeTalk, grown: float, pages: int) -> None:
        self._ways.close()
        self._broker.terminate()
        managers.check_log("the broker", self._broker.log_path, managers.WRONG)
        check_nothing_left(tables.left_overs(self._place.url))
        more = tables.pages(self._place.url) - pages
        figures = self.outcome.figures
        figures["rounds"] = str(self._rounds)
        figures["deaths of the broker"] = str(self._faults.deaths)
        ends = sum(each.deaths for each in self._ways.managers)
        named = sum(sum(each.points.values()) for each in self._ways.managers)
        figures["ends of managers / of them at a named point"] = f"{ends} / {named}"
        figures["XMPP messages, each once and in order"] = str(streams.talk.count)
        figures["XMPP messages to several resources, each once to each"] = str(streams.resources.count)
        figures["XMPP messages without stream management over routes / arrived"] = (
            f"{streams.unmanaged.count} / {streams.unmanaged.arrived}"
        )
        figures["XMPP messages over BOSH, each once and in order"] = str(streams.bosh.count)
        figures["XMPP requests, each answered and kept"] = str(streams.talk.requests)
        figures["changes of contacts, kept on both sides / compared"] = (
            f"{streams.friends.count} / {streams.friends.compared}"
        )
        figures["native messages acknowledged, none lost"] = str(native.acknowledged)
        figures["native deliveries"] = str(sum(len(each.all) for each in native.receivers))
        figures["topics erased / kept"] = f"{len(native.eraser.erased)} / {len(native.eraser.kept)}"
        figures["memory when drained"] = f"{grown:+.0f} MB"
        figures["database when drained"] = f"{more:+d} pages"
        figures["seconds"] = f"{time.monotonic() - self._started:.0f}"
        if grown > LARGE_MEMORY:
            raise Failed(f"the broker holds {grown:.0f} MB more than at first, though all queues are empty")
        if more > LARGE_PAGES:
            raise Failed(f"the database has {more} pages more than at first, though all queues are empty")

    def _report(self, number: int, streams: Streams, native: NativeTalk) -> None:
        self._tell(
            f"{number} of {self._kills} rounds, {self._faults.deaths} deaths, {streams.messages} stanzas, "
            f"{native.acknowledged} native messages, {time.monotonic() - self._started:.0f} s"
        )
