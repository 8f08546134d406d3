"""Properties of administration."""

from __future__ import annotations

from broker.config.kinds import BOOLEAN, TEXT
from broker.config.options import declare

ADMIN_USERS = declare(
    "admin.users", TEXT, "", "Comma list of login names that may change things by __cmd: messages and see everything."
)
ADMIN_MESSAGES = declare("admin.messages", BOOLEAN, True, "Serve __cmd: messages.")
