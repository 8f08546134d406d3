"""Metrics of the process: run level, listeners, logins, store, reactor, administration."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable

from twisted.copyright import version as twisted_version

from broker import __version__
from broker.admin import memory
from broker.admin.followers import Kind
from broker.admin.metrics.sources import Sources
from broker.config.core_options import NODE_ID
from broker.exposition.metric import Metric, Sample, Type, Value, one
from broker.exposition.reactor_lag import REACTOR_LAG
from broker.net.listener_metrics import LISTENERS
from broker.store.location import database_url


def _build(sources: Sources) -> Iterable[Sample]:
    instance = sources.instance
    kind = database_url(instance.properties, instance.data).partition(":")[0].partition("+")[0]
    node = NODE_ID.get(instance.properties)
    return [((__version__, platform.python_version(), twisted_version, kind, node), 1)]


def _logins(sources: Sources) -> Iterable[Sample]:
    if sources.core is None:
        return []
    counts = sources.instance.security.services.counts
    outcomes = (("ok", counts.ok), ("wrong", counts.wrong), ("throttled", counts.throttled), ("error", counts.error))
    return [((outcome,), count) for outcome, count in outcomes]


def _login_times(sources: Sources) -> Iterable[Sample]:
    if sources.core is None:
        return []
    return [((outcome,), seconds) for outcome, seconds in sources.instance.security.services.counts.seconds.items()]


def _threads(sources: Sources) -> Iterable[Sample]:
    instance = sources.instance
    if instance.store is not None:
        yield ("store",), instance.store.waiting
    if sources.core is not None:
        yield ("login",), instance.security.services.waiting


def _store(read: Callable[[Sources], Value]) -> Callable[[Sources], Iterable[Sample]]:
    return one(lambda sources: None if sources.instance.store is None else read(sources))


def _lines(sources: Sources) -> Iterable[Sample]:
    return [((level,), count) for level, count in sources.lines.counts.items()]


def _answers(sources: Sources) -> Iterable[Sample]:
    return [(labels, count) for labels, count in sources.http.answers.items()]


def _answer_times(sources: Sources) -> Iterable[Sample]:
    return [((kind,), histogram) for kind, histogram in sources.http.seconds.items()]


PROCESS: tuple[Metric[Sources], ...] = (
    Metric(
        "broker_build_info",
        Type.GAUGE,
        "Always 1; its labels say what runs.",
        _build,
        ("version", "python", "twisted", "store", "node"),
    ),
    Metric("broker_run_level", Type.GAUGE, "Run level that is reached.", one(lambda s: s.instance.run_levels.level)),
    Metric(
        "broker_ready",
        Type.GAUGE,
        "1 where clients may be sent to the broker, as /health/ready has it.",
        one(lambda sources: 0 if sources.health.reasons() else 1),
    ),
    *LISTENERS,
    Metric("broker_logins_total", Type.COUNTER, "Logins over all protocols, by how they went.", _logins, ("outcome",)),
    Metric(
        "broker_login_seconds",
        Type.HISTOGRAM,
        "From the first message of a login until it was decided, by how it went; without those that were throttled.",
        _login_times,
        ("outcome",),
    ),
    Metric(
        "broker_threads_waiting",
        Type.GAUGE,
        "What waits for a thread: logins for those that check passwords, commits and questions for that of the store.",
        _threads,
        ("pool",),
    ),
    Metric(
        "broker_store_commit_seconds",
        Type.HISTOGRAM,
        "How long commits took.",
        _store(lambda sources: sources.instance.store.commit_seconds),
    ),
    Metric(
        "broker_store_commit_operations",
        Type.HISTOGRAM,
        "How many operations were in them.",
        _store(lambda sources: sources.instance.store.commit_operations),
    ),
    Metric(
        "broker_store_backlog_bytes",
        Type.GAUGE,
        "Bytes of messages that wait for their commit.",
        _store(lambda sources: sources.instance.store.backlog),
    ),
    Metric(
        "broker_store_failing",
        Type.GAUGE,
        "1 while the store cannot commit.",
        _store(lambda sources: 0 if sources.instance.store.failing_since is None else 1),
    ),
    Metric(
        "broker_store_failing_seconds",
        Type.GAUGE,
        "For how long it has not been able to; 0 where it is.",
        _store(lambda sources: sources.health.store_failing_seconds() or 0.0),
    ),
    Metric(
        "broker_store_database_bytes",
        Type.GAUGE,
        "Size of the file of SQLite.",
        one(lambda sources: sources.files.database_bytes),
    ),
    Metric(
        "broker_store_wal_bytes",
        Type.GAUGE,
        "Size of its write-ahead log.",
        one(lambda sources: sources.files.wal_bytes),
    ),
    Metric(
        "broker_store_free_disk_bytes",
        Type.GAUGE,
        "Room that is left on its disk.",
        one(lambda sources: sources.files.free_disk_bytes),
    ),
    Metric(
        "broker_store_reads_total",
        Type.COUNTER,
        "Questions to the database.",
        _store(lambda sources: sources.instance.store.reads),
    ),
    Metric(
        "broker_store_folds_total",
        Type.COUNTER,
        "How often what was committed as one row was written to the tables; each question asks for that.",
        _store(lambda sources: sources.instance.store.folds),
    ),
    Metric(
        "broker_memory_limit_bytes",
        Type.GAUGE,
        "Memory that the process may use: of its control group, or of the machine.",
        one(lambda sources: memory.limit() or None),
    ),
    Metric(
        "broker_backup_last_success_timestamp_seconds",
        Type.GAUGE,
        "When the newest backup was made, in seconds since 1970; absent where there is none.",
        one(lambda sources: None if (found := sources.last_backup()) is None else found.at),
    ),
    Metric(
        "broker_backup_bytes",
        Type.GAUGE,
        "Its size; absent where there is none.",
        one(lambda sources: None if (found := sources.last_backup()) is None else found.size),
    ),
    REACTOR_LAG,
    Metric("broker_log_lines_total", Type.COUNTER, "Events of the log, also those not written.", _lines, ("level",)),
    Metric(
        "broker_audit_failures_total",
        Type.COUNTER,
        "Changes that were refused because they could not be written into the audit.",
        one(lambda sources: None if sources.core is None else sources.core.node.trail.failures),
    ),
    Metric(
        "broker_http_requests_total",
        Type.COUNTER,
        "Requests of administration, by what they cost and how they were answered.",
        _answers,
        ("class", "status"),
    ),
    Metric(
        "broker_http_request_seconds",
        Type.HISTOGRAM,
        "From the first byte of a request to its answer.",
        _answer_times,
        ("class",),
    ),
    Metric(
        "broker_sse_streams",
        Type.GAUGE,
        "Streams of server-sent events: of rows, events and messages.",
        one(lambda sources: len(sources.followers)),
    ),
    Metric(
        "broker_tails",
        Type.GAUGE,
        "Those of them that follow messages.",
        one(lambda sources: sources.followers.count(Kind.TAIL)),
    ),
    Metric(
        "broker_events_dropped_total",
        Type.COUNTER,
        "Events that did not reach the ring of the last ones or a sink: more than 100 of a kind came in a second, the"
        " sink was slow or failed, or had caused them itself.",
        one(lambda sources: sources.instance.events.dropped),
    ),
)
