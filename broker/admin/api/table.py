"""All operations. What is said of the API comes from here, its routes as well as ``docs/openapi.json``.

That is written by ``python -m broker.admin.api.table``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import Any

from broker.admin.access import Access
from broker.admin.actions.accounts import account_operations
from broker.admin.actions.backups import backup_operations
from broker.admin.actions.broadcast import broadcast_operations
from broker.admin.actions.change import ChangeDesk
from broker.admin.actions.configuration import configuration_changes
from broker.admin.actions.dead_messages import dead_changes
from broker.admin.actions.definitions import definition_operations
from broker.admin.actions.entries import entry_changes
from broker.admin.actions.listeners import listener_operations
from broker.admin.actions.many_sessions import many_sessions_changes
from broker.admin.actions.running import running_operations
from broker.admin.actions.sessions import session_changes
from broker.admin.actions.tokens import token_operations
from broker.admin.actions.topics import topic_changes
from broker.admin.api.audit import audit_operations
from broker.admin.api.bundle import bundle_operations
from broker.admin.api.configuration import configuration_operations
from broker.admin.api.dead_messages import dead_operations
from broker.admin.api.entries import entry_operations
from broker.admin.api.events import event_operations
from broker.admin.api.findings import check_operations, diagnosis_operations
from broker.admin.api.gate import Gate
from broker.admin.api.health import health_operations
from broker.admin.api.history import history_operations
from broker.admin.api.identity import identity_operations
from broker.admin.api.login import login_operations
from broker.admin.api.metrics import metrics_operations, object_metrics_operations
from broker.admin.api.openapi import document_operation, write
from broker.admin.api.operations import Operation
from broker.admin.api.resources import resource_operations
from broker.admin.api.routes import route_operations
from broker.admin.api.stream import stream_operations
from broker.admin.api.subscriptions import subscription_operations
from broker.admin.api.tail import tail_operations
from broker.admin.api.works import work_operations
from broker.admin.bundle.bundle import Bundler
from broker.admin.census import Census
from broker.admin.disk_reads import DiskReads
from broker.admin.event_followers import EventFollowers
from broker.admin.event_log import EventLog
from broker.admin.findings.alarms import Alarms
from broker.admin.findings.watch import Watch
from broker.admin.health import Health
from broker.admin.history import History
from broker.admin.instance import Instance
from broker.admin.metrics.sources import Sources
from broker.admin.store_files import StoreFiles
from broker.admin.streams import Streams
from broker.admin.tails import Tails
from broker.admin.views.overview import Overview, overview
from broker.admin.why import Why
from broker.admin.works import Works
from broker.exposition.text import Exposition


@dataclass(frozen=True, slots=True)
class Parts:
    """What operations are served by.

    Args:
        instance: the broker.
        access: who may administer.
        health: of it.
        census: numbers of its objects.
        files: of the store.
        exposition: writes its metrics.
        history: of its numbers.
        reads: limits how often queues are read from disk.
        works: work that takes long.
        alarms: what is wrong.
        watch: numbers of the last minutes.
        streams: of rows that change.
        event_log: the last events.
        followers: those who follow them.
        tails: messages that are followed.
    """

    instance: Instance
    access: Access
    health: Health
    census: Census
    files: StoreFiles
    exposition: Exposition[Sources]
    history: History[Sources]
    reads: DiskReads
    works: Works
    alarms: Alarms
    watch: Watch
    streams: Streams
    event_log: EventLog
    followers: EventFollowers
    tails: Tails


def public_operations(parts: Parts, gate: Gate) -> list[Operation]:
    """Those of a port for everybody: health and metrics."""
    return [
        *health_operations(parts.health, gate),
        *check_operations(parts.watch, gate),
        *metrics_operations(parts.exposition),
    ]


def all_operations(parts: Parts, gate: Gate) -> list[Operation]:
    """All of them."""
    desk = ChangeDesk(parts.instance, gate)

    def tell_overview(now: int) -> Overview:
        return overview(parts.instance, parts.health, parts.census, parts.files, parts.alarms, now)

    def rate(id: int) -> float | None:
        return parts.census.flows.rate(id)

    def entered_rate(id: int) -> float | None:
        return parts.census.flows.entered_rate(id)

    why = Why(parts.instance, rate, entered_rate)
    operations = [
        *public_operations(parts, gate),
        *object_metrics_operations(parts.instance),
        *identity_operations(gate),
        *login_operations(parts.access, gate),
        *entry_operations(parts.instance, gate, parts.reads),
        *resource_operations(parts.instance, parts.health, parts.census, parts.files, parts.alarms),
        *diagnosis_operations(parts.watch),
        *bundle_operations(Bundler(parts.watch, parts.exposition, tell_overview), desk),
        *event_operations(parts.event_log, parts.followers, gate),
        *tail_operations(parts.tails, desk),
        *dead_operations(parts.instance, gate, parts.reads),
        *subscription_operations(parts.instance),
        *route_operations(parts.instance),
        *history_operations(parts.history),
        *audit_operations(parts.instance),
        *session_changes(desk),
        *many_sessions_changes(desk, why),
        *token_operations(desk, parts.access),
        *account_operations(desk, parts.access),
        *running_operations(desk),
        *broadcast_operations(desk),
        *topic_changes(desk),
        *entry_changes(desk, parts.works),
        *work_operations(desk, parts.works),
        *backup_operations(desk, parts.works),
        *dead_changes(desk, parts.works),
        *definition_operations(desk),
        *configuration_operations(parts.instance),
        *configuration_changes(desk),
        *listener_operations(desk),
        *stream_operations(parts.instance, parts.streams, tell_overview, why, gate),
    ]
    return [*operations, document_operation(operations)]


def described_operations() -> list[Operation]:
    """All of them, to be described: nothing is there that could serve them."""
    nothing: Any = None
    return all_operations(Parts(*[nothing for _ in fields(Parts)]), Gate())


if __name__ == "__main__":
    sys.stdout.write(write(described_operations()))
