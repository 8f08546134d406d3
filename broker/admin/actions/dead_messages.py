"""Changes to dead messages: send them again, export, delete, purge."""

from __future__ import annotations

import html
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from twisted.internet.task import deferLater

from broker.admin.actions.change import Begun, Body, ChangeDesk, Request, broker_of, change_operation
from broker.admin.api.bodies import wrong_member
from broker.admin.api.dead_messages import no_dead_message
from broker.admin.api.operations import Operation
from broker.admin.api.works import path_of
from broker.admin.dead_search import DEAD_FILTERS
from broker.admin.listing import Predicate
from broker.admin.options import MAX_REPLAYS
from broker.admin.roles import Right
from broker.admin.views.dead_messages import Dead
from broker.admin.views.queues import find_queue
from broker.admin.works import Works
from broker.core.audit_trail import Change
from broker.core.broker import Broker
from broker.core.dead_messages import DeadMessage, Receiver
from broker.core.queue_control import Progress
from broker.errors import BrokerError
from broker.model.number import whole_or_none
from broker.model.property import find
from broker.net.http.routes import Cost

MAX_IDS = 1000
MAX_AT_ONCE = 10_000
"""Dead messages that are sent again, or exported, by one request."""
MAX_BYTES = 64 * 1024 * 1024
"""Of their contents together."""
MAX_TOLD = 20
"""Reasons that are told why messages stay dead."""
CONFIRMED = "dead"
MAX_SECONDS = 10
"""That a request to send messages again takes; what takes longer goes on without it."""
BETWEEN_TURNS = 100
"""Dead messages after which others have their turn."""


class DeadSelection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which dead messages: all, some by their ids, or those that match filters.

    Args:
        all: of them.
        ids: of them.
        oid: of the topic; ``*`` at the beginning and the end stands for any text.
        receiver: absolute name; likewise.
        sender: absolute name; likewise.
        reason_group: of the reason.
        q: part of any of these, or of the reason.
    """

    all: bool = False
    ids: list[str] = []
    oid: str | None = None
    receiver: str | None = None
    sender: str | None = None
    reason_group: str | None = None
    q: str | None = None


class ReplayTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody else who gets messages again.

    Args:
        session: ``joe/1``.
        subject: login name.
    """

    session: str | None = None
    subject: str | None = None


class Replay(Body, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Dead messages are to be sent again.

    Args:
        reason: for log and audit.
        select: which.
        to: ``receiver``, who did not get them; ``topic``, that they were published on; or somebody else.
        rate_per_second: so many at most; absent for as many as can be.
        force: also those that were sent again too often (``deadMessage.maxReplays``).
        dry_run: tell only what would be sent.
    """

    select: DeadSelection
    to: ReplayTo | str = "receiver"
    rate_per_second: int | None = None
    force: bool = False
    dry_run: bool = False


class Select(Body, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Dead messages are to be exported.

    Args:
        reason: for log and audit.
        select: which.
    """

    select: DeadSelection


class PurgeDead(Body, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """All dead messages are to be deleted.

    Args:
        reason: for log and audit.
        confirm: ``dead``.
    """

    confirm: str


class Stays(msgspec.Struct, frozen=True):
    """A dead message that stays one.

    Args:
        id: of it.
        reason: why.
    """

    id: str
    reason: str


class Replayed(msgspec.Struct, omit_defaults=True, rename="camel"):
    """What was sent again.

    Args:
        done: messages that were, or of a dry run would be.
        failed: messages that stay dead.
        replayed_too_often: messages that stay dead unless forced.
        stays: some of those that failed, with the reason.
        dry_run: nothing was sent.
        operation: goes on with it, where it takes long; the numbers are those of its beginning.
    """

    done: int
    failed: int
    replayed_too_often: int
    stays: list[Stays] = []
    dry_run: bool = False
    operation: str | None = None

    def count(self, dead: DeadMessage, most: int, body: Replay, send: Callable[[DeadMessage], None]) -> None:
        """Send one message again, and count what came of it.

        Args:
            dead: the message.
            most: how often it may have been sent again.
            body: what is asked.
            send: sends it, or raises a :class:`BrokerError`.
        """
        if dead.replays >= most and not body.force:
            self.replayed_too_often += 1
            return
        try:
            send(dead)
            self.done += 1
        except BrokerError as error:
            self.failed += 1
            if len(self.stays) < MAX_TOLD:
                self.stays.append(Stays(str(dead.id), str(error)))


class Deleted(msgspec.Struct, frozen=True):
    """What was deleted.

    Args:
        done: dead messages.
    """

    done: int


class Exported(msgspec.Struct, frozen=True):
    """Dead messages as a script that publishes them again (xmlBlaster's ``XmlScript``).

    Args:
        count: of messages.
        script: XML.
    """

    count: int
    script: str


def dead_changes(desk: ChangeDesk, works: Works) -> list[Operation]:
    """The operations.

    Args:
        desk: where they are made.
        works: tell how far they are.
    """

    async def replay(request: Request[Replay]) -> Replayed | Begun[Replayed]:
        body, broker, reactor = request.body, broker_of(desk), desk.instance.reactor
        if body.rate_per_second is not None and not 1 <= body.rate_per_second <= MAX_AT_ONCE:
            raise wrong_member("/ratePerSecond", f"it is a number from 1 to {MAX_AT_ONCE}")
        most = MAX_REPLAYS.get(desk.instance.properties)
        _check_receiver(body.to)
        selected = await _selected(broker, body.select)
        told = Replayed(0, 0, 0, [], body.dry_run)
        if body.dry_run:
            for dead in selected:
                told.count(dead, most, body, lambda dead: _check(broker, dead, body.to))
            return told
        work = works.begin("deadMessage.replay", "dead", len(selected), Progress(), broker.node.now())

        async def all_of_them() -> None:
            for number, dead in enumerate(selected, 1):
                if work.progress.stopped:
                    break
                told.count(dead, most, body, lambda dead: _send_again(broker, dead, body.to))
                work.progress.done, work.progress.failed = told.done, told.failed + told.replayed_too_often
                if body.rate_per_second is not None:
                    await deferLater(reactor, 1 / body.rate_per_second)
                elif number % BETWEEN_TURNS == 0:
                    await deferLater(reactor, 0)

        async def all_aside() -> None:
            await all_of_them()
            texts = f"{work.id}: {told.done} sent again, {work.progress.failed} stay"
            broker.node.trail.note(Change(request.asker, work.action, work.target, texts))

        if body.rate_per_second is not None and len(selected) / body.rate_per_second > MAX_SECONDS:
            works.run_aside(work, all_aside())  # who asks must not keep the place of others for so long
            return Begun(Replayed(told.done, told.failed, told.replayed_too_often, operation=work.id), path_of(work))
        await works.run(work, all_of_them())
        return told

    async def delete(request: Request[Body]) -> Deleted:
        broker, id = broker_of(desk), whole_or_none(request["id"], 0)
        (dead,) = [each async for each in broker.dead_messages.all(contents=False) if each.id == id] or (None,)
        if dead is None:
            raise no_dead_message(request["id"])
        await broker.dead_messages.load()
        broker.dead_messages.delete(dead)
        return Deleted(1)

    async def purge(request: Request[PurgeDead]) -> Deleted:
        if request.body.confirm != CONFIRMED:
            raise wrong_member("/confirm", f"it must be {CONFIRMED}")
        broker = broker_of(desk)
        await broker.dead_messages.load()
        done = 0
        for dead in [each async for each in broker.dead_messages.all(contents=False)]:
            try:
                broker.dead_messages.delete(dead)
            except BrokerError:  # it has gone by itself meanwhile
                continue
            done += 1
            if done % BETWEEN_TURNS == 0:
                await deferLater(desk.instance.reactor, 0)
        return Deleted(done)

    async def export(request: Request[Select]) -> Exported:
        selected = await _selected(broker_of(desk), request.body.select)
        return Exported(len(selected), script_of(selected))

    return [
        change_operation(
            desk,
            "replayDeadMessages",
            "POST",
            "/dead-messages/replay",
            Right.OPERATOR,
            "Send dead messages again; each is sent once, or stays dead, whatever crashes.",
            "deadMessage.replay",
            Replay,
            Replayed,
            replay,
            cost=Cost.STORE,
            also=HTTPStatus.ACCEPTED,
        ),
        change_operation(
            desk,
            "exportDeadMessages",
            "POST",
            "/dead-messages/export",
            Right.OPERATOR,
            "Dead messages as a script that publishes them again.",
            "deadMessage.export",
            Select,
            Exported,
            export,
            cost=Cost.HEAVY,
        ),
        change_operation(
            desk,
            "purgeDeadMessages",
            "POST",
            "/dead-messages/purge",
            Right.ADMINISTRATOR,
            "Delete all dead messages.",
            "deadMessage.purge",
            PurgeDead,
            Deleted,
            purge,
            cost=Cost.STORE,
        ),
        change_operation(
            desk,
            "deleteDeadMessage",
            "DELETE",
            "/dead-messages/{id}",
            Right.ADMINISTRATOR,
            "Delete a dead message.",
            "deadMessage.delete",
            Body,
            Deleted,
            delete,
            cost=Cost.STORE,
        ),
    ]


def script_of(dead: list[DeadMessage]) -> str:
    """Messages as a script that publishes them again (spec xmlblaster §8.6, §19.3)."""
    parts = ["<xmlBlaster>"]
    for each in dead:
        key, qos = find(each.message.qos.properties, "__key"), find(each.message.qos.properties, "__qos")
        content = each.message.content
        try:
            text = f"<content>{html.escape(content.decode('utf-8'))}</content>"
        except UnicodeDecodeError:
            text = f"<content encoding='base64'>{msgspec.json.encode(content).decode()[1:-1]}</content>"
        parts.append("\n".join([" <publish>", qos.text if qos else "", key.text if key else "", text, " </publish>"]))
    return "\n".join([*parts, "</xmlBlaster>", ""])


async def _selected(broker: Broker, select: DeadSelection) -> list[DeadMessage]:
    """The dead messages that are selected, with their contents, the oldest first.

    Raises:
        Refused: 400 where none can be selected so, or there are too many.
    """
    wanted = _wanted(select)
    await broker.dead_messages.load()
    found: list[DeadMessage] = []
    size = 0
    async for dead in broker.dead_messages.all():
        if wanted(dead):
            found.append(dead)
            size += len(dead.message.content)
            if len(found) > MAX_AT_ONCE or size > MAX_BYTES:
                raise wrong_member("/select", f"these are more than {MAX_AT_ONCE}, or {MAX_BYTES} bytes")
    return found


def _wanted(select: DeadSelection) -> Predicate[Dead]:
    given = {
        "oid": select.oid,
        "receiver": select.receiver,
        "sender": select.sender,
        "reasonGroup": select.reason_group,
        "q": select.q,
    }
    filters: list[Predicate[Dead]] = []
    for name, text in given.items():
        if text is not None:
            try:
                filters.append(DEAD_FILTERS[name].read(text))
            except ValueError as error:
                raise wrong_member(f"/select/{name}", str(error)) from error
    if select.all + bool(select.ids) + bool(filters) != 1:
        raise wrong_member("/select", "it has all, ids, or filters")
    if select.ids:
        ids = {whole_or_none(id, 0) for id in select.ids}
        if None in ids or len(select.ids) > MAX_IDS:
            raise wrong_member("/select/ids", f"they are at most {MAX_IDS} numbers")
        return lambda dead: dead.id in ids
    return lambda dead: all(each(dead) for each in filters)


def _check_receiver(to: ReplayTo | str) -> None:
    if isinstance(to, str):
        if to not in ("receiver", "topic"):
            raise wrong_member("/to", "it is receiver, topic, a session or a subject")
    elif (to.session is None) == (to.subject is None):
        raise wrong_member("/to", "it is a session or a subject")


def _check(broker: Broker, dead: DeadMessage, to: ReplayTo | str) -> None:
    """Refuse what could not be sent again; nothing is made of what is not there yet."""
    if to == "topic":
        broker.dead_messages.check_oid(dead)
    else:
        broker.dead_messages.release(_receiver(broker, dead, to))


def _send_again(broker: Broker, dead: DeadMessage, to: ReplayTo | str) -> None:
    receiver = _receiver(broker, dead, to)
    try:
        broker.dead_messages.replay(dead, receiver)
    finally:
        broker.dead_messages.release(receiver)


def _receiver(broker: Broker, dead: DeadMessage, to: ReplayTo | str) -> Receiver:
    if isinstance(to, str):
        letters = broker.dead_messages
        return letters.topic_of(dead) if to == "topic" else letters.receiver_of(dead)
    if to.subject is not None:
        broker.registry.check_subject_name(to.subject)
        return broker.node.subject(to.subject)
    name, _, number = (to.session or "").rpartition("/")
    found = find_queue(broker.node, "callback", f"{name}~{number}")
    if found is None or found.of is None:
        raise wrong_member("/to/session", f"there is no session {(to.session or '')[:200]}")
    return found.of
