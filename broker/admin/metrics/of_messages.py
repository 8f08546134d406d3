"""Metrics of messages, queues, topics and sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from broker.admin.census import FILL_RATIOS, QueueSums, Relating
from broker.admin.metrics.sources import Sources
from broker.admin.states import SessionState
from broker.core.broker import Broker
from broker.core.counters import Traffic
from broker.core.hindrances import Hindrance
from broker.core.topics import TopicState
from broker.exposition.metric import Metric, Sample, Type, one
from broker.model.key import DEAD_MESSAGE_OID, QueryKind
from broker.xmpp.session.sessions import StreamSessions

KINDS = (QueryKind.EXACT, QueryKind.XPATH, QueryKind.DOMAIN)
STATES = (SessionState.ATTACHED, SessionState.WAITING, SessionState.DETACHED, SessionState.PLACEHOLDER)


def _core(read: Callable[[Broker], float]) -> Callable[[Sources], Iterable[Sample]]:
    return one(lambda sources: None if sources.core is None else read(sources.core))


def _traffic(read: Callable[[Traffic], float]) -> Callable[[Sources], Iterable[Sample]]:
    def samples(sources: Sources) -> Iterable[Sample]:
        core = sources.core
        kinds = {} if core is None else core.registry.kinds
        return [((name,), read(kind.traffic)) for name, kind in kinds.items()]

    return samples


def _published(sources: Sources) -> Iterable[Sample]:
    for (name,), count in _traffic(lambda traffic: traffic.published_persistent)(sources):
        yield (name, "persistent"), count
    for (name,), count in _traffic(lambda traffic: traffic.published - traffic.published_persistent)(sources):
        yield (name, "transient"), count


def _failed(sources: Sources) -> Iterable[Sample]:
    core = sources.core
    kinds = {} if core is None else core.registry.kinds
    return [((name, each.value), count) for name, kind in kinds.items() for each, count in kind.traffic.failed.items()]


def _delivery_times(sources: Sources) -> Iterable[Sample]:
    core = sources.core
    kinds = {} if core is None else core.registry.kinds
    return [((name,), kind.traffic.delivery_seconds) for name, kind in kinds.items()]


def _discarded(sources: Sources) -> Iterable[Sample]:
    core = sources.core
    if core is None:
        return []
    losses = core.node.losses
    return [(("discard",), losses.discarded), (("discardOldest",), losses.discarded_oldest), (("stale",), losses.stale)]


def _resumptions(sources: Sources) -> Iterable[Sample]:
    core = sources.core
    streams = None if core is None else core.registry.kinds.get(StreamSessions.name)
    if not isinstance(streams, StreamSessions):
        return []
    return [((outcome.value,), count) for outcome, count in streams.resumptions.items()]


def _dead(sources: Sources) -> Iterable[Sample]:
    core = sources.core
    return [] if core is None else [((group.value,), count) for group, count in core.letters.counts.items()]


def _dead_kept(core: Broker) -> float:
    topic = core.node.topics.get(DEAD_MESSAGE_OID)
    return 0 if topic is None else len(topic.history)


def _sessions(sources: Sources) -> Iterable[Sample]:
    core = sources.core
    counted = sources.census.numbers.sessions
    kinds = () if core is None else core.registry.kinds
    return [((name, state.value), counted[name, state]) for name in kinds for state in STATES]


def _queues(read: Callable[[QueueSums], float]) -> Callable[[Sources], Iterable[Sample]]:
    def samples(sources: Sources) -> Iterable[Sample]:
        sums = sources.census.numbers.queues
        return [((relating.value,), read(sums[relating])) for relating in Relating]

    return samples


def _places(
    all: Callable[[QueueSums], float], in_memory: Callable[[QueueSums], float]
) -> Callable[[Sources], Iterable[Sample]]:
    def samples(sources: Sources) -> Iterable[Sample]:
        for relating, sums in sources.census.numbers.queues.items():
            yield (relating.value, "memory"), in_memory(sums)
            yield (relating.value, "disk"), all(sums) - in_memory(sums)

    return samples


def _stuck(sources: Sources) -> Iterable[Sample]:
    stuck = sources.census.flows.stuck
    return [((cause.value,), stuck[cause]) for cause in Hindrance if cause is not Hindrance.FLOWING]


def _filled(sources: Sources) -> Iterable[Sample]:
    for relating, sums in sources.census.numbers.queues.items():
        for ratio, count in zip(FILL_RATIOS, sums.filled, strict=True):
            yield (relating.value, f"{ratio:g}"), count


def _oldest(sources: Sources) -> Iterable[Sample]:
    numbers = sources.census.numbers
    for relating, sums in numbers.queues.items():
        yield (relating.value,), max(0, numbers.at - sums.oldest) / 1000 if sums.oldest else 0.0


def _topics(sources: Sources) -> Iterable[Sample]:
    counted = sources.census.numbers.topics
    return [((state.value,), counted.get(state.value, 0)) for state in TopicState if state is not TopicState.DEAD]


def _subscriptions(sources: Sources) -> Iterable[Sample]:
    counted = sources.census.numbers.subscriptions
    return [((kind.value,), counted[kind]) for kind in KINDS]


MESSAGES: tuple[Metric[Sources], ...] = (
    Metric(
        "broker_messages_published_total",
        Type.COUNTER,
        "Messages that were accepted.",
        _published,
        ("protocol", "persistence"),
    ),
    Metric(
        "broker_message_bytes_published_total",
        Type.COUNTER,
        "Bytes of their contents.",
        _traffic(lambda traffic: traffic.published_bytes),
        ("protocol",),
    ),
    Metric(
        "broker_messages_delivered_total",
        Type.COUNTER,
        "Messages that were written to receivers; one for each receiver.",
        _traffic(lambda traffic: traffic.delivered),
        ("protocol",),
    ),
    Metric(
        "broker_messages_redelivered_total",
        Type.COUNTER,
        "Those of them that receivers may have got before: they did not acknowledge them.",
        _traffic(lambda traffic: traffic.redelivered),
        ("protocol",),
    ),
    Metric(
        "broker_messages_acknowledged_total",
        Type.COUNTER,
        "Messages that receivers have acknowledged; those of whom that is not asked acknowledge none.",
        _traffic(lambda traffic: traffic.acknowledged),
        ("protocol",),
    ),
    Metric(
        "broker_delivery_seconds",
        Type.HISTOGRAM,
        "From the moment that a message was accepted until a receiver was done with it; of one in 64.",
        _delivery_times,
        ("protocol",),
    ),
    Metric(
        "broker_messages_expired_total",
        Type.COUNTER,
        "Messages whose time was over: in histories, and in queues where they do not wait all the same.",
        _core(lambda core: core.node.losses.expired),
    ),
    Metric(
        "broker_messages_discarded_total",
        Type.COUNTER,
        "Messages that queues dropped without a word: full ones, as onOverflow says, or because a newer one came or"
        " they were erased.",
        _discarded,
        ("reason",),
    ),
    Metric(
        "broker_requests_failed_total",
        Type.COUNTER,
        "Requests that were refused, by the first part of the error's code.",
        _failed,
        ("protocol", "class"),
    ),
    Metric(
        "broker_dead_messages_total",
        Type.COUNTER,
        "Messages that could not be delivered, by why.",
        _dead,
        ("group",),
    ),
    Metric(
        "broker_dead_messages_kept",
        Type.GAUGE,
        "Dead messages that are in the store, and may be sent again.",
        _core(_dead_kept),
    ),
    Metric(
        "broker_sessions",
        Type.GAUGE,
        "Sessions; counted every 10 seconds.",
        _sessions,
        ("kind", "state"),
    ),
    Metric(
        "broker_sessions_started_total",
        Type.COUNTER,
        "Sessions that clients, or messages that were forced to them, have made.",
        _traffic(lambda traffic: traffic.started),
        ("kind",),
    ),
    Metric(
        "broker_sessions_ended_total",
        Type.COUNTER,
        "Sessions that have ended, also those of before the last start.",
        _traffic(lambda traffic: traffic.ended),
        ("kind",),
    ),
    Metric(
        "broker_stream_resumes_total",
        Type.COUNTER,
        "XMPP clients that wanted to go on with their streams, by how that ended.",
        _resumptions,
        ("outcome",),
    ),
    Metric(
        "broker_stream_unacked_stanzas",
        Type.GAUGE,
        "Stanzas that were sent to XMPP clients and not acknowledged; counted every 10 seconds.",
        one(lambda sources: sources.census.numbers.unacked),
    ),
    Metric(
        "broker_streams_window_full",
        Type.GAUGE,
        "XMPP clients that get nothing more before they acknowledge; counted every 10 seconds.",
        one(lambda sources: sources.census.numbers.windows_full),
    ),
    Metric(
        "broker_subjects", Type.GAUGE, "Login names that are known now.", _core(lambda core: len(core.node.subjects))
    ),
    Metric("broker_topics", Type.GAUGE, "Topics; counted every 10 seconds.", _topics, ("state",)),
    Metric("broker_subscriptions", Type.GAUGE, "Subscriptions; counted every 10 seconds.", _subscriptions, ("kind",)),
    Metric(
        "broker_queue_entries",
        Type.GAUGE,
        "Messages in queues: of sessions, of login names, and histories of topics; counted every 10 seconds.",
        _places(lambda sums: sums.entries, lambda sums: sums.in_memory),
        ("relating", "place"),
    ),
    Metric(
        "broker_queue_bytes",
        Type.GAUGE,
        "What they count for; of histories without what nobody has asked for since the start.",
        _places(lambda sums: sums.bytes, lambda sums: sums.bytes_in_memory),
        ("relating", "place"),
    ),
    Metric(
        "broker_queue_oldest_entry_seconds",
        Type.GAUGE,
        "Age of the oldest message that is next in its queue and in memory; 0 where there is none.",
        _oldest,
        ("relating",),
    ),
    Metric(
        "broker_queues_filled",
        Type.GAUGE,
        "Queues that are filled to at least this part of what they hold; counted every 10 seconds.",
        _filled,
        ("relating", "above"),
    ),
    Metric(
        "broker_queues_stuck",
        Type.GAUGE,
        "Queues of sessions and login names that hold messages and have let none go for a minute, by the decisive"
        " reason; looked at every 10 seconds.",
        _stuck,
        ("cause",),
    ),
    Metric(
        "broker_publishers_waiting",
        Type.GAUGE,
        "Requests that wait for room in a queue.",
        _core(lambda core: core.node.waiting_publishers),
    ),
    Metric(
        "broker_filter_seconds_total",
        Type.COUNTER,
        "Time of the processor that filters of subscriptions have taken on messages, and XPath queries on new topics.",
        _core(lambda core: core.publisher.filter_costs.seconds + core.node.interest.seconds),
    ),
    Metric(
        "broker_xpath_budget_exceeded_total",
        Type.COUNTER,
        "XPath queries that were not asked about a new topic, because those of their login names had taken too long.",
        _core(lambda core: core.node.interest.budget_exceeded),
    ),
    Metric(
        "broker_recovery_seconds",
        Type.GAUGE,
        "How long the broker took to stand up again what was stored.",
        _core(lambda core: core.recovery.seconds),
    ),
    Metric(
        "broker_recovery_entries",
        Type.GAUGE,
        "Messages in queues and histories that it found.",
        _core(lambda core: core.recovery.entries),
    ),
    Metric(
        "broker_queue_cache_bytes",
        Type.GAUGE,
        "Memory that the messages of all queues of sessions and login names count for.",
        _core(lambda core: core.node.cache_budget.used),
    ),
    Metric(
        "broker_queue_cache_limit_bytes",
        Type.GAUGE,
        "What that may be; above it they are on disk only.",
        _core(lambda core: core.node.cache_budget.most),
    ),
)
