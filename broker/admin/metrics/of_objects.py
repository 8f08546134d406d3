"""Metrics of a few objects that are named in the configuration; each name is one series (operations §2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from broker.admin.filtering import by_pattern
from broker.admin.instance import Instance, core_of
from broker.admin.metrics.named_objects import Named, ObjectKind
from broker.admin.options import OBJECT_METRICS
from broker.admin.scan import scan
from broker.admin.views.queues import QueueOf, find_queue, id_of, queues_of
from broker.core.node import Node
from broker.core.queues import Queue
from broker.exposition.metric import Metric, Sample, Type


@dataclass(slots=True)
class Totals:
    """The sums of the objects that one name stands for.

    Args:
        objects: how many there are.
        entries: of their queues: the queue itself, the history of a topic, or all queues of a login name.
        bytes: what these count for.
        entered: entries that ever came into them; of topics nothing is counted.
        subscriptions: of topics, or of the sessions of login names.
        sessions: of login names.
    """

    objects: int = 0
    entries: int = 0
    bytes: int = 0
    entered: int = 0
    subscriptions: int = 0
    sessions: int = 0

    def add_queue(self, each: QueueOf) -> None:
        """Add what is in a queue."""
        self.entries += len(each.queue)
        self.bytes += each.queue.bytes
        if isinstance(each.queue, Queue):
            self.entered += each.queue.entered


class ObjectTotals:
    """Sums up the objects that are named.

    Args:
        instance: the broker.

    Attributes:
        totals: of the last :meth:`look`, by the texts of the configuration.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.totals: dict[str, Totals] = {}

    async def look(self) -> None:
        """Sum them up anew; patterns are compared with all names, in slices."""
        core = core_of(self._instance)
        named = OBJECT_METRICS.get(self._instance.properties)
        if core is None or not named:
            self.totals = {}
            return
        node, totals = core.node, {each.text: Totals() for each in named}
        for each in named:
            if not each.is_pattern:
                _add_one(node, each, totals[each.text])
        for kind in ObjectKind:
            patterns = [
                (by_pattern(str).read(each.name), totals[each.text])
                for each in named
                if each.kind is kind and each.is_pattern
            ]
            if patterns:
                await scan(_all(node, kind), _matcher(patterns), self._instance.reactor)
        self.totals = totals


class _Found:
    """An object: its name, and what adds it to sums."""

    __slots__ = ("add", "name")

    def __init__(self, name: str, add: Callable[[Totals], None]) -> None:
        self.name = name
        self.add = add


def _matcher(patterns: Sequence[tuple[Callable[[object], bool], Totals]]) -> Callable[[_Found], None]:
    def match(found: _Found) -> None:
        for matches, totals in patterns:
            if matches(found.name):
                found.add(totals)

    return match


def _add_one(node: Node, named: Named, totals: Totals) -> None:
    match named.kind:
        case ObjectKind.TOPIC:
            _add_topic(node, named.name, totals)
        case ObjectKind.QUEUE:
            relating, _, owner = named.name.partition("/")
            queue = find_queue(node, relating, owner)
            if queue is not None:
                _add_queue(queue, totals)
        case ObjectKind.SUBJECT:
            _add_subject(node, named.name, totals)


def _all(node: Node, kind: ObjectKind) -> Iterator[_Found]:
    match kind:
        case ObjectKind.TOPIC:
            for oid in list(node.topics):
                yield _Found(oid, partial(_add_topic, node, oid))
        case ObjectKind.QUEUE:
            for queue in queues_of(node):
                yield _Found(id_of(queue), partial(_add_queue, queue))
        case ObjectKind.SUBJECT:
            for name in list(node.subjects):
                yield _Found(name, partial(_add_subject, node, name))


def _add_topic(node: Node, oid: str, totals: Totals) -> None:
    topic = node.topics.get(oid)
    if topic is not None:
        totals.objects += 1
        totals.entries += len(topic.history)
        totals.bytes += topic.history.bytes
        totals.subscriptions += len(topic.subscriptions)


def _add_queue(queue: QueueOf, totals: Totals) -> None:
    totals.objects += 1
    totals.add_queue(queue)


def _add_subject(node: Node, name: str, totals: Totals) -> None:
    subject = node.subjects.get(name)
    if subject is None:
        return
    totals.objects += 1
    totals.sessions += len(subject.sessions)
    for queue in (subject.queue, *(session.queue for session in subject.sessions.values())):
        totals.entries += queue.entries
        totals.bytes += queue.bytes
        totals.entered += queue.entered
    totals.subscriptions += sum(len(session.subscriptions) for session in subject.sessions.values())


def _read(value: Callable[[Totals], float]) -> Callable[[ObjectTotals], Iterator[Sample]]:
    def samples(found: ObjectTotals) -> Iterator[Sample]:
        for text, totals in found.totals.items():
            yield (text,), value(totals)

    return samples


_TABLE: tuple[tuple[str, str, Callable[[Totals], float]], ...] = (
    ("count", "Objects of this name.", lambda totals: totals.objects),
    (
        "entries",
        "Entries of a queue, of the history of a topic, or of all queues of a login name.",
        lambda totals: totals.entries,
    ),
    ("bytes", "What these count for.", lambda totals: totals.bytes),
    (
        "entered_entries",
        "Entries that ever came into these queues. It falls when one of them goes, so it is no counter.",
        lambda totals: totals.entered,
    ),
    ("subscriptions", "Subscriptions that get a topic, or of a login name.", lambda totals: totals.subscriptions),
    ("sessions", "Sessions of a login name.", lambda totals: totals.sessions),
)
OBJECTS: tuple[Metric[ObjectTotals], ...] = tuple(
    Metric(f"broker_object_{name}", Type.GAUGE, help, _read(value), ("object",)) for name, help, value in _TABLE
)
