"""Documents are forgotten with the last who knows them, and do not wait for the collector of cycles."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress

import pytest

from broker.errors import BrokerError
from broker.native.codec import read_connect_qos, read_key, read_publish_qos
from broker.xml.document import parse_content
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xml.tree import parse_tree

LARGE = b"x" * 5000  # beyond what caches keep
HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p'>"


def content_of_stanza() -> bytes:
    for event in opened().feed(b"<message><p:x/></message>"):
        if isinstance(event, Stanza):
            return event.inner
    raise AssertionError("there is no stanza")


def opened() -> StreamReader:
    reader = StreamReader(1 << 16)
    reader.feed(HEADER)
    return reader


READS: dict[str, Callable[[], object]] = {
    "key": lambda: read_key(b"<key oid='%b'/>" % LARGE),
    "broken key": lambda: read_key(b"<key %b" % LARGE),
    "too long a key": lambda: read_key(b"<key oid='%b'/>" % (LARGE * 300)),
    "zero byte": lambda: read_key(b"<key oid='\0%b'/>" % LARGE),
    "publish": lambda: read_publish_qos(b"<qos><sender>%b</sender></qos>" % LARGE),
    "connect": lambda: read_connect_qos(b"<qos><session name='%b'/></qos>" % LARGE),
    "content": lambda: parse_content(b"<a>%b</a>" % LARGE),
    "tree": lambda: parse_tree(b"<a>%b</a>" % LARGE),
    "stanza": content_of_stanza,
}


def left_behind(name: str) -> int:
    """How many objects only the collector of cycles finds after a read."""
    read = READS[name]
    gc.disable()
    for _ in range(2):  # the first may make what stays
        gc.collect()
        with suppress(BrokerError):
            read()
    return gc.collect()


@pytest.fixture(scope="module")
def alone() -> Iterator[Executor]:
    """A process of its own: where other tests ran, their threads may still end and leave cycles."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.mark.parametrize("name", READS)
def test_reading_leaves_no_cycles(alone: Executor, name: str) -> None:
    assert alone.submit(left_behind, name).result() == 0
