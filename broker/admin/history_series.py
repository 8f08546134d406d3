"""The series of the history. Reading one takes no look at every object: what does is counted every ten seconds."""

from __future__ import annotations

from collections.abc import Callable

from broker.admin import memory
from broker.admin.census import Numbers, QueueSums, Relating
from broker.admin.history import Gauge, Mean, Rate, Series
from broker.admin.metrics.sources import Sources
from broker.admin.states import SessionState
from broker.core.broker import Broker
from broker.core.counters import Traffic
from broker.histogram import Histogram
from broker.net.admission import Admission

ALL_KINDS = ""


def _core(read: Callable[[Broker], float]) -> Callable[[Sources], float | None]:
    return lambda sources: None if sources.core is None else read(sources.core)


def _traffic(read: Callable[[Traffic], float], kind: str = ALL_KINDS) -> Callable[[Sources], float | None]:
    return _core(
        lambda core: sum(read(each.traffic) for name, each in core.registry.kinds.items() if kind in (ALL_KINDS, name))
    )


def _counted(read: Callable[[Numbers], float]) -> Callable[[Sources], float | None]:
    def value(sources: Sources) -> float | None:
        numbers = sources.census.numbers
        return read(numbers) if numbers.at and sources.core is not None else None

    return value


def _queues(relating: Relating, read: Callable[[QueueSums], float]) -> Callable[[Sources], float | None]:
    return _counted(lambda numbers: read(numbers.queues[relating]))


def _oldest(relating: Relating) -> Callable[[Sources], float | None]:
    def seconds(numbers: Numbers) -> float:
        oldest = numbers.queues[relating].oldest
        return max(0, numbers.at - oldest) / 1000 if oldest else 0.0

    return _counted(seconds)


def _sessions(kind: str, state: SessionState) -> Callable[[Sources], float | None]:
    return _counted(lambda numbers: numbers.sessions[kind, state])


def _admissions(read: Callable[[Admission], float]) -> Callable[[Sources], float | None]:
    return lambda sources: sum(read(listener.admission) for _, listener in sources.listeners())


def _backlog(sources: Sources) -> float | None:
    return None if sources.instance.store is None else sources.instance.store.backlog


def _commits(sources: Sources) -> tuple[float, float] | None:
    return None if sources.instance.store is None else _sum_and_count(sources.instance.store.commit_seconds)


def _commit_count(sources: Sources) -> float | None:
    commits = _commits(sources)
    return None if commits is None else commits[1]


def _sum_and_count(histogram: Histogram) -> tuple[float, float]:
    return histogram.sum, sum(histogram.counts)


HISTORY_SERIES: tuple[Series[Sources], ...] = (
    Rate("publishedPerSecond", _traffic(lambda each: each.published)),
    Rate("deliveredPerSecond", _traffic(lambda each: each.delivered)),
    Rate("acknowledgedPerSecond", _traffic(lambda each: each.acknowledged)),
    Rate("deadPerSecond", _core(lambda core: core.letters.count)),
    Rate("publishedBytesPerSecond", _traffic(lambda each: each.published_bytes)),
    Rate("persistentPerSecond", _traffic(lambda each: each.published_persistent)),
    Rate("nativePublishedPerSecond", _traffic(lambda each: each.published, "native")),
    Rate("nativeDeliveredPerSecond", _traffic(lambda each: each.delivered, "native")),
    Rate("xmppPublishedPerSecond", _traffic(lambda each: each.published, "xmpp")),
    Rate("xmppDeliveredPerSecond", _traffic(lambda each: each.delivered, "xmpp")),
    Rate("sessionsStartedPerSecond", _traffic(lambda each: each.started)),
    Rate("sessionsEndedPerSecond", _traffic(lambda each: each.ended)),
    Gauge("callbackEntries", _queues(Relating.CALLBACK, lambda sums: sums.entries)),
    Gauge("callbackBytes", _queues(Relating.CALLBACK, lambda sums: sums.bytes)),
    Gauge("callbackOnDisk", _queues(Relating.CALLBACK, lambda sums: sums.entries - sums.in_memory)),
    Gauge("callbackOldestSeconds", _oldest(Relating.CALLBACK)),
    Gauge("subjectEntries", _queues(Relating.SUBJECT, lambda sums: sums.entries)),
    Gauge("subjectBytes", _queues(Relating.SUBJECT, lambda sums: sums.bytes)),
    Gauge("subjectOldestSeconds", _oldest(Relating.SUBJECT)),
    Gauge("historyEntries", _queues(Relating.HISTORY, lambda sums: sums.entries)),
    Gauge("historyBytes", _queues(Relating.HISTORY, lambda sums: sums.bytes)),
    Gauge("nativeAttached", _sessions("native", SessionState.ATTACHED)),
    Gauge("nativeWaiting", _sessions("native", SessionState.WAITING)),
    Gauge("xmppAttached", _sessions("xmpp", SessionState.ATTACHED)),
    Gauge("xmppDetached", _sessions("xmpp", SessionState.DETACHED)),
    Gauge("unackedStanzas", _counted(lambda numbers: numbers.unacked)),
    Gauge("fullWindows", _counted(lambda numbers: numbers.windows_full)),
    Gauge("connections", _admissions(len)),
    Gauge("connectionsNotLoggedIn", _admissions(lambda each: each.strangers)),
    Rate("connectionsOpenedPerSecond", _admissions(lambda each: each.admitted)),
    Gauge("loginNames", _core(lambda core: len(core.node.subjects))),
    Gauge("topics", _core(lambda core: len(core.node.topics))),
    Gauge("subscriptions", _core(lambda core: len(core.node.subscriptions))),
    Gauge("publishersWaiting", _core(lambda core: core.node.waiting_publishers)),
    Gauge("queueCacheBytes", _core(lambda core: core.node.cache_budget.used)),
    Gauge("storeBacklogBytes", _backlog),
    Mean("commitSeconds", _commits),
    Rate("commitsPerSecond", _commit_count),
    Mean("reactorLagSeconds", lambda sources: _sum_and_count(sources.lag.seconds)),
    Gauge("residentBytes", lambda sources: memory.resident()),
)
"""Forty: a look at them is made each second, and each takes 70 kB."""
