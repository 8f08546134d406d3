"""Run levels start and stop plugins step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from broker.errors import BrokerError, Code
from broker.runlevels.plan import Plan
from broker.runlevels.service import Direction, RunLevels
from tests.runlevels.recording import Journal, Recorded, error_of, plan, planned, result, run

STOCK = plan(
    planned("P", (4, 20), (3, 50)),
    planned("S", (4, 10), (2, 6)),
    planned("T", (6, 5)),
    planned("E", (8, 4), (7, 4)),
)


@pytest.fixture
def journal() -> Journal:
    return Journal()


def at(level: int, journal: Journal, of: Plan = STOCK) -> RunLevels:
    run_levels = RunLevels(of, journal)
    result(run_levels.change(level))
    journal.take()
    return run_levels


def test_a_broker_begins_below_halted_and_runs_nothing(journal: Journal) -> None:
    run_levels = RunLevels(STOCK, journal)

    assert (run_levels.level, run_levels.name, run_levels.running) == (-1, "HALTED_PRE", ())


def test_plugins_start_by_level_and_sequence(journal: Journal) -> None:
    run_levels = RunLevels(STOCK, journal)

    result(run_levels.change(9))

    assert journal.take() == ["start S", "start P", "start T", "start E"]
    assert (run_levels.level, run_levels.name) == (9, "RUNNING")
    assert run_levels.running == ("S", "P", "T", "E")


def test_plugins_stop_by_level_and_sequence_those_without_stop_below_their_startup(journal: Journal) -> None:
    run_levels = at(9, journal)

    result(run_levels.change(0))

    assert journal.take() == ["stop E", "stop T", "stop P", "stop S"]
    assert (run_levels.level, run_levels.running) == (0, ())


def test_at_one_level_the_sequence_of_stop_counts_and_then_the_reverse_of_the_start(journal: Journal) -> None:
    run_levels = at(
        9,
        journal,
        plan(
            planned("a", (4, 1), (3, 9), position=0),
            planned("b", (4, 2), (3, 1), position=1),
            planned("c", (4, 3), (3, 9), position=2),
            planned("d", (4, 4), position=3),
        ),
    )

    result(run_levels.change(3))

    assert journal.take() == ["stop d", "stop b", "stop c", "stop a"]


def test_listeners_hear_each_step_before_its_plugins(journal: Journal) -> None:
    async def listener(level: int, name: str, direction: Direction) -> None:
        journal.events.append(f"{direction} {level} {name}")

    run_levels = RunLevels(STOCK, journal, [listener])
    result(run_levels.change(3))
    journal.take()

    result(run_levels.change(6))
    result(run_levels.change(3))

    assert journal.take() == [
        "up 4 STANDBY_POST",
        "start S",
        "start P",
        "up 5 CLEANUP_PRE",
        "up 6 CLEANUP",
        "start T",
        "down 5 CLEANUP_PRE",
        "stop T",
        "down 4 STANDBY_POST",
        "down 3 STANDBY",
        "stop P",
    ]


def test_down_and_up_again_starts_what_was_stopped(journal: Journal) -> None:
    run_levels = at(9, journal)

    result(run_levels.change(3))
    result(run_levels.change(9))
    assert journal.take() == ["stop E", "stop T", "stop P", "start P", "start T", "start E"]

    result(run_levels.change(0))
    result(run_levels.change(9))
    assert journal.take()[-4:] == ["start S", "start P", "start T", "start E"]


def test_each_start_makes_a_new_plugin(journal: Journal) -> None:
    run_levels = at(9, journal)
    first = run_levels.plugin("E")

    result(run_levels.change(6))
    assert run_levels.plugin("E") is None
    result(run_levels.change(9))

    assert run_levels.plugin("E") is not first


def test_a_plugin_that_stops_at_its_own_startup_level_comes_back_above_it(journal: Journal) -> None:
    run_levels = at(9, journal, plan(planned("T", (6, 5), (6, 5))))

    result(run_levels.change(6))
    result(run_levels.change(9))

    assert journal.take() == ["stop T", "start T"]


def test_a_plugin_whose_stop_was_not_reached_on_the_way_up_stops_at_the_first_step_down(journal: Journal) -> None:
    run_levels = at(6, journal, plan(planned("T", (6, 5), (8, 5))))

    result(run_levels.change(3))

    assert journal.take() == ["stop T"]


def test_a_change_to_the_same_level_does_nothing(journal: Journal) -> None:
    run_levels = at(9, journal)

    result(run_levels.change(9))

    assert journal.take() == []


@pytest.mark.parametrize("level", [-1, 1, 5, 10, 99])
def test_only_selectable_levels_can_be_asked_for(journal: Journal, level: int) -> None:
    error = error_of(run(at(9, journal).change(level)))

    assert error.code is Code.RESOURCE_CONFIGURATION
    assert error.message == f"run level {level} cannot be chosen, but 0, 3, 6, 9"


def test_ports_of_running_plugins_are_told(journal: Journal) -> None:
    run_levels = at(3, journal)
    assert run_levels.ports() == []

    result(run_levels.change(6))

    assert run_levels.ports() == [(name, "127.0.0.1", 7607) for name in ("S", "P", "T")]


def test_a_plugin_gets_its_context_id_and_own_copy_of_its_attributes(journal: Journal) -> None:
    config = planned("A", (4, 0))
    config.attributes["port"] = "1"

    plugin = at(9, journal, plan(config)).plugin("A")

    assert isinstance(plugin, Recorded)
    assert (plugin.journal, plugin.id, plugin.attributes) == (journal, "A", {"port": "1"})
    assert plugin.attributes is not config.attributes


def test_a_failed_plugin_without_a_code_is_logged_and_left_out(journal: Journal) -> None:
    journal.errors["start P"] = BrokerError(Code.RESOURCE_CONFIGURATION_ADDRESS, "port 7607 is taken")
    run_levels = RunLevels(STOCK, journal)

    with capturedLogs() as events:
        result(run_levels.change(9))

    assert run_levels.running == ("S", "T", "E")
    assert [formatEvent(event) for event in events if event["log_level"] is LogLevel.error] == [
        "p.xml:1: plugin P cannot be started: resource.configuration.address: port 7607 is taken; going on without it"
    ]


def test_a_failed_plugin_is_tried_again_when_its_level_is_reached_again(journal: Journal) -> None:
    journal.errors["start P"] = BrokerError(Code.RESOURCE_CONFIGURATION_ADDRESS, "port 7607 is taken")
    run_levels = at(9, journal)

    del journal.errors["start P"]
    result(run_levels.change(3))
    result(run_levels.change(9))

    assert "P" in run_levels.running


FAILING = plan(
    planned("a", (1, 0)),
    planned("b", (4, 1), (3, 1)),
    planned("c", (4, 2), (3, 2)),
    planned("d", (5, 0), on_fail=Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED),
    planned("e", (6, 0)),
)


def test_a_failed_plugin_with_a_code_ends_the_start_and_takes_everything_back_in_reverse(journal: Journal) -> None:
    journal.errors["start d"] = RuntimeError("no luck")
    run_levels = RunLevels(FAILING, journal)

    with capturedLogs():
        error = error_of(run(run_levels.change(9)))

    assert error.code is Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED
    assert error.message == "p.xml:1: plugin d cannot be started: RuntimeError('no luck')"
    assert journal.take() == ["start a", "start b", "start c", "start d", "stop c", "stop b", "stop a"]
    assert (run_levels.level, run_levels.running) == (-1, ())


def test_a_failed_change_goes_back_to_where_it_began(journal: Journal) -> None:
    run_levels = at(3, journal, FAILING)
    journal.errors["start d"] = RuntimeError("no luck")

    with capturedLogs():
        error_of(run(run_levels.change(9)))

    assert (run_levels.level, run_levels.running) == (3, ("a",))
    journal.take()

    journal.errors.clear()
    result(run_levels.change(9))
    assert journal.take() == ["start b", "start c", "start d", "start e"]


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no database"), Code.RESOURCE_DB_UNAVAILABLE),
        (KeyError("bug"), Code.INTERNAL_UNKNOWN),
    ],
)
def test_a_listener_that_fails_ends_the_start(journal: Journal, raised: Exception, code: Code) -> None:
    async def recovery(level: int, name: str, direction: Direction) -> None:
        journal.events.append(f"{direction} {level}")
        if level == 2 and direction is Direction.UP:
            raise raised

    run_levels = RunLevels(FAILING, journal)
    run_levels.add_listener(recovery)

    with capturedLogs():
        error = error_of(run(run_levels.change(9)))

    assert error.code is code
    assert journal.take() == ["up 0", "up 1", "start a", "up 2", "down 1", "down 0", "stop a", "down -1"]


def test_failures_on_the_way_down_are_logged_and_the_rest_is_stopped(journal: Journal) -> None:
    async def listener(level: int, name: str, direction: Direction) -> None:
        if direction is Direction.DOWN and level == 5:
            raise RuntimeError("listener")

    run_levels = RunLevels(STOCK, journal, [listener])
    result(run_levels.change(9))
    journal.take()
    journal.errors["stop P"] = RuntimeError("plugin")

    with capturedLogs() as events:
        result(run_levels.change(0))

    assert journal.take() == ["stop E", "stop T", "stop P", "stop S"]
    assert run_levels.running == ()
    assert [formatEvent(event) for event in events if event["log_level"] is LogLevel.critical] == [
        "a listener fails at run level 5 (CLEANUP_PRE)",
        "plugin P fails to stop",
    ]


def test_something_that_is_no_plugin_is_refused_before_it_starts(journal: Journal) -> None:
    def no_plugin(context: object, plugin_id: str, attributes: dict[str, str]) -> object:
        return object()

    run_levels = RunLevels(plan(planned("X", (4, 0), factory=no_plugin, on_fail=Code.RESOURCE_CONFIGURATION)), journal)

    with capturedLogs():
        error = error_of(run(run_levels.change(9)))

    assert error.code is Code.RESOURCE_CONFIGURATION
    assert "plugin X is no plugin" in error.message


def test_a_level_is_reached_when_all_of_it_is_started_and_left_before_any_of_it_is_stopped(journal: Journal) -> None:
    journal.waits = {"start T": Deferred(), "stop T": Deferred()}
    run_levels = RunLevels(STOCK, journal)

    up = run(run_levels.change(6))
    assert run_levels.level == 5
    journal.waits["start T"].callback(None)
    result(up)
    assert run_levels.level == 6

    down = run(run_levels.change(3))
    assert run_levels.level == 5
    journal.waits["stop T"].callback(None)
    result(down)
    assert run_levels.level == 3


def test_a_change_waits_for_the_one_before_it(journal: Journal) -> None:
    journal.waits["stop E"] = Deferred()
    run_levels = at(9, journal)

    down = run(run_levels.change(6))
    up = run(run_levels.change(9))
    assert run_levels.level == 7

    journal.waits["stop E"].callback(None)
    result(down)
    result(up)
    assert journal.take() == ["stop E", "start E"]
    assert run_levels.level == 9


def test_a_lower_level_that_is_asked_for_ends_a_change_upwards_at_its_next_step(journal: Journal) -> None:
    journal.waits["start P"] = Deferred()
    run_levels = RunLevels(STOCK, journal)

    up = run(run_levels.change(9))
    down = run(run_levels.change(0))
    journal.waits["start P"].callback(None)

    error = error_of(up)
    assert error.code is Code.RESOURCE_UNAVAILABLE
    assert error.message == (
        "the change to run level 9 (RUNNING) ended at 4 (STANDBY_POST), because 0 (HALTED) was asked for"
    )
    result(down)
    assert journal.take() == ["start S", "start P", "stop P", "stop S"]
    assert run_levels.level == 0


def test_a_higher_level_that_is_asked_for_does_not(journal: Journal) -> None:
    journal.waits["start P"] = Deferred()
    run_levels = RunLevels(STOCK, journal)

    first = run(run_levels.change(6))
    second = run(run_levels.change(9))
    journal.waits["start P"].callback(None)

    result(first)
    result(second)
    assert run_levels.level == 9


def test_each_level_is_one_line_in_the_log(journal: Journal) -> None:
    run_levels = at(3, journal)

    with capturedLogs() as events:
        result(run_levels.change(6))
        result(run_levels.change(3))

    assert [formatEvent(event) for event in events] == [
        "run level 4 (STANDBY_POST): started S, P",
        "run level 5 (CLEANUP_PRE)",
        "run level 6 (CLEANUP): started T",
        "run level 5 (CLEANUP_PRE): stopped T",
        "run level 4 (STANDBY_POST)",
        "run level 3 (STANDBY): stopped P",
    ]


def test_plugin_without_actions_is_never_made(journal: Journal) -> None:
    run_levels = at(9, journal, plan(planned("a", (4, 0), (0, 0)), planned("x", None)))

    assert run_levels.running == ("a",)
    result(run_levels.change(0))
    assert journal.take() == ["stop a"]


actions = st.tuples(st.integers(0, 9), st.integers(0, 3))


@given(
    st.lists(st.tuples(actions, st.none() | actions), max_size=6),
    st.lists(st.sampled_from([0, 3, 6, 9]), max_size=6),
)
def test_any_walk_starts_and_stops_each_plugin_in_turn(
    configured: list[tuple[tuple[int, int], tuple[int, int] | None]], walk: list[int]
) -> None:
    journal = Journal()
    plugins = [planned(f"p{index}", *both, position=index) for index, both in enumerate(configured)]
    run_levels = RunLevels(plan(*plugins), journal)

    for level in [9, *walk]:
        result(run_levels.change(level))
    result(run_levels.change(0))
    result(run_levels.change(9))

    for plugin in plugins:
        life = [event.split()[0] for event in journal.events if event.split()[1] == plugin.id]
        assert life == ["start", "stop"] * (len(life) // 2) + ["start"]
    assert set(run_levels.running) == {plugin.id for plugin in plugins}
