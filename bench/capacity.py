"""``python -m bench.capacity``: what connections, sessions, topics, subscriptions and entries cost a broker.

Each is made on a broker of its own, through the protocol, and told as the difference to that broker before. Memory,
disk and processor time do not depend much on what else the machine does; seconds do. With ``--update`` the table of
``docs/capacity.md`` is written anew.
"""

from __future__ import annotations

import argparse
import json
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

from bench.broker_system import BrokerSystem
from bench.case import raise_file_limit
from bench.procfs import cpu_seconds
from bench.system import Running, Settings
from broker.client import BlockingClient, ConnectOptions, PublishOptions, SubscribeOptions
from broker.store.location import DATABASE_FILE

PAGE = Path(__file__).parents[1] / "docs" / "capacity.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
USER, PASSWORD = "alice", "secret"
ROOM: Settings = {
    "plugin/admin/port": "-1",
    "session.maxSessions": "200000",
    "subscription.maxEntries": "200000",
    "session.maxSubscriptions": "200000",
    "account.maxSubscriptions": "200000",
    "account.maxTopics": "200000",
    "account.maxForced": "200000",
    "queue/callback/maxEntries": "1000000",
    "queue/callback/maxBytes": "4G",
    "queue.mostEntries": "1000000",
}
CONTENT = b"x" * 100
PAGES = 20
SETTLE_SECONDS = 3.0
"""After which a broker has written what it gathered."""
MIB = 1 << 20


class Socket(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that a broker has many of.

    Args:
        name: for the table.
        number: of them.
        listed: list of the API that has them, with its order.
        make: makes that many.
    """

    name: str
    number: int
    listed: str
    make: Callable[[Running, int], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one kind: memory and disk of each in bytes, times in seconds."""

    name: str
    number: int
    memory: float
    disk: float
    page: float
    page_server: float
    recovery: float
    recovery_processor: float

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        return (
            self.name,
            f"{self.number:,}",
            f"{self.memory:,.0f}",
            f"{self.disk:,.0f}",
            f"{self.page * 1000:.1f}",
            f"{self.page_server * 1000:.1f}",
            f"{self.recovery_processor:.1f}",
            f"{self.recovery:.1f}",
        )


HEAD = (
    "what",
    "number",
    "bytes of memory each",
    "bytes on disk each",
    "page of 100: processor ms",
    "its slowest of 20, ms",
    "recovery: processor s",
    "recovery: s",
)


def client(running: Running, name: str = USER, **options: Any) -> BlockingClient:
    """A client; it is to be used as a context."""
    return BlockingClient(*running.ports["native"], ConnectOptions(name, PASSWORD, **options))


def connections(running: Running, number: int) -> AbstractContextManager[object]:
    """Clients that are connected and do nothing."""
    sockets = []
    for _ in range(number):
        made = socket.create_connection(running.ports["xmpp"])
        made.sendall(
            b"<stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
            b" xmlns:stream='http://etherx.jabber.org/streams'>"
        )
        made.recv(4096)
        sockets.append(made)
    return closing(_All(sockets))


class _All:
    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = sockets

    def close(self) -> None:
        """Close them."""
        for each in self._sockets:
            each.close()


def sessions(running: Running, number: int) -> AbstractContextManager[object]:
    """Sessions that nobody is connected to, with one persistent message of 100 bytes each."""
    with client(running) as writer:
        for first in range(1, number + 1, 500):
            to = tuple(f"crowd/{each}" for each in range(first, min(first + 500, number + 1)))
            writer.publish("letter", CONTENT, PublishOptions(to=to, force=True, persistent=True, subscribable=False))
    return closing(_All(()))


def topics(running: Running, number: int) -> AbstractContextManager[object]:
    """Topics with one persistent message of 100 bytes each."""
    with client(running) as writer:
        for each in range(number):
            writer.publish(f"topic {each}", CONTENT, PublishOptions(persistent=True))
    return closing(_All(()))


def subscriptions(running: Running, number: int) -> AbstractContextManager[object]:
    """Persistent subscriptions of one session, each with a topic of its own that has no message."""
    with client(running, session=1, persistent=True) as reader:
        for each in range(number):
            reader.subscribe(f"topic {each}", options=SubscribeOptions(persistent=True))
    return closing(_All(()))


def entries(running: Running, number: int) -> AbstractContextManager[object]:
    """Persistent messages of 100 bytes in the queue of one session that is away."""
    with client(running, session=1, persistent=True):
        pass  # which leaves the session there
    with client(running) as writer:
        for _ in range(number):
            writer.publish("letter", CONTENT, PublishOptions(to=(f"{USER}/1",), persistent=True, subscribable=False))
    return closing(_All(()))


KINDS = (
    Kind("connections (XMPP, not logged in)", 2_000, "connections?sort=-openedAt", connections),
    Kind("sessions, with a message each", 20_000, "sessions?sort=-queueEntries", sessions),
    Kind("topics, with a message each", 10_000, "topics?sort=-historyEntries", topics),
    Kind("subscriptions, persistent", 5_000, "subscriptions?sort=id", subscriptions),
    Kind("entries of one queue", 50_000, "queues?sort=-entries", entries),
)


def measure(system: BrokerSystem, kind: Kind, scratch: Path, scale: float) -> Row:
    """Measure one kind."""
    number = max(100, int(kind.number * scale))
    directory = scratch / kind.name.partition(" ")[0].strip(",")
    directory.mkdir()
    running = system.start(directory, ROOM)
    time.sleep(SETTLE_SECONDS)
    memory, disk = running.rss_mib() * MIB, (running.data / DATABASE_FILE).stat().st_size
    with kind.make(running, number):
        time.sleep(SETTLE_SECONDS)
        grown = running.rss_mib() * MIB - memory
        page, slowest = _pages(running, kind.listed)
        running.kill()
    began = time.perf_counter()
    again = system.start_again(running, ROOM, 600)
    recovery, processor = time.perf_counter() - began, cpu_seconds(again.pids)
    again.kill()
    written = _disk(running.data) - disk
    return Row(kind.name, number, grown / number, written / number, page, slowest, recovery, processor)


def _disk(data: Path) -> int:
    """Bytes of the database of a broker that was killed, once its write-ahead log is in it."""
    with closing(sqlite3.connect(data / DATABASE_FILE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (data / DATABASE_FILE).stat().st_size


def _pages(running: Running, path: str) -> tuple[float, float]:
    """Processor seconds of a page, and the seconds of the slowest."""
    before, times = cpu_seconds(running.pids), []
    for _ in range(PAGES):
        began = time.perf_counter()
        connection = Socket(running.data / "admin.sock")
        connection.request("GET", f"/api/v1/{path}&limit=100")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        json.loads(body)
        times.append(time.perf_counter() - began)
        time.sleep(0.05)
    return (cpu_seconds(running.pids) - before) / PAGES, max(times)


def as_table(rows: Sequence[Row], base: float) -> str:
    """The table, with what it was measured on."""
    lines = [HEAD, ("---",) * len(HEAD), *(row.cells() for row in rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} with `python -m bench.capacity`, Python"
        f" {sys.version.partition(' ')[0]}, SQLite. A broker that has nothing takes {base:.0f} MiB.\n\n{table}"
    )


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers (default 1)")
    parser.add_argument("--update", action="store_true", help="write the table of docs/capacity.md anew")
    options = parser.parse_args(arguments)
    raise_file_limit()
    system = BrokerSystem({USER: PASSWORD})
    rows, bases = [], []
    with tempfile.TemporaryDirectory(prefix="broker-capacity-") as name:
        scratch = Path(name)
        system.prepare(scratch)
        for kind in KINDS:
            print(kind.name, file=sys.stderr, flush=True)
            rows.append(measure(system, kind, scratch, options.scale))
        empty = scratch / "empty"
        empty.mkdir()
        running = system.start(empty, ROOM)
        for _ in range(3):
            time.sleep(1)
            bases.append(running.rss_mib())
        running.kill()
    text = as_table(rows, median(bases))
    print(text)
    if options.update:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
