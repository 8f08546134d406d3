"""Documents are forgotten with the last who knows them, and do not wait for the collector of cycles."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from broker.errors import BrokerError
from broker.xmlio import parse_content, read_connect_qos, read_key, read_publish_qos
from broker.xmlio.stanza import Stanza
from broker.xmlio.stream import StreamReader
from broker.xmlio.tree import parse_tree

LARGE = b"x" * 5000  # beyond what caches keep
HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p'>"


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left_behind(read: Callable[[], object]) -> int:
    gc.collect()
    with suppress(BrokerError):
        read()
    return gc.collect()


def content_of_stanza() -> bytes:
    for event in opened().feed(b"<message><p:x/></message>"):
        if isinstance(event, Stanza):
            return event.inner
    raise AssertionError("there is no stanza")


def opened() -> StreamReader:
    reader = StreamReader(1 << 16)
    reader.feed(HEADER)
    return reader


@pytest.mark.parametrize(
    "read",
    [
        lambda: read_key(b"<key oid='%b'/>" % LARGE),
        lambda: read_key(b"<key %b" % LARGE),
        lambda: read_key(b"<key oid='%b'/>" % (LARGE * 300)),
        lambda: read_key(b"<key oid='\0%b'/>" % LARGE),
        lambda: read_publish_qos(b"<qos><sender>%b</sender></qos>" % LARGE),
        lambda: read_connect_qos(b"<qos><session name='%b'/></qos>" % LARGE),
        lambda: parse_content(b"<a>%b</a>" % LARGE),
        lambda: parse_tree(b"<a>%b</a>" % LARGE),
        content_of_stanza,
    ],
    ids=["key", "broken key", "too long a key", "zero byte", "publish", "connect", "content", "tree", "stanza"],
)
def test_reading_leaves_no_cycles(read: Callable[[], object]) -> None:
    # Threads of other tests may end meanwhile, and leave some.
    assert min(left_behind(read) for _ in range(5)) == 0
