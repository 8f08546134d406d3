"""Changes to all sessions that a filter finds (operations §1.10)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from http import HTTPStatus

import msgspec
from twisted.internet.task import deferLater

from broker.admin.actions.change import B, Body, ChangeDesk, Request, broker_of, change_operation
from broker.admin.api.bodies import wrong_member
from broker.admin.api.operations import Operation
from broker.admin.listing import Predicate
from broker.admin.roles import Right
from broker.admin.scan import scan
from broker.admin.subject import ended_by_administrator
from broker.admin.views.sessions import sessions
from broker.admin.why import Why
from broker.core.broker import Remains
from broker.core.node import Node
from broker.core.sessions import Session
from broker.errors import Code
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost

AT_ONCE = 32
"""Sessions that are changed until others have their turn."""


class SomeSessions(Body, frozen=True):
    """Sessions that are meant.

    Args:
        filter: texts by the names of parameters of ``GET /sessions``; at least one.
        expected: how many they are, as a dry run has told; else nothing is done.
        dry_run: tell how many they are, and do nothing.
    """

    filter: dict[str, str]
    expected: int | None = None
    dry_run: bool = False


class EndSessions(SomeSessions, frozen=True):
    """Sessions that are to end.

    Args:
        filter: texts by the names of parameters of ``GET /sessions``; at least one.
        expected: how many they are, as a dry run has told; else nothing is done.
        dry_run: tell how many they are, and do nothing.
        queue: what becomes of their queues, as where one session is ended.
    """

    queue: Remains = Remains.SUBJECT


class ChangedSessions(msgspec.Struct, frozen=True):
    """What was found and done.

    Args:
        matched: sessions that the filter has found.
        entries: messages that were in their queues.
        done: sessions that were changed; 0 of a dry run.
    """

    matched: int
    entries: int
    done: int


def many_sessions_changes(desk: ChangeDesk, why: Why) -> list[Operation]:
    """The operations.

    Args:
        desk: where they are made.
        why: queues wait.
    """

    def node() -> Node:
        return broker_of(desk).node

    filters = sessions(lambda: broker_of(desk), why).filters

    async def select(body: SomeSessions) -> list[Session]:
        predicates = [_predicate(filters[name].read, text, name) for name, text in _known(body.filter, filters)]
        found: list[Session] = []

        def look(session: Session) -> None:
            if all(predicate(session) for predicate in predicates):
                found.append(session)

        await scan(list(node().sessions.values()), look, desk.instance.reactor)
        if not body.dry_run and body.expected != len(found):
            reason = f"the filter finds {len(found)} sessions; say that as expected, or ask for a dryRun first"
            raise Refused(HTTPStatus.PRECONDITION_FAILED, Code.USER_PRECONDITION, reason)
        return found

    async def pause(number: int) -> None:
        if number % AT_ONCE == 0:
            await deferLater(desk.instance.reactor, 0)

    async def end(request: Request[EndSessions]) -> ChangedSessions:
        body, broker = request.body, broker_of(desk)
        found = await select(body)
        entries = sum(len(each.queue) for each in found)
        if not body.dry_run:
            for number, each in enumerate(found, 1):
                await broker.end_session(request.asker, each, ended_by_administrator(), body.queue)
                await pause(number)
        return ChangedSessions(len(found), entries, 0 if body.dry_run else len(found))

    async def disconnect(request: Request[SomeSessions]) -> ChangedSessions:
        body, broker = request.body, broker_of(desk)
        found = await select(body)
        entries = sum(len(each.queue) for each in found)
        if not body.dry_run:
            for number, each in enumerate(found, 1):
                broker.control.disconnect(request.asker, each)
                await pause(number)
        return ChangedSessions(len(found), entries, 0 if body.dry_run else len(found))

    return [
        change_operation(
            desk,
            "endSessions",
            "POST",
            "/sessions/end",
            Right.OPERATOR,
            "End all sessions that a filter finds.",
            "sessions.end",
            EndSessions,
            ChangedSessions,
            end,
            cost=Cost.HEAVY,
            target=_target,
        ),
        change_operation(
            desk,
            "disconnectSessions",
            "POST",
            "/sessions/disconnect",
            Right.OPERATOR,
            "Close the connections of all sessions that a filter finds.",
            "sessions.disconnect",
            SomeSessions,
            ChangedSessions,
            disconnect,
            cost=Cost.HEAVY,
            target=_target,
        ),
    ]


def _target(request: Request[B]) -> str:
    return "sessions"


def _known(given: dict[str, str], names: Collection[str]) -> list[tuple[str, str]]:
    if not given:
        raise wrong_member("/filter", "it names at least one parameter of GET /sessions")
    for name in given:
        if name not in names:
            raise wrong_member(f"/filter/{name[:200]}", f"it is one of {', '.join(names)}")
    return list(given.items())


def _predicate(read: Callable[[str], Predicate[Session]], text: str, name: str) -> Predicate[Session]:
    try:
        return read(text)
    except ValueError as error:
        raise wrong_member(f"/filter/{name}", str(error)) from error
