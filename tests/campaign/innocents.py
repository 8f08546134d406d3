"""Two pairs of clients that do no harm, and what they notice of those who do.

They run in a process of their own, so that nothing but the broker slows them down:

    python -m tests.campaign.innocents NATIVE-PORT XMPP-PORT

prints a JSON line for each round trip, until it is ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from broker.native.wire.frames import Kind, Unit
from tests.campaign.talkers import Address, Ended, NativeTalker, Silent, XmppTalker
from tests.system.launcher import BrokerProcess

NAMES = ("innocent1", "innocent2")
PAIRS = ("native", "xmpp")
PAUSE = 0.01
"""Seconds between two round trips of a pair."""
TOPIC = b"<key oid='innocent'/>"
PATIENCE = 60.0
OUTPUT = threading.Lock()


@dataclass(frozen=True, slots=True)
class Latency:
    """Round trips within a time, in milliseconds.

    Args:
        count: how many.
        median: half of them took at most so long.
        high: 99 of 100 took at most so long.
        highest: the slowest one.
    """

    count: int
    median: float
    high: float
    highest: float

    def __str__(self) -> str:
        return f"{self.median:.1f} / {self.high:.1f} / {self.highest:.0f}"


class Innocents:
    """The process of the innocents.

    Args:
        broker: with accounts of :data:`NAMES`.
    """

    def __init__(self, broker: BrokerProcess) -> None:
        ports = [str(broker.address(name)[1]) for name in ("SOCKET", "XMPP")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaign.innocents", *ports], stdout=subprocess.PIPE, text=True
        )
        self._trips: dict[str, list[tuple[float, float]]] = {pair: [] for pair in PAIRS}
        self._errors: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "error" in said:
                self._errors.append(f"{said['pair']}: {said['error']}")
            else:
                self._trips[said["pair"]].append((said["began"], said["took"]))

    @property
    def lost(self) -> str:
        """What happened to those that are not served any more; empty where all are."""
        return "; ".join(self._errors) or ("" if self._process.poll() is None else "the process has ended")

    def settle(self) -> None:
        """Wait until both pairs have made a round trip that begins now.

        Raises:
            Silent: one has not in time.
        """
        now = time.monotonic()
        while not all(trips and trips[-1][0] >= now for trips in self._trips.values()):
            if self.lost or time.monotonic() - now > PATIENCE:
                raise Silent(f"the innocents are not served: {self.lost or 'nothing comes'}")
            time.sleep(PAUSE)

    def latency(self, pair: str, began: float, ended: float) -> Latency:
        """What a pair has noticed in a time; a round trip counts where a part of it is within."""
        took = sorted(1000 * took for at, took in self._trips[pair] if at + took >= began and at <= ended)
        if not took:
            return Latency(0, 0, 0, 0)
        return Latency(len(took), took[len(took) // 2], took[min(len(took) * 99 // 100, len(took) - 1)], took[-1])

    def close(self) -> None:
        """End them."""
        self._process.kill()
        self._reader.join()
        with self._process:  # waits, and closes the pipe
            pass


def native_pair(address: Address) -> None:
    """One publishes to a topic that the other has subscribed to."""
    one, other = NativeTalker(address), NativeTalker(address)
    one.log_in(f"{NAMES[0]}/1")
    other.log_in(f"{NAMES[1]}/1")
    subscribed = other.call(b"subscribe", Unit(b"<qos/>", TOPIC))
    assert subscribed.kind is Kind.RESPONSE, subscribed
    while True:
        began = time.monotonic()
        id = one.request(b"publish", Unit(b"<qos/>", TOPIC, b"hello"))
        update = other.frame(PATIENCE)
        other.acknowledge(update)
        tell("native", began)
        one.answer(id, PATIENCE)
        time.sleep(PAUSE)


def xmpp_pair(address: Address) -> None:
    """One sends to the other, who answers."""
    one, other = XmppTalker(address), XmppTalker(address)
    for talker, name in ((one, NAMES[0]), (other, NAMES[1])):
        talker.log_in(name, "pair")
        talker.write(b"<presence/>")
    while True:
        began = time.monotonic()
        for sender, receiver, name in ((one, other, NAMES[1]), (other, one, NAMES[0])):
            sender.write(f"<message to='{name}@localhost/pair'><body>hello</body></message>".encode())
            receiver.element("message", patience=PATIENCE)
        tell("xmpp", began)
        time.sleep(PAUSE)


def tell(pair: str, began: float) -> None:
    """Tell of a round trip that ends now."""
    say(pair=pair, began=began, took=time.monotonic() - began)


def say(**values: Any) -> None:
    """Write a line, in one piece."""
    with OUTPUT:
        print(json.dumps(values), flush=True)


def endure(pair: str, talk: Any, port: int) -> None:
    """Talk until it is not possible any more, and say why."""
    try:
        talk(("127.0.0.1", port))
    except (Ended, Silent, OSError, AssertionError) as error:
        say(pair=pair, error=repr(error))


def main() -> None:
    """Talk for ever."""
    native, xmpp = map(int, sys.argv[1:])
    thread = threading.Thread(target=endure, args=("native", native_pair, native), daemon=True)
    thread.start()
    endure("xmpp", xmpp_pair, xmpp)
    thread.join()


if __name__ == "__main__":
    main()
