"""The broker at a glance."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from broker import __version__
from broker.admin import memory
from broker.admin.census import Census, Relating
from broker.admin.findings.alarms import Alarm, Alarms
from broker.admin.findings.finding import Severity
from broker.admin.health import Health
from broker.admin.instance import Instance, core_of
from broker.admin.moment import moment
from broker.admin.states import SessionState
from broker.admin.store_files import StoreFiles
from broker.config.core_options import NODE_ID


class RunLevelRow(msgspec.Struct, frozen=True):
    """A run level."""

    level: int
    name: str


class MessageSums(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Messages since the broker came up.

    Args:
        published: that were accepted.
        delivered: that were written to receivers.
        acknowledged: by receivers.
        dead: that could not be delivered.
        published_per_second: before ``countedAt``; absent where nothing was counted twice, as of the following.
        delivered_per_second: likewise.
        rate_over_seconds: time that these are for.
    """

    published: int
    delivered: int
    acknowledged: int
    dead: int
    published_per_second: float | None = None
    delivered_per_second: float | None = None
    rate_over_seconds: float | None = None


class QueueSumsRow(msgspec.Struct, frozen=True, rename="camel"):
    """All queues of one kind, as they were counted at ``countedAt``."""

    count: int
    entries: int
    bytes: int
    on_disk: int


class ConnectionSums(msgspec.Struct, frozen=True, rename="camel"):
    """Connections of clients."""

    open: int
    not_logged_in: int


class StoreRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The store; sizes of files are there with SQLite only."""

    failing: bool
    backlog_bytes: int
    failing_seconds: float | None = None
    database_bytes: int | None = None
    wal_bytes: int | None = None
    free_disk_bytes: int | None = None


class ProcessRow(msgspec.Struct, frozen=True, rename="camel"):
    """The process."""

    resident_bytes: int


class LimitRow(msgspec.Struct, frozen=True):
    """Something that is limited, and how much of it is used."""

    name: str
    used: int
    most: int


class CertificateRow(msgspec.Struct, frozen=True, rename="camel"):
    """A certificate that a listener shows."""

    listener: str
    not_after: str


class AlarmRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Something that is wrong.

    Args:
        code: which kind of thing.
        severity: of it.
        since: when it was first found.
        detail: one sentence.
        clients: what it means for clients.
        what_to_do: one or two sentences.
        href: where the API has more.
        doc: page and heading of the documentation.
    """

    code: str
    severity: Severity
    since: str
    detail: str
    clients: str
    what_to_do: str
    href: str = ""
    doc: str = ""

    @classmethod
    def of(cls, alarm: Alarm) -> AlarmRow:
        """The row of an alarm."""
        found = alarm.finding
        return cls(
            found.code,
            found.severity,
            moment(alarm.since),
            found.title,
            found.clients,
            found.what_to_do,
            found.href,
            found.doc,
        )


class Overview(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The broker at a glance. What is there at a higher run level only is absent below it.

    Args:
        node: its id.
        version: of the program.
        run_level: that is reached.
        ready: clients may be sent to it.
        alarms: what is wrong, the worst first.
        limits: of connections.
        certificates: that listeners show.
        process: of the system.
        as_of: when this was told.
        counted_at: when sessions, queues and topics were counted.
        started_at: when the core came up.
        uptime_seconds: since then.
        sessions: by kind, then by state.
    """

    node: str
    version: str
    run_level: RunLevelRow
    ready: bool
    alarms: list[AlarmRow]
    connections: ConnectionSums
    limits: list[LimitRow]
    certificates: list[CertificateRow]
    process: ProcessRow
    as_of: str
    store: StoreRow | None = None
    counted_at: str | None = None
    started_at: str | None = None
    uptime_seconds: float | None = None
    messages: MessageSums | None = None
    queues: dict[Relating, QueueSumsRow] | None = None
    sessions: dict[str, dict[SessionState, int]] | None = None
    subjects: int | None = None
    topics: int | None = None
    subscriptions: int | None = None


def overview(
    instance: Instance, health: Health, census: Census, files: StoreFiles, alarms: Alarms, now: int
) -> Overview:
    """Make it.

    Args:
        instance: the broker.
        health: of it.
        census: numbers of its objects.
        files: of the store.
        alarms: what is wrong.
        now: milliseconds since 1970.
    """
    listeners = instance.listeners()
    levels, numbers, core = instance.run_levels, census.numbers, core_of(instance)
    node = None if core is None else core.node
    return Overview(
        NODE_ID.get(instance.properties),
        __version__,
        RunLevelRow(levels.level, levels.name),
        not health.reasons(),
        [AlarmRow.of(each) for each in alarms.raised],
        ConnectionSums(
            sum(len(listener.admission) for _, listener in listeners),
            sum(listener.admission.strangers for _, listener in listeners),
        ),
        [LimitRow(name, len(each.admission), each.admission.max_connections) for name, each in listeners],
        [
            CertificateRow(name, moment(round(each.settings.tls.certificate.not_valid_after_utc.timestamp() * 1000)))
            for name, each in listeners
            if each.settings.tls is not None
        ],
        ProcessRow(memory.resident()),
        moment(now),
        _store(instance, health, files),
        moment(numbers.at) if numbers.at else None,
        None if node is None else moment(node.started),
        None if node is None else (now - node.started) / 1000,
        _messages(instance, census),
        {
            relating: QueueSumsRow(sums.count, sums.entries, sums.bytes, sums.entries - sums.in_memory)
            for relating, sums in numbers.queues.items()
        }
        if numbers.at
        else None,
        _sessions(census) if numbers.at else None,
        None if node is None else len(node.subjects),
        None if node is None else len(node.topics),
        None if node is None else len(node.subscriptions),
    )


def _messages(instance: Instance, census: Census) -> MessageSums | None:
    core = core_of(instance)
    if core is None:
        return None
    traffics = [kind.traffic for kind in core.registry.kinds.values()]
    sums = (
        sum(each.published for each in traffics),
        sum(each.delivered for each in traffics),
        sum(each.acknowledged for each in traffics),
        core.letters.count,
    )
    now, before = census.numbers, census.before
    seconds = (now.at - before.at) / 1000
    if not before.at or seconds <= 0 or now.published < before.published:  # the last: the core was made anew
        return MessageSums(*sums)
    published, delivered = now.published - before.published, now.delivered - before.delivered
    return MessageSums(*sums, round(published / seconds, 1), round(delivered / seconds, 1), seconds)


def _sessions(census: Census) -> dict[str, dict[SessionState, int]]:
    found: defaultdict[str, dict[SessionState, int]] = defaultdict(dict)
    for (kind, state), count in census.numbers.sessions.items():
        found[kind][state] = count
    return dict(found)


def _store(instance: Instance, health: Health, files: StoreFiles) -> StoreRow | None:
    store = instance.store
    if store is None:
        return None
    failing = health.store_failing_seconds()
    return StoreRow(
        failing is not None,
        store.backlog,
        failing,
        files.database_bytes,
        files.wal_bytes,
        files.free_disk_bytes,
    )
