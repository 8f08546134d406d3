"""XML streams: the same events, or an error behind the same events, however the bytes are cut, stepwise or not.

Which error it is, and when it is noticed, may depend on the cut; so a long piece without a tag follows, and at the
latest with this there must be one.
"""

from __future__ import annotations

from broker.xml.stanza import Stanza, StreamEnd, StreamStart
from broker.xml.stream import Event, StreamReader
from tests.fuzz.support import Choices, cuts, require

HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
LIMITS = (300, 100, 1 << 16)
TOKENS = (
    HEADER,
    b"<?xml version='1.0'?>",
    b"<message to='a@b'>",
    b"</message>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?x ?>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"&amp;",
    b"&#65;",
    b"xmlns:p='urn:p'",
    b"</stream:stream>",
    b"\xc3\xa9",
    b"\xff",
    b"\0",
)
LONGEST = 2048
CONDITIONS = {
    "bad-format",
    "bad-namespace-prefix",
    "invalid-namespace",
    "not-well-formed",
    "policy-violation",
    "restricted-xml",
    "unsupported-encoding",
}


def target(data: bytes) -> None:
    """First byte: the limit and whether the header goes before; next two: sizes of the pieces."""
    choices = Choices(data)
    limit = choices.pick(LIMITS)
    sizes = (choices.byte(), choices.byte())
    stream = (HEADER if choices.below(2) else b"") + choices.rest()
    whole = read([stream], limit, stepwise=False)
    for pieces in ([stream], cuts(stream, (1,)), cuts(stream, sizes)):
        for stepwise in (False, True):
            other = read(pieces, limit, stepwise=stepwise)
            require(other == whole, f"in {len(pieces)} pieces, stepwise={stepwise}: {other}, not {whole}")


def read(pieces: list[bytes], limit: int, *, stepwise: bool) -> tuple[list[object], bool]:
    """What the events say, and whether there is an error behind them."""
    reader = StreamReader(limit, stepwise=stepwise, max_depth=8, max_attributes=8)
    said: list[object] = []
    for piece in (*pieces, b"x" * (limit + 1)):
        events = reader.feed(piece)
        while True:
            said += map(told, events)
            if not events or reader.error is not None:
                break
            events = reader.feed()
        require(len(reader._window) + len(reader.unread) <= limit + len(piece), "it keeps more than a stanza")
        if said and said[-1] == "end":  # what comes behind it is not for anybody
            return said, False
        if reader.error is not None:
            require(reader.error.condition in CONDITIONS, f"{reader.error.condition} is no condition")
            return said, True
    return said, False


def told(event: Event) -> object:
    """An event as a value."""
    match event:
        case Stanza():
            return event.namespace, event.name, event.attributes, event.children, event.raw
        case StreamStart():
            return event.attributes, event.namespace, event.prefixes
        case StreamEnd():
            return "end"
