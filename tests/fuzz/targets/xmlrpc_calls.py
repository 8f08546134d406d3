"""Calls of XML-RPC: read or refused, in whatever pieces they come."""

from __future__ import annotations

from broker.errors import BrokerError
from broker.native.wire.xmlrpc import CallReader, MethodCall, first_text, read_call
from tests.fuzz.support import Choices, cuts, require

LIMIT = 1 << 16
NAMES = b"methodCall methodName params param value array data struct member name base64 i4 string nil".split()
TOKENS = tuple(b"<%b%b>" % (slash, name) for slash in (b"", b"/") for name in NAMES)


def target(data: bytes) -> None:
    """First byte: the size of the pieces."""
    choices = Choices(data)
    size = choices.byte() or 1
    given = choices.rest()
    whole = _outcome(given, len(given) or 1)
    require(_outcome(given, size) == whole, "the pieces make a difference")
    if whole is not None:
        require(read_call(given, LIMIT) == whole, "it is read in two ways")
        first = first_text(given)
        require(not first or whole.params[:1] == (first,), "the first parameter is another one")


def _outcome(data: bytes, size: int) -> MethodCall | None:
    reader = CallReader(LIMIT)
    pieces = cuts(data, (size,)) or [b""]
    try:
        for number, piece in enumerate(pieces, 1):
            reader.feed(piece, last=number == len(pieces))
        return reader.call
    except BrokerError:
        return None
    finally:
        reader.close()
