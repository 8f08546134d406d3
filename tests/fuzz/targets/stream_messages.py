"""Elements that come one in a message: one event for each, or an error, whether they are read one at a time or not."""

from __future__ import annotations

from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xmpp.stream.message_framing import END_OF_MESSAGE, MessageFraming
from broker.xmpp.wire import ns
from tests.fuzz.support import Choices, require
from tests.fuzz.targets.stream import CONDITIONS

LIMITS = (300, 1 << 16)
TOKENS = (
    f"<open xmlns='{ns.FRAMING}' to='localhost' version='1.0'/>".encode(),
    f"<close xmlns='{ns.FRAMING}'/>".encode(),
    b"<message xmlns='jabber:client' to='a@b'>",
    b"</message>",
    b"<presence xmlns='jabber:client'/>",
    b"<stream:features>",
    b"</stream:stream>",
    b"<?xml version='1.0'?>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<!DOCTYPE a>",
    b"&amp;",
    b"\xff",
    END_OF_MESSAGE,
)
LONGEST = 2048


def target(data: bytes) -> None:
    """First byte: the limit."""
    choices = Choices(data)
    limit = choices.pick(LIMITS)
    messages = choices.rest()
    messages += b"" if messages.endswith(END_OF_MESSAGE) else END_OF_MESSAGE
    require(read(messages, limit, stepwise=True) == read(messages, limit, stepwise=False), "it depends on the steps")


def read(messages: bytes, limit: int, *, stepwise: bool) -> tuple[list[object], str]:
    """What the events say, and the condition of the error."""
    framing = MessageFraming("localhost", limit, lambda _: None)
    if not stepwise:
        framing.read_ahead()
    found: list[object] = []
    events = framing.feed(messages)
    while events:
        for event in events:
            if isinstance(event, Stanza):
                require(len(event.raw) <= limit, "a stanza is longer than it may be")
                found.append((event.namespace, event.name, event.raw))
            else:
                require(isinstance(event, StreamStart | StreamEnd), f"{event} is no event")
                found.append(type(event).__name__)
        events = framing.feed() if framing.has_more and framing.error is None else []
    condition = framing.error.condition if framing.error is not None else ""
    require(not condition or condition in CONDITIONS, f"{condition} is no condition of these")
    return found, condition
