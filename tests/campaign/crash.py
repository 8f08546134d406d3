"""Kills the broker again and again while clients of both kinds talk, and compares what they got with a model.

    python -m tests.campaign.crash --kills 200 --seed 7

XMPP clients resume their streams and must get each message exactly once and in order; a native subscriber must get
every message that was acknowledged to its publisher, in order, repeats marked. At the end nothing may be left in the
database that nobody owns. Ends with status 1, and the seed to repeat it, where the claim is false.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from broker.client import PublishOptions, SubscribeOptions, Update
from broker.failpoints import VARIABLE
from tests.system.launcher import BrokerProcess, LaunchError, wait_until
from tests.system.stream_client import StreamClient
from tests.system.test_crash import RECEIVER, Sender, connected, numbers_of

USERS = ("ann", "bob", "cat")
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
)
SETTINGS = {
    "xmpp.plainWithoutTls": "true",
    "modules.mod_stream_management.buffer_max": "20",
    "queue/callback/maxEntries": "1000000",  # the subscriber is slow, and a full queue would make dead messages
    "queue/callback/maxBytes": "1000000000",
}
PATIENCE = 60.0
REPORT_EVERY = 10
LEFT_OVERS = {
    "entries without a queue": "SELECT count(*) FROM entry WHERE queue_id NOT IN "
    "(SELECT id FROM session UNION SELECT id FROM subject UNION SELECT id FROM topic)",
    "entries without a message": "SELECT count(*) FROM entry WHERE message_id NOT IN (SELECT id FROM message)",
    "messages without an entry": "SELECT count(*) FROM message WHERE id NOT IN (SELECT message_id FROM entry)",
    "subscriptions without a session": "SELECT count(*) FROM subscription "
    "WHERE session_id NOT IN (SELECT id FROM session)",
    "counters without a session": "SELECT count(*) FROM handled WHERE session_id NOT IN (SELECT id FROM session)",
    "stanzas that were taken": "SELECT count(*) FROM entry JOIN session ON entry.queue_id = session.id "
    "WHERE session.kind = 'xmpp'",
}


class Failed(Exception):
    """The claim is false."""


class XmppTalk:
    """Clients that send to each other over streams that they resume.

    Args:
        broker: that is killed.
        chance: decides what they do.
    """

    def __init__(self, broker: BrokerProcess, chance: random.Random) -> None:
        self._broker = broker
        self._chance = chance
        self.clients = [StreamClient(broker, user) for user in USERS]
        self._sent: dict[tuple[str, str], list[str]] = {}
        self.count = 0

    def step(self) -> None:
        """One thing that one of them does."""
        client = self._chance.choice(self.clients)
        if not client.attached:
            client.go_on()
            return
        match self._chance.randrange(12):
            case 0:
                client.cut()
            case 1 | 2:
                client.ask()
            case 3 | 4 | 5:
                client.read()
            case _:
                self._say(client)

    def finish(self) -> None:
        """All of them take what is left."""
        for client in self.clients:
            client.go_on() if not client.attached else client.ask()
            client.read(0.05)

    @property
    def finished(self) -> bool:
        """Whether everything has come, and was counted."""
        expected = sum(map(len, self._sent.values()))
        return sum(len(client.got) for client in self.clients) >= expected and all(
            client.attached and not client.unacked for client in self.clients
        )

    def check(self) -> None:
        """Compare with the model."""
        for receiver in self.clients:
            for sender in self.clients:
                mark = f"{sender.user}>{receiver.user} "
                got = [body for body in receiver.got if body.startswith(mark)]
                sent = self._sent.get((sender.user, receiver.user), [])
                if got != sent:
                    raise Failed(f"{mark}: {len(sent)} sent, {len(got)} came: {_difference(sent, got)}")

    def _say(self, sender: StreamClient) -> None:
        others = [client for client in self.clients if client is not sender and client.id]
        if not others:
            return
        receiver = self._chance.choice(others)
        for _ in range(self._chance.randint(1, 5)):
            self.count += 1
            body = f"{sender.user}>{receiver.user} {self.count}"
            self._sent.setdefault((sender.user, receiver.user), []).append(body)
            bare = self._chance.random() < 0.3
            sender.send(f"{receiver.user}@localhost" + ("" if bare else f"/{receiver.resource}"), body)


class NativeTalk:
    """A publisher and a persistent subscriber."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._receiver = connected(broker, RECEIVER)
        self._receiver.subscribe("numbers", options=SubscribeOptions(persistent=True, history=0))
        self._sender = Sender(broker, PublishOptions(persistent=True))
        self._got: list[Update] = []

    def start(self) -> None:
        """Begin to publish."""
        self._sender.start()

    def read(self, patience: float) -> bool:
        """Take what has come; tells whether there was anything."""
        before = len(self._got)
        for update in self._receiver.updates(timeout=patience):
            self._got.append(update)
            if len(self._got) - before >= 2000:
                break
        return len(self._got) > before

    def stop(self) -> None:
        """Publish no more."""
        self._sender.stop()

    def check(self) -> int:
        """Compare with the model; returns how many were acknowledged."""
        while self.read(3.0):
            pass
        self._receiver.disconnect()
        missing = set(self._sender.acknowledged) - set(numbers_of(self._got))
        if missing:
            raise Failed(f"acknowledged to the native publisher, and lost: {sorted(missing)[:10]}")
        seen: set[int] = set()
        for update in self._got:
            if update.received in seen and not update.redelivered:
                raise Failed(f"the native subscriber got {update.text} twice without a mark")
            seen.add(update.received)
        first = list(dict.fromkeys(numbers_of(self._got)))
        early = [(one, other) for one, other in pairwise(first) if one > other]
        if early:
            known = set(self._sender.acknowledged)
            told = ", ".join(
                f"{a}{'' if a in known else '?'} before {b}{'' if b in known else '?'}" for a, b in early[:5]
            )
            raise Failed(f"the native subscriber got messages out of order ({told}; ? was not acknowledged at once)")
        return len(self._sender.acknowledged)


class Campaign:
    """The whole of it.

    Args:
        kills: how often the broker is killed.
        seed: of all that is left to chance.
        directory: for the broker's data.
        tell: takes a line for people.
    """

    def __init__(self, kills: int, seed: int, directory: Path, tell: Callable[[str], None]) -> None:
        self._kills = kills
        self._chance = random.Random(seed)
        self._tell = tell
        self._broker = BrokerProcess(directory / "data", settings=SETTINGS)
        self._started = time.monotonic()

    def run(self) -> None:
        """Run it.

        Raises:
            Failed: the claim is false.
        """
        for name in ("joe", "jack", *USERS):
            self._broker.run_command("user", "add", name, "--password-stdin", stdin="secret\n")
        try:
            self._broker.start()
            xmpp, native = XmppTalk(self._broker, self._chance), NativeTalk(self._broker)
            native.start()
            for number in range(1, self._kills + 1):
                self._round(xmpp, native)
                if number % REPORT_EVERY == 0:
                    self._tell(f"{number} kills, {xmpp.count} stanzas, {time.monotonic() - self._started:.0f} s")
            native.stop()
            self._drain(xmpp)
            xmpp.check()
            acknowledged = native.check()
            self._broker.terminate()
            self._check_database()
            self._tell(
                f"{self._kills} kills: {xmpp.count} XMPP messages came once and in order; "
                f"{acknowledged} native ones were acknowledged and none is lost"
            )
        finally:
            self._broker.close()

    def _round(self, xmpp: XmppTalk, native: NativeTalk) -> None:
        point = self._chance.choice((*POINTS, "", "", "", ""))
        until = time.monotonic() + self._chance.uniform(0.05, 0.6)
        while self._broker.running and time.monotonic() < until:
            for _ in range(20):
                xmpp.step()
        native.read(0.001)
        if self._broker.running:
            self._broker.kill()
        if point:
            os.environ[VARIABLE] = f"{point}:{self._chance.randint(1, 40)}"
        try:
            self._start()
        finally:
            os.environ.pop(VARIABLE, None)
        for client in xmpp.clients:
            client.cut()

    def _start(self) -> None:
        try:
            self._broker.start()
        except LaunchError:
            if self._broker.running:
                raise
            os.environ.pop(VARIABLE, None)  # the point was reached while it started
            self._broker.start()

    def _drain(self, xmpp: XmppTalk) -> None:
        self._broker.kill()
        self._broker.start()

        def finished() -> bool:
            xmpp.finish()
            return xmpp.finished

        try:
            wait_until(finished, PATIENCE)
        except LaunchError:
            xmpp.check()
            raise Failed("the streams do not come to rest") from None

    def _check_database(self) -> None:
        with sqlite3.connect(self._broker.data / "broker.db") as database:
            for what, query in LEFT_OVERS.items():
                (count,) = database.execute(query).fetchone()
                if count:
                    raise Failed(f"left over in the database: {count} {what}")


def _difference(sent: list[str], got: list[str]) -> str:
    lost = [body for body in sent if body not in set(got)]
    doubled = sorted({body for body in got if got.count(body) > 1})
    if lost or doubled:
        return f"lost {lost[:5]}, doubled {doubled[:5]}"
    return "out of order"


def main() -> None:
    """Run the campaign of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how often the broker is killed (200)")
    parser.add_argument("--seed", type=int, default=None, help="repeat what another run did by chance")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="broker-crash-"))
    try:
        Campaign(given.kills, seed, directory, lambda line: print(line, flush=True)).run()
    except Failed as failed:
        print(f"FAILED with --seed {seed}: {failed}; the data are in {directory}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
