"""Properties of administration."""

from __future__ import annotations

from broker.config.kinds import BOOLEAN, TEXT, integer
from broker.config.options import declare
from broker.config.properties import Properties

ADMIN_USERS = declare(
    "admin.users", TEXT, "", "Comma list of login names that may change things by __cmd: messages and see everything."
)
ADMIN_MESSAGES = declare("admin.messages", BOOLEAN, True, "Serve __cmd: messages.")
STORE_GRACE = declare(
    "health.storeGraceSeconds",
    integer(0),
    60,
    "Seconds for which the store may fail to commit until /health/ready says that the broker is not ready.",
)


def administrators(properties: Properties) -> frozenset[str]:
    """The login names of the administrators."""
    names = (name.strip() for name in ADMIN_USERS.get(properties).split(","))
    return frozenset(name for name in names if name)
