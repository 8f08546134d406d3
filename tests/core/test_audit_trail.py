"""What was done in administration is written down."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from twisted.logger import capturedLogs

from broker.core.asker import Asker
from broker.core.audit_trail import COMMIT_SECONDS, Change, Outcome
from broker.errors import BrokerError, Code
from broker.model.records import AuditQuery, AuditRecord
from tests.core.world import DEFAULTS, World
from tests.logs.audit_lines import audit_lines

BOSS = Asker("boss", "administrator", "session", "192.0.2.7", "r-1")
FULL = BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full")


def rows(world: World) -> list[AuditRecord]:
    return world.run(world.store.read_audit(AuditQuery()))


def outcomes(world: World) -> list[tuple[str, str]]:
    return [(row.outcome, row.code) for row in rows(world)]


async def make(world: World, effect: Any = lambda: None, *, always: bool = False) -> None:
    change = Change(BOSS, "session.end", "joe/1", '{"queue":"dead"}', "it hangs")
    async with world.node.trail.change(change, always=always):
        effect()


def failing(work: Coroutine[Any, Any, None], world: World) -> BrokerError:
    with pytest.raises(BrokerError) as raised:
        world.run(work)
    return raised.value


def test_change_leaves_one_row_and_one_line() -> None:
    world = World()
    with capturedLogs() as logged:
        world.run(make(world))
    (row,) = rows(world)
    assert row[2:] == (
        "boss",
        "administrator",
        "session",
        "192.0.2.7",
        "session.end",
        "joe/1",
        '{"queue":"dead"}',
        "it hangs",
        "done",
        "",
        "r-1",
    )
    assert row.at == 1_000_000_000
    (line,) = audit_lines(logged)
    assert line.startswith("session.end principal=boss via=session peer=192.0.2.7 target=joe/1 ")
    assert line.endswith(" role=administrator request=r-1 why='it hangs' outcome=done")


def test_row_is_on_disk_before_the_change_is_made() -> None:
    world = World()
    seen: list[list[str]] = []
    world.run(make(world, lambda: seen.append([row.outcome for row in world.store.tables.audit.values()])))
    assert seen == [["begun"]]


def test_change_that_fails_has_a_row_that_says_so() -> None:
    world = World()

    def effect() -> None:
        raise BrokerError(Code.USER_OID_UNKNOWN, "there is no session joe/1")

    assert failing(make(world, effect), world).code == Code.USER_OID_UNKNOWN
    assert outcomes(world) == [("failed", "user.oid.unknown")]


def test_change_that_the_broker_dies_in_is_there_as_begun() -> None:
    world = World()

    def die() -> None:
        world.store.held = True

    world.start(make(world, die))
    world.turn()
    assert outcomes(world.crash(committed=False)) == [("begun", "")]


def test_change_is_refused_while_the_store_fails() -> None:
    world = World()
    world.store.fail(FULL)
    made: list[bool] = []
    assert failing(make(world, lambda: made.append(True)), world).code == Code.RESOURCE_DB_UNAVAILABLE
    assert (made, world.node.trail.failures) == ([], 1)


def test_change_is_refused_where_its_row_is_not_on_disk_in_time() -> None:
    world = World()
    world.store.held = True
    made: list[bool] = []
    work = world.start(make(world, lambda: made.append(True)))
    errors: list[Any] = []
    work.addErrback(errors.append)
    world.advance(COMMIT_SECONDS)
    assert (made, [error.value.code for error in errors]) == ([], [Code.RESOURCE_DB_UNAVAILABLE])
    world.store.held = False
    assert outcomes(world) == [("refused", "resource.db.unavailable")]


def test_change_that_must_be_possible_is_made_while_the_store_fails() -> None:
    world = World()
    world.store.fail(FULL)
    made: list[bool] = []
    world.run(make(world, lambda: made.append(True), always=True))
    world.store.heal()
    assert (made, outcomes(world)) == ([True], [("done", "")])


def test_text_of_a_peer_is_kept_so_that_every_database_takes_it() -> None:
    world = World()
    world.node.trail.note(Change(Asker("jo\0e\udfff", via="http"), "login", "x" * 5000), Outcome.REFUSED)
    (row,) = rows(world)
    assert (row.principal, len(row.target)) == ("jo\\0e\\udfff", 2000)


@pytest.mark.parametrize(("days", "entries", "kept"), [(1, 1000, [2, 1]), (90, 2, [2, 1]), (90, 1000, [2, 1, 0])])
def test_rows_that_are_too_old_or_too_many_go(days: int, entries: int, kept: list[int]) -> None:
    world = World(replace(DEFAULTS, audit_days=days, audit_entries=entries))
    for number, wait in enumerate((86_400, 3600, 10)):
        world.node.trail.note(Change(BOSS, "do", str(number)))
        world.advance(wait)
    world.node.trail.stop()
    world.node.trail.start()
    world.turn()
    assert [row.target for row in rows(world)] == [str(each) for each in kept]


def test_block_and_limit_of_a_login_name_outlive_a_restart() -> None:
    world = World()
    control, joe = world.broker.control, world.node.subject("joe")
    control.block(BOSS, joe, True)
    control.limit_sessions(BOSS, joe, 3)
    again = world.crash()
    found = again.node.subjects["joe"]
    assert (found.blocked_at, found.session_limit, found.max_sessions) == (joe.blocked_at, 3, 3)

    again.broker.control.block(BOSS, found, False)
    again.broker.control.limit_sessions(BOSS, found, 0)

    assert "joe" not in again.node.subjects
    assert "joe" not in again.crash().node.subjects


def test_block_ends_with_the_account() -> None:
    world = World()
    joe = world.node.subject("joe")
    world.broker.control.block(BOSS, joe, True)
    world.run(world.broker.account_changes.remove("joe"))
    assert "joe" not in world.node.subjects
