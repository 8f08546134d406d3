"""``/backups``: copies of the database, made and verified while the broker runs (operations §5.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from broker.admin.actions.change import Begun, Body, ChangeDesk, Request, broker_of, change_operation
from broker.admin.api.operations import API, Operation
from broker.admin.api.works import WorkRow, path_of, work_row
from broker.admin.roles import Right
from broker.admin.works import Work, Works
from broker.core.audit_trail import Change
from broker.core.queue_control import Progress
from broker.errors import BrokerError, Code
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost
from broker.store.backup_settings import BackupSettings, backup_settings_of
from broker.store.location import MEMORY_URL, database_url
from broker.store.manifest import read_manifest
from broker.store.sql.backup import backups_of, check_is_sqlite, take_backup
from broker.store.sql.restore import rehearse


class BackupRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A backup.

    Args:
        id: name of its file.
        made_at: when it was begun.
        size_bytes: of it.
        version: of the program that made it.
        revision: of the schema.
        duration_milliseconds: until it was written and verified.
        counts: what is in it; absent where the schema was older than the program.
        error: why its manifest cannot be read; then there is nothing but the name.
    """

    id: str
    made_at: str | None = None
    size_bytes: int | None = None
    version: str | None = None
    revision: str | None = None
    duration_milliseconds: int | None = None
    counts: dict[str, int] | None = None
    error: str | None = None


class BackupList(msgspec.Struct, frozen=True):
    """Backups of this broker.

    Args:
        items: the newest first.
    """

    items: list[BackupRow]


def backup_operations(desk: ChangeDesk, works: Works) -> list[Operation]:
    """The operations.

    Args:
        desk: where changes are made.
        works: tell how far they are.
    """

    def settings() -> BackupSettings:
        return backup_settings_of(desk.instance.properties, desk.instance.data)

    async def tell(call: Call) -> Answer:
        return json(BackupList([backup_row(each) for each in reversed(backups_of(settings()))]))

    async def make(request: Request[Body]) -> Begun[WorkRow]:
        url, where = database_url(desk.instance.properties, desk.instance.data), settings()
        if url == MEMORY_URL:
            raise Refused(HTTPStatus.CONFLICT, Code.RESOURCE_CONFIGURATION, "nothing of this broker is on disk")
        try:
            check_is_sqlite(url, where.node)
        except BrokerError as error:
            raise Refused(HTTPStatus.CONFLICT, Code.RESOURCE_CONFIGURATION, error.message) from error

        def take() -> str:
            return take_backup(url, where)[0].name

        return begin(request, "backup.make", "backups", take)

    async def verify(request: Request[Body]) -> Begun[WorkRow]:
        name = request["id"]
        found = next((each for each in backups_of(settings()) if each.name == name), None)
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, f"there is no backup {name[:200]}")

        def rehearsed() -> str:
            rehearse(found)
            return name

        return begin(request, "backup.verify", f"backups/{name}", rehearsed)

    def begin(request: Request[Body], action: str, target: str, job: Callable[[], str]) -> Begun[WorkRow]:
        work = works.begin(action, target, 1, Progress(), broker_of(desk).node.now())
        works.run_aside(work, done(request, work, job))
        return Begun(work_row(work), path_of(work))

    async def done(request: Request[Body], work: Work, job: Callable[[], str]) -> None:
        made = work.action == "backup.make"
        try:
            name = await in_a_thread(desk.instance.reactor, job)
        except (BrokerError, OSError) as error:
            if made:
                desk.instance.events.tell("backup/event/failed", text=str(error)[:200])
            if isinstance(error, OSError):
                raise BrokerError(Code.RESOURCE_UNAVAILABLE, f"the backup cannot be used: {error}") from error
            raise
        work.progress.done = 1
        if made:
            desk.instance.events.tell("backup/event/done", file=name)
        broker_of(desk).node.trail.note(Change(request.asker, work.action, f"backups/{name}", work.id))

    return [
        Operation(
            "listBackups", "GET", f"{API}/backups", Right.ADMINISTRATOR, tell, "Backups of this broker.", BackupList
        ),
        change_operation(
            desk,
            "makeBackup",
            "POST",
            "/backups",
            Right.ADMINISTRATOR,
            "Make a backup, and verify it; the answer says where to see whether it is done.",
            "backup.make",
            Body,
            WorkRow,
            make,
            status=HTTPStatus.ACCEPTED,
            cost=Cost.HEAVY,
        ),
        change_operation(
            desk,
            "verifyBackup",
            "POST",
            "/backups/{id}/verify",
            Right.ADMINISTRATOR,
            "Rehearse the restore of a backup; nothing stays of it, and the answer says where to see what came of it.",
            "backup.verify",
            Body,
            WorkRow,
            verify,
            status=HTTPStatus.ACCEPTED,
            cost=Cost.HEAVY,
        ),
    ]


def in_a_thread(reactor: Any, job: Callable[[], str]) -> Deferred[str]:
    """Do what blocks; the Deferred fires with what it returns or raises."""
    return deferToThreadPool(reactor, reactor.getThreadPool(), job)


def backup_row(backup: Path) -> BackupRow:
    """What is told of a backup."""
    try:
        known = read_manifest(backup)
    except (BrokerError, OSError) as error:
        return BackupRow(backup.name, error=str(error)[:200])
    return BackupRow(
        backup.name,
        known.made_at,
        known.size_bytes,
        known.version,
        known.revision,
        known.duration_milliseconds,
        None if known.counts is None else {_camel(name): number for name, number in asdict(known.counts).items()},
    )


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)
