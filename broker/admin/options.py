"""Properties of administration."""

from __future__ import annotations

from broker.admin.metrics.named_objects import NAMED_OBJECTS
from broker.config.kinds import BOOLEAN, TEXT, integer, listed
from broker.config.options import Effect, declare
from broker.config.properties import Properties

ADMIN_USERS = declare(
    "admin.users",
    TEXT,
    "",
    "Comma list of login names that may change things, by __cmd: messages or over HTTP, and see everything.",
)
ADMIN_MONITORS = declare(
    "admin.monitors",
    TEXT,
    "",
    "Comma list of login names that may see everything over HTTP but contents of messages, and change nothing.",
)
ADMIN_MESSAGES = declare("admin.messages", BOOLEAN, True, "Serve __cmd: messages.")
MAX_REPLAYS = declare(
    "deadMessage.maxReplays",
    integer(0),
    3,
    "How often a message that dies again and again is sent again by administration; more often only by force.",
)
STORE_GRACE = declare(
    "health.storeGraceSeconds",
    integer(0),
    60,
    "Seconds for which the store may fail to commit until /health/ready says that the broker is not ready.",
    change=Effect.NOW,
)

OBJECT_METRICS = declare(
    "metrics.objects",
    NAMED_OBJECTS,
    (),
    "Objects that /metrics/objects tells of: topic:OID, queue:RELATING/OWNER, subject:NAME, with commas between them, "
    "200 at most. With * at the beginning or the end a name stands for many, which are summed up in one series.",
    change=Effect.NOW,
)


def administrators(properties: Properties) -> frozenset[str]:
    """The login names of the administrators."""
    return frozenset(listed(ADMIN_USERS.get(properties)))


def monitors(properties: Properties) -> frozenset[str]:
    """The login names that may see everything."""
    return frozenset(listed(ADMIN_MONITORS.get(properties)))
