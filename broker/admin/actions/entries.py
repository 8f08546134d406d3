"""Changes to the entries of queues: move, requeue, delete, purge."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

import msgspec

from broker.admin.actions.change import B, Begun, Body, ChangeDesk, Request, broker_of, change_operation
from broker.admin.api.bodies import wrong_member
from broker.admin.api.entries import no_queue
from broker.admin.api.operations import Operation
from broker.admin.api.works import WorkRow, path_of, work_row
from broker.admin.filtering import by_pattern
from broker.admin.listing import Predicate
from broker.admin.roles import Right
from broker.admin.views.queues import BETWEEN, find_queue, revision_of
from broker.admin.works import Work, Works
from broker.core.audit_trail import Change
from broker.core.entries import Entry
from broker.core.ids import NANOSECONDS
from broker.core.queue_control import Matched, Owner, Progress, QueueControl
from broker.core.subjects import Subject
from broker.errors import Code
from broker.model.number import whole_or_none
from broker.net.http.exchange import Call
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost

MAX_SEQS = 1000
PATH = "/queues/{relating}/{owner}/entries"


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which entries: all, some by their numbers, or those that match filters.

    Args:
        all: of them.
        seqs: numbers, as the list of entries has them.
        oid: of the topic; ``*`` at the beginning and the end stands for any text.
        sender: absolute name of the session that has published it; likewise.
        older_than_seconds: received so long ago, or longer.
    """

    all: bool = False
    seqs: list[str] = []
    oid: str | None = None
    sender: str | None = None
    older_than_seconds: int | None = None


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where entries go: to a queue, or on a topic.

    Args:
        relating: ``callback`` of a session or ``subject`` of a login name.
        owner: ``joe~1`` or ``joe``.
        topic: oid, instead of these.
    """

    relating: Literal["callback", "subject"] | None = None
    owner: str | None = None
    topic: str | None = None


class Move(Body, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Entries are to be moved to another queue, or published on a topic.

    Args:
        reason: for log and audit.
        select: which.
        to: where.
        dry_run: tell only what would be moved.
        up_to: move as many as there is room for; else none where there is not enough.
    """

    select: Selection
    to: Place
    dry_run: bool = False
    up_to: bool = False


class Requeue(Body, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Entries are to be put behind the others of their queue.

    Args:
        reason: for log and audit.
        select: which.
        at: the end.
        priority: that they get, 0 to 9; absent for that which they have.
        dry_run: tell only what would be put there.
    """

    select: Selection
    at: Literal["tail"] = "tail"
    priority: int | None = None
    dry_run: bool = False


class Delete(Body, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Entries are to be deleted.

    Args:
        reason: for log and audit.
        select: which; more than one need the header ``If-Match`` with the revision of the queue.
        to: they become dead messages, or nothing is left of them.
        dry_run: tell only what would be deleted; that needs no revision.
    """

    select: Selection
    to: Literal["dead", "nothing"]
    dry_run: bool = False


class Purge(Body, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """All entries are to be deleted, and nothing is left of them.

    Args:
        reason: for log and audit.
        confirm: the owner, once more.
    """

    confirm: str


class Changed(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What was done with entries.

    Args:
        done: entries it was done with; of a dry run, those it would be.
        skipped_in_flight: entries that are on their way, and are left alone.
        failed: entries that cannot be read, or are of use to nobody else; they stay.
        dry_run: nothing was done.
    """

    done: int
    skipped_in_flight: int
    failed: int
    dry_run: bool = False


def entry_changes(desk: ChangeDesk, works: Works) -> list[Operation]:
    """The operations.

    Args:
        desk: where they are made.
        works: tell how far they are.
    """

    def control() -> QueueControl:
        return broker_of(desk).queue_control

    def owner_of(call: Call) -> Owner:
        return _owner(desk, call)

    def begin(request: Request[B], action: str, total: int) -> Work:
        target = f"queues/{request['relating']}/{request['owner']}"
        return works.begin(action, target, total, Progress(), broker_of(desk).node.now())

    async def move(request: Request[Move]) -> Changed:
        body, owner = request.body, owner_of(request.call)
        wanted = _wanted(desk, body.select)
        _check_target(desk, body.to, owner)
        matched = await control().count(owner, wanted)
        if body.dry_run:
            return _dry(matched)
        work = begin(request, "queue.move", matched.entries)
        await works.run(work, moved(body, owner, wanted, matched, work.progress))
        return _changed(work.progress)

    async def moved(body: Move, owner: Owner, wanted: Predicate[Entry], matched: Matched, progress: Progress) -> None:
        if body.to.topic:
            await control().publish(owner, wanted, body.to.topic, progress)
            return
        node, target = broker_of(desk).node, _find_target(desk, body.to)
        if target is None:
            target = node.subject(body.to.owner or "")
        try:
            if not body.up_to:
                _check_room(matched, target, body.to)
            await control().move(owner, wanted, target, progress)
        finally:
            if isinstance(target, Subject):  # where nothing has come to it
                node.release_subject(target)

    async def requeue(request: Request[Requeue]) -> Changed:
        body, owner = request.body, owner_of(request.call)
        if body.priority is not None and not 0 <= body.priority <= 9:
            raise wrong_member("/priority", "it is a number from 0 to 9")
        wanted = _wanted(desk, body.select)
        if body.dry_run:
            return _dry(await control().count(owner, wanted))
        work = begin(request, "queue.requeue", owner.queue.entries)
        await works.run(work, control().requeue(owner, wanted, body.priority, work.progress))
        return _changed(work.progress)

    async def delete(request: Request[Delete]) -> Changed:
        body, owner = request.body, owner_of(request.call)
        wanted = _wanted(desk, body.select)
        if body.dry_run:
            return _dry(await control().count(owner, wanted))
        if len(body.select.seqs) != 1:
            _check_revision(request, owner)
        work = begin(request, "queue.delete", owner.queue.entries)
        await works.run(work, control().delete(owner, wanted, work.progress, dead=body.to == "dead"))
        return _changed(work.progress)

    async def purge(request: Request[Purge]) -> Begun[WorkRow]:
        owner = owner_of(request.call)
        if request.body.confirm != request["owner"]:
            raise wrong_member("/confirm", f"it must be {request['owner'][:200]}, as in the path")
        work = begin(request, "queue.purge", owner.queue.entries)
        works.run_aside(work, purged(request, owner, work))
        return Begun(work_row(work), path_of(work))

    async def purged(request: Request[Purge], owner: Owner, work: Work) -> None:
        await control().delete(owner, lambda entry: True, work.progress, dead=False)
        told = Change(request.asker, work.action, work.target, f"{work.id}: {work.progress.done} entries")
        broker_of(desk).node.trail.note(told)

    return [
        change_operation(
            desk,
            "moveEntries",
            "POST",
            f"{PATH}/move",
            Right.OPERATOR,
            "Move entries to another queue, or publish them on a topic; after a crash each is in one place.",
            "queue.move",
            Move,
            Changed,
            move,
            cost=Cost.STORE,
        ),
        change_operation(
            desk,
            "requeueEntries",
            "POST",
            f"{PATH}/requeue",
            Right.OPERATOR,
            "Put entries behind the others of their queue.",
            "queue.requeue",
            Requeue,
            Changed,
            requeue,
            cost=Cost.STORE,
        ),
        change_operation(
            desk,
            "deleteEntries",
            "POST",
            f"{PATH}/delete",
            Right.ADMINISTRATOR,
            "Delete entries, or make dead messages of them.",
            "queue.delete",
            Delete,
            Changed,
            delete,
            cost=Cost.STORE,
        ),
        change_operation(
            desk,
            "purgeQueue",
            "POST",
            f"{PATH}/purge",
            Right.ADMINISTRATOR,
            "Delete all entries of a queue; the answer says where to see how far it is.",
            "queue.purge",
            Purge,
            WorkRow,
            purge,
            status=HTTPStatus.ACCEPTED,
            cost=Cost.STORE,
        ),
    ]


def _owner(desk: ChangeDesk, call: Call) -> Owner:
    found = find_queue(broker_of(desk).node, call.parameters["relating"], call.parameters["owner"])
    if found is None:
        raise no_queue(call)
    if found.of is None:
        raise Refused(
            HTTPStatus.CONFLICT, Code.USER_ILLEGAL_ARGUMENT, "a history is changed by what is published on its topic"
        )
    return found.of


def _check_target(desk: ChangeDesk, to: Place, owner: Owner) -> None:
    """Refuse what entries cannot be moved to; nothing is made of what is not there yet.

    Args:
        desk: where it is asked.
        to: where they are to go.
        owner: of the queue that they are in.
    """
    if to.topic:
        if to.relating is not None or to.owner is not None:
            raise wrong_member("/to", "it is a queue or a topic")
        broker_of(desk).queue_control.check_oid(to.topic)
    elif _find_target(desk, to) is owner:
        raise wrong_member("/to/owner", "it is the same queue; requeue puts entries at its end")


def _find_target(desk: ChangeDesk, to: Place) -> Owner | None:
    """The owner of a queue that takes entries; ``None`` for a login name that is not in use."""
    broker = broker_of(desk)
    if to.relating is None or to.owner is None:
        raise wrong_member("/to", "it is a queue, with relating and owner, or a topic")
    found = find_queue(broker.node, to.relating, to.owner)
    if found is not None and found.of is not None:
        return found.of
    if to.relating == "callback":
        raise wrong_member("/to/owner", f"there is no session {to.owner.replace(BETWEEN, '/')[:200]}")
    broker.registry.check_subject_name(to.owner)
    return None


def _check_room(matched: Matched, target: Owner, to: Place) -> None:
    entries, octets = target.queue.space
    if matched.entries > entries or matched.bytes > octets:
        raise Refused(
            HTTPStatus.CONFLICT,
            Code.RESOURCE_OVERFLOW_ENTRIES,
            f"{to.relating}/{(to.owner or '')[:200]} has room for {max(entries, 0)} entries and {max(octets, 0)} bytes;"
            f" {matched.entries} entries count for {matched.bytes} bytes. Nothing was moved; upTo moves what fits",
        )


def _check_revision(request: Request[Delete], owner: Owner) -> None:
    given, revision = request.call.headers.get("if-match"), revision_of(owner.queue)
    if given is None:
        raise Refused(
            HTTPStatus.PRECONDITION_REQUIRED,
            Code.USER_PRECONDITION,
            "to delete more than one entry, send If-Match with the revision of the queue that you have seen",
        )
    if given.strip().strip('"') != revision:
        raise Refused(
            HTTPStatus.PRECONDITION_FAILED,
            Code.USER_PRECONDITION,
            f"entries have come or gone meanwhile: the revision is {revision}",
        )


def _wanted(desk: ChangeDesk, select: Selection) -> Predicate[Entry]:
    """Tells which entries are selected.

    Raises:
        Refused: 400 where none can be, or in two ways.
    """
    filters: list[Predicate[Entry]] = []
    try:
        if select.oid is not None:
            filters.append(by_pattern(_oid).read(select.oid))
        if select.sender is not None:
            filters.append(by_pattern(_sender).read(select.sender))
    except ValueError as error:
        raise wrong_member("/select", str(error)) from error
    if select.older_than_seconds is not None:
        before = broker_of(desk).node.now() - select.older_than_seconds * 1000
        filters.append(lambda entry: entry.message.id // NANOSECONDS <= before)
    if select.all + bool(select.seqs) + bool(filters) != 1:
        raise wrong_member("/select", "it has all, seqs, or filters")
    if select.seqs:
        seqs = {whole_or_none(seq, 0) for seq in select.seqs}
        if None in seqs or len(select.seqs) > MAX_SEQS:
            raise wrong_member("/select/seqs", f"they are at most {MAX_SEQS} numbers")
        return lambda entry: entry.seq in seqs
    return lambda entry: all(each(entry) for each in filters)


def _dry(matched: Matched) -> Changed:
    return Changed(matched.entries, matched.in_flight, 0, True)


def _changed(progress: Progress) -> Changed:
    return Changed(progress.done, progress.skipped_in_flight, progress.failed)


def _oid(entry: Entry) -> str:
    return entry.message.oid


def _sender(entry: Entry) -> str:
    return entry.message.qos.sender
