"""Operations that tell of long work, and stop it."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from broker.admin.actions.change import Body, ChangeDesk, Request, change_operation
from broker.admin.api.operations import API, Operation
from broker.admin.moment import moment
from broker.admin.roles import Right
from broker.admin.works import Work, Works, WorkState
from broker.errors import Code
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused


class WorkRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Work that takes long.

    Args:
        id: of it.
        action: what it does, as the audit calls it.
        target: what it changes.
        state: ``running``, ``done``, ``stopped`` or ``failed``.
        done: entries that it was done with.
        total: entries that there were when it began.
        skipped_in_flight: entries that were on their way, and were left alone.
        failed: entries that could not be read, or are of use to nobody else.
        started_at: when it began.
        error: why it failed.
    """

    id: str
    action: str
    target: str
    state: WorkState
    done: int
    total: int
    skipped_in_flight: int
    failed: int
    started_at: str
    error: str | None = None


class WorkList(msgspec.Struct, frozen=True):
    """Long work.

    Args:
        items: what runs, and the last that has ended, the newest first.
    """

    items: list[WorkRow]


def work_row(work: Work) -> WorkRow:
    """What is told of a work."""
    progress = work.progress
    return WorkRow(
        work.id,
        work.action,
        work.target,
        work.state,
        progress.done,
        work.total,
        progress.skipped_in_flight,
        progress.failed,
        moment(work.started_at),
        work.error or None,
    )


def path_of(work: Work) -> str:
    """Where it is told how far a work is."""
    return f"{API}/operations/{work.id}"


def work_operations(desk: ChangeDesk, works: Works) -> list[Operation]:
    """The operations.

    Args:
        desk: where work is stopped.
        works: all of it.
    """

    def find(call: Call) -> Work:
        found = works.find(call.parameters["id"])
        if found is None:
            id = call.parameters["id"][:200]
            raise Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, f"there is no operation {id}")
        return found

    async def list_works(call: Call) -> Answer:
        return json(WorkList([work_row(each) for each in works.all()]))

    async def get_work(call: Call) -> Answer:
        return json(work_row(find(call)))

    async def stop(request: Request[Body]) -> WorkRow:
        work = find(request.call)
        work.stop()
        return work_row(work)

    return [
        Operation(
            "listOperations",
            "GET",
            f"{API}/operations",
            Right.MONITORING,
            list_works,
            "Work that takes long, or has ended lately.",
            WorkList,
        ),
        Operation(
            "getOperation", "GET", f"{API}/operations/{{id}}", Right.MONITORING, get_work, "One of these.", WorkRow
        ),
        change_operation(
            desk,
            "stopOperation",
            "DELETE",
            "/operations/{id}",
            Right.OPERATOR,
            "Stop work after what it is just doing.",
            "operation.stop",
            Body,
            WorkRow,
            stop,
        ),
    ]
