"""Administrative commands and queries for queues, which clients put into oids."""

from __future__ import annotations

from broker.admin.address import parse
from broker.admin.queue_query import MAX_ENTRIES, MAX_WAITING, parse_queue_query
from broker.store.limits import MAX_INTEGER
from tests.fuzz.support import require, tried

TOKENS = (
    b"__cmd:",
    b"/node/heron/",
    b"client/joe/1/",
    b"client/joe/session/-1/",
    b"topic/Hello/",
    b"subscription/__subId:1/",
    b"sysprop/",
    b"logging/",
    b"?",
    b"=",
    b"maxEntries=",
    b"&consumable=true",
    b"&waitingDelay=-1",
)


def target(data: bytes) -> None:
    """The text of a command."""
    text = data.decode("utf-8", "replace")
    command = tried(parse, text, "heron")
    if command is not None:
        require(abs(command.number) <= MAX_INTEGER, "no number of a session")
        require(tried(parse, command.address("heron"), "heron") is not None, "its own address is refused")
    query = tried(parse_queue_query, text)
    if query is not None:
        require(0 <= query.entries <= MAX_ENTRIES and 0 <= query.waiting <= MAX_WAITING, f"{query} is out of bounds")
