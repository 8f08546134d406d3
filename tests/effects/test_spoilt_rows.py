"""Any column of any row may hold anything: the broker starts, the row is kept and named, all else is as before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.store.sql.schema import metadata
from tests.admin.office import BOSS, Office
from tests.contract.stages import SqlStage
from tests.effects.spoiling import PERSISTENT, Copies, asked, filled_copies, resumed, start, stop
from tests.xmpp.world import World

Streams = dict[str, tuple[str, int]]
QUEUES_OF_JOE = "(SELECT id FROM session WHERE subject = 'joe')"
QUEUES_OF_MARY = "(SELECT id FROM session WHERE subject = 'mary')"
ROWS = {
    "a subject": ("subject", "name = 'joe_away'"),
    "a native session": ("session", "subject = 'joe' AND kind = 'native'"),
    "a stream": ("session", "subject = 'mary'"),
    "a subscription": ("subscription", f"session_id IN {QUEUES_OF_JOE}"),
    "a topic": ("topic", "oid = 'a'"),
    "a node": ("topic", "oid = 'news'"),
    "a message": ("message", "oid = 'a'"),
    "a stanza": (
        "message",
        f"oid = '__xmpp' AND id IN (SELECT message_id FROM entry WHERE queue_id IN {QUEUES_OF_MARY})",
    ),
    "an item": ("message", "oid = 'news'"),
    "an entry of a session": ("entry", f"queue_id IN {QUEUES_OF_JOE}"),
    "an entry of a stream": ("entry", f"queue_id IN {QUEUES_OF_MARY}"),
    "an entry of a history": ("entry", "queue_id IN (SELECT id FROM topic WHERE oid = 'a')"),
    "a counter": ("handled", f"session_id IN {QUEUES_OF_MARY}"),
    "an account": ("account", "name = 'joe'"),
    **{
        f"a document of {kind}": ("document", f"owner = 'mary' AND kind = 'xmpp.{kind}'{only}")
        for kind, only in (
            ("roster", " AND name = 'mary.friend@localhost'"),  # one of two
            ("private", ""),
            ("vcard", ""),
            ("blocked", ""),
            ("last", ""),
        )
    },
    "a number": ("meta", "name = 'last_id'"),
    "the heartbeat": ("meta", "name = 'heartbeat'"),
    "the number of the commit": ("meta", "name = 'commit_number'"),
}
CASES = [(row, column.name) for row, (table, _) in ROWS.items() for column in metadata.tables[table].columns]
TYPICAL: list[Any] = ["garbage", b"<qos><", 2**63 - 1]
ODD: list[Any] = [None, b"\xff\xfe\x00<qos", 2.5, "9e999", "²", "", b"", "</stream:stream>", b'{"a', 0, -1, -(2**63)]
LARGEST = 2**31
"""A size that an entry may have, and with which its queue is full."""
ODD += [b"[" * 99_999, '{"a": ', LARGEST]
SLOW = 300
"""Seconds for all examples of a row on a database server."""
EXAMPLES = int(os.environ.get("BROKER_TEST_RUNS", "6"))
DATABASES = ["sqlite", "postgresql"]
FOR_ANY_VALUE = DATABASES if "BROKER_TEST_RUNS" in os.environ else ["sqlite"]
"""PostgreSQL lets in few values that are not of a column's type: those are among the typical ones already."""


@pytest.fixture(scope="module", params=DATABASES)
def copies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    with filled_copies(request.param, tmp_path_factory.mktemp("filled")) as made:
        yield made


@pytest.fixture
def stage(copies: Copies) -> Iterator[SqlStage]:
    with copies.stage() as made:
        yield made


def others_are_as_before(world: World, streams: Streams) -> None:
    """What was not spoilt is there, and the broker serves."""
    assert world.client("ann/1", persistent=True).contents == [b"to ann"]
    assert world.client("new").get("b") == [b"to ann"]
    assert world.client("ann_away").contents == [b"for ann"]
    jack, bodies = resumed(world, "jack", streams["jack"])
    assert bodies == ["to jack"]
    answers = asked(jack, "other")
    assert b"jack.friend@localhost" in answers["roster"]
    assert b"mary@localhost" in answers["roster"]
    assert b"spam@jack.example" in answers["blocked"]
    for kind in ("private", "card", "items"):
        assert b"jack" in answers[kind]
    jack.send("<message to='mary@localhost' type='chat'><body>new</body></message>")
    assert not jack.closed


def victims_are_served(world: World, streams: Streams) -> None:
    """Whose row it was can log in, read what is left, and go on."""
    joe = world.client("joe/1", persistent=True)
    joe.subscribe("c", PERSISTENT)
    world.client("pub").publish("c", b"new", PERSISTENT)
    assert joe.contents[-1:] == [b"new"] or not joe.session.dispatch.active  # as it says in the row
    world.client("joe_away")
    world.client("new").get("a", "<qos><history numEntries='-1'/></qos>")
    mary, bodies = resumed(world, "mary", streams["mary"])
    assert bodies.count("new") == 1
    asked(mary, "news")
    assert not mary.closed


def serves(stage: SqlStage, streams: Streams) -> World:
    world = start(stage)
    others_are_as_before(world, streams)
    victims_are_served(world, streams)
    return world


def is_wrong(table: str, column: str, value: Any) -> bool:
    """Whether a column can hold no such value at all."""
    return not isinstance(value, metadata.tables[table].columns[column].type.python_type)


def check(row: str, column: str, values: list[Any], stage: Any, copies: Copies) -> int:
    """Write each value into a column of a row, and start a broker on it; returns how many the database has kept."""
    table, where = ROWS[row]
    kept = 0
    for value in values:
        copies.renew(stage)
        given = copies.as_stored(metadata.tables[table].columns[column], value)
        try:
            changed = stage.edit(f'UPDATE {table} SET "{column}" = ? WHERE {where} RETURNING "{column}"', given)
        except copies.refusal:  # a key of this kind, one that is there already, or no value of that column
            continue
        kept += 1
        (spoilt,) = changed[0]
        world = serves(stage, copies.streams)
        found = world.node.set_aside.records
        told = Office(BOSS, world)
        assert told.get(told.client("boss"), "?setAside") == "\n".join(map(str, found))
        if is_wrong(table, column, spoilt) and row != "the number of the commit":  # which is written anew at once
            assert found, f"{spoilt!r} is in the store and nobody is told"
        stop(stage, world)
        if table != "meta" and any(each.kind == table for each in found):
            assert stage.edit(f'SELECT 1 FROM {table} WHERE "{column}" IS NOT DISTINCT FROM ?', spoilt), (
                "it is not kept"
            )
        again = start(stage)  # on what the first start has made of it
        assert again.client("new").get("b") == [b"to ann"]
        stop(stage, again)
    copies.renew(stage)
    stage.store = stage.make()
    stage.run(stage.store.open())
    return kept


@pytest.mark.parametrize(("row", "column"), CASES)
def test_a_spoilt_row_costs_itself_at_most(row: str, column: str, stage: SqlStage, copies: Copies) -> None:
    numeric = metadata.tables[ROWS[row][0]].columns[column].type.python_type is int
    assert check(row, column, ["garbage", -7] if numeric else [b"<qos><"], stage, copies)


@pytest.mark.slow
@pytest.mark.timeout(SLOW)
@pytest.mark.parametrize("copies", FOR_ANY_VALUE, indirect=True)
@pytest.mark.parametrize("row", ROWS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_odd_value_costs_its_row_at_most(row: str, stage: SqlStage, copies: Copies, data: st.DataObject) -> None:
    column = data.draw(st.sampled_from([name for each, name in CASES if each == row]))
    value = data.draw(st.sampled_from([each for each in TYPICAL + ODD if (column, each) != ("size", LARGEST)]))
    check(row, column, [value], stage, copies)
