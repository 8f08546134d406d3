"""What has come over a connection and is not handled yet."""

from __future__ import annotations

import pytest

from broker.xml.stream import StreamError
from broker.xmpp.stream.inbox import MAX_UNREAD, Inbox
from broker.xmpp.stream.tcp_framing import TcpFraming
from tests.xmpp.world import HEADER


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(TcpFraming("localhost", 10_000))


def handle(inbox: Inbox) -> int:
    """Handle all events; returns how many there were."""
    handled = len(inbox.events)
    inbox.events.clear()
    return handled


def test_an_incomplete_stanza_is_nothing_that_waits(inbox: Inbox) -> None:
    inbox.read(HEADER)
    handle(inbox)
    inbox.read(b"<message>")
    assert not inbox.events and not inbox.later
    assert inbox.is_empty


def test_bytes_behind_a_stanza_are_read_after_it(inbox: Inbox) -> None:
    inbox.read(HEADER + b"<a/><b/>")
    assert handle(inbox) == 2
    assert not inbox.events and not inbox.later
    assert not inbox.is_empty
    assert inbox.read_more()
    assert handle(inbox) == 1
    assert inbox.is_empty


def test_bytes_that_came_meanwhile_are_read_in_their_order(inbox: Inbox) -> None:
    inbox.read(HEADER)
    for part in (b"<mess", b"age/>"):
        assert not inbox.keep(part)
    assert inbox.later
    handle(inbox)
    assert inbox.read_more()
    assert handle(inbox) == 1
    assert inbox.is_empty


def test_reading_more_of_nothing_changes_nothing(inbox: Inbox) -> None:
    inbox.read(HEADER)
    handle(inbox)
    assert not inbox.read_more()


def test_too_many_waiting_bytes_are_told(inbox: Inbox) -> None:
    assert not inbox.keep(b" " * MAX_UNREAD)
    assert inbox.keep(b" ")
    inbox.drop_bytes()
    assert not inbox.keep(b" " * MAX_UNREAD)


def test_nothing_is_left_after_clearing(inbox: Inbox) -> None:
    inbox.read(HEADER)
    inbox.keep(b"<a/>")
    inbox.clear()
    assert not inbox.events and not inbox.later


def test_a_broken_stream_cannot_be_read_on(inbox: Inbox) -> None:
    inbox.read(HEADER + b"</other>")
    inbox.keep(b"<a/>")
    with pytest.raises(StreamError):
        inbox.read_more()
