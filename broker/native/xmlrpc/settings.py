"""Properties of the native protocol over XML-RPC."""

from __future__ import annotations

from broker.config.kinds import integer, size
from broker.config.options import declare

MAX_BODY = declare(
    "xmlrpc.maxBody",
    size(1 << 16),
    64 << 20,
    "Longest call of XML-RPC in bytes; 64 KiB where its first parameter is not the id of a session.",
)
MAX_POLLS = declare("xmlrpc.maxPolls", integer(1), 10_000, "Calls of XML-RPC that may wait for updates.")
