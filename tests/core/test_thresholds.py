"""Marks on queues: a queue that fills up to one is told once."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from broker.core.events import Event
from broker.core.thresholds import Wanted, read_mark
from broker.model.qos import QueueQos
from tests.core.world import Client, World

TEN = {"queue": QueueQos("callback", max_entries=10)}


class Marked:
    """A broker whose events are heard.

    Args:
        queues: pattern of their names.
        mark: on them.
    """

    def __init__(self, queues: str, mark: str) -> None:
        self.world = World()
        self.heard: list[Event] = []
        self.world.node.events.listen(self.heard.append)
        self.wanted = [Wanted(re.compile(queues), read_mark(mark))]

    def begin(self) -> None:
        """Have the marks."""
        self.world.node.thresholds.add(self.wanted)

    @property
    def reached(self) -> list[tuple[str, object]]:
        """Types and numbers of entries of what was told."""
        return [(each.type, each.fields["entries"]) for each in self.heard if "/threshold." in each.type]


def silent_receiver(world: World) -> Client:
    """A client whose queue holds ten messages and which acknowledges none."""
    ann = world.client("ann/1", answers=False, **TEN)
    ann.subscribe("news")
    return ann


def publish(world: World, count: int, sender: str = "joe/1") -> None:
    joe = world.client(sender)
    for _ in range(count):
        joe.publish("news", b"x")


def test_queue_of_a_session_that_fills_up_to_a_part_of_it_is_told_once() -> None:
    marked = Marked("client/.*/session/.*/queue/callback", "90%")
    marked.begin()
    silent_receiver(marked.world)
    publish(marked.world, 10)
    assert marked.reached == [("client/ann/session/1/queue/callback/event/threshold.90%", 9)]


def test_queue_below_its_mark_is_not_told() -> None:
    marked = Marked(".*/queue/callback", "90%")
    marked.begin()
    silent_receiver(marked.world)
    publish(marked.world, 8)
    assert marked.reached == []


def test_queue_is_told_again_after_it_has_fallen_by_a_tenth_and_not_before() -> None:
    marked = Marked(".*/queue/callback", "10")
    marked.begin()
    ann = silent_receiver(marked.world)
    publish(marked.world, 10)
    queue = ann.session.queue
    queue.limits = replace(queue.limits, entries=100)
    publish(marked.world, 2, "joe/2")
    assert len(marked.reached) == 1

    queue.settle(queue.take(2, -1))  # ten are left: it has not fallen by a tenth of the mark
    publish(marked.world, 1, "joe/3")
    assert len(marked.reached) == 1

    queue.settle(queue.take(2, -1))
    publish(marked.world, 1, "joe/4")
    assert len(marked.reached) == 2


def test_history_of_a_topic_is_told_by_its_oid() -> None:
    marked = Marked("topic/news/queue/history", "3")
    marked.begin()
    publish(marked.world, 4)
    assert marked.reached == [("topic/news/queue/history/event/threshold.3", 3)]


def test_queue_of_a_login_name_is_told_by_it() -> None:
    marked = Marked("client/.*/queue/subject", "2")
    marked.begin()
    joe = marked.world.client("joe/1")
    for _ in range(3):
        joe.send("ann", b"x", force=True)
    assert marked.reached == [("client/ann/queue/subject/event/threshold.2", 2)]


def test_queue_that_has_reached_a_mark_before_anybody_wanted_it_is_told_then() -> None:
    marked = Marked(".*/queue/callback", "5")
    silent_receiver(marked.world)
    publish(marked.world, 7)
    marked.begin()
    assert marked.reached == [("client/ann/session/1/queue/callback/event/threshold.5", 7)]


def test_queues_are_watched_no_more_when_nobody_wants_it() -> None:
    marked = Marked(".*", "1")
    marked.begin()
    marked.world.node.thresholds.remove(marked.wanted)
    ann = silent_receiver(marked.world)
    publish(marked.world, 3)
    assert (ann.session.queue.watch, marked.reached) == (None, [])


@pytest.mark.parametrize("text", ["", "0", "90 %", "101%", "-1", "x", "1.5"])
def test_what_is_no_mark_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither a number of entries"):
        read_mark(text)
