"""A broker that has something to show."""

from __future__ import annotations

import math
import time

from broker.client import BlockingClient, ConnectOptions, PublishOptions
from tests.system.launcher import BrokerProcess
from tests.system.native_client import connected

ADMINISTRATOR, MONITOR, NOBODY = "boss", "watcher", "visitor"
PASSWORD = "secret"
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "\"'><script>alert(1)</script>",
    "\u202egnp.exe\u2066",
    "javascript:alert(1)",
    "zero\u200bwidth\u00adhyphen",
    "%2e%2e%2f..%2f",
    "?#&=+ %",
    "long" * 400,
)
"""Names that must be shown as what they are."""
HOSTILE_LOGINS = tuple(name for name in HOSTILE[:-1] if "/" not in name)
"""Those that a login name may be."""
SETTINGS = {
    "plugin/admin/port": "0",
    "admin.users": ADMINISTRATOR,
    "admin.monitors": MONITOR,
    "session.maxSessions": "20000",
}
MANY = 10_000


def populate(broker: BrokerProcess) -> None:
    """Clients, topics and queues, of which some wait."""
    joe = connected(broker, ConnectOptions("visitor", PASSWORD, session=1, persistent=True, queue_entries=10))
    joe.subscribe("news")
    joe.subscribe("weather")
    joe.leave()  # the session waits
    reader = connected(broker, ConnectOptions("watcher", PASSWORD))
    reader.subscribe("news")
    broker.on_close.append(reader.disconnect)
    writer = connected(broker, ConnectOptions("boss", PASSWORD))
    broker.on_close.append(writer.disconnect)
    for number in range(12):
        writer.publish("news", f"news {number}")
    writer.publish(
        "weather", "<weather city='Bern'/>", PublishOptions(mime="text/xml", domain="swiss", persistent=True)
    )
    for oid in HOSTILE:
        writer.publish(oid, b"x")
    for name in HOSTILE_LOGINS:
        writer.publish("letter", b"for you", PublishOptions(to=(name,), force=True, persistent=True))


def crowd(writer: BlockingClient, number: int = MANY) -> None:
    """Sessions of one login name."""
    for first in range(1, number + 1, 500):
        names = tuple(f"crowd/{each}" for each in range(first, min(first + 500, number + 1)))
        writer.publish("letter", b"for you", PublishOptions(to=names, force=True))


def traffic(broker: BrokerProcess, seconds: int) -> BlockingClient:
    """Publish as many people do, more and less, for some time; gives the client that did."""
    writer = connected(broker, ConnectOptions(ADMINISTRATOR, PASSWORD))
    reader = connected(broker, ConnectOptions(MONITOR, PASSWORD, burst=-1))
    reader.subscribe("prices")
    broker.on_close.extend([writer.disconnect, reader.disconnect])
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for number in range(int(12 + 9 * math.sin(left / 5) + 4 * math.sin(left))):
            writer.publish("prices", f"{number}")
        for _ in reader.updates(timeout=0.3):  # until none comes for a while
            pass
    return writer
