"""Filters of subscriptions: refused, or a predicate that answers within its time for any message."""

from __future__ import annotations

from time import process_time

from broker.errors import BrokerError
from broker.filters.registry import TYPES, compile_filter
from broker.model.key import Filter
from broker.model.property import ClientProperty
from tests.filters.candidates import message
from tests.fuzz.support import Choices, check_error, require, tried

KINDS = (*TYPES, "", "unknown")
MIMES = ("text/plain", "text/xml", "application/a+xml; charset=utf-8")
PROPERTY_TYPES = ("", "int", "long", "float", "double", "boolean", "byte[]", "short", "String")
REPEATED = 2000
LONGEST_SECONDS = 8.0
TOKENS = (
    b"\0",
    b"(a*)*b",
    b"(?s).*",
    b"[a-z]{1,1000}",
    b"\\x{10FFFF}",
    b"(?i)",
    b"a{1000}{1000}",
    b" AND ",
    b" OR ",
    b"NOT ",
    b" BETWEEN 1 AND 2",
    b" IN ('a','b')",
    b" LIKE 'a%' ESCAPE '!'",
    b" REGEX '.*'",
    b" IS NOT NULL",
    b"a0",
    b"a1",
    b"'it''s'",
    b"1e308",
    b"99999999999999999999L",
    b"<a/>",
)
LONGEST = 1024


def target(data: bytes) -> None:
    """The kind, a MIME type, a property for a selector, then the filter's text, NUL, and what the content repeats."""
    choices = Choices(data)
    kind, mime = choices.pick(KINDS), choices.pick(MIMES)
    properties = tuple(
        ClientProperty(f"a{number}", choices.some(24).decode("utf-8", "replace"), choices.pick(PROPERTY_TYPES))
        for number in range(choices.below(3))
    )
    text, _, content = choices.rest().partition(b"\0")
    predicate = tried(compile_filter, Filter(kind, text.decode("utf-8", "replace")))
    if predicate is None:
        return
    began = process_time()
    for candidate in (content, content * REPEATED):
        try:
            passes = predicate(message(candidate, mime, properties))
        except BrokerError as error:
            check_error(error)
        else:
            require(isinstance(passes, bool), f"{passes!r} is no answer")
    require(process_time() - began < LONGEST_SECONDS, "it takes too long")
