"""``broker top``, without its terminal."""

from __future__ import annotations

from typing import Any

import pytest

from broker.cli.ops.top import look
from broker.cli.ops.top_samples import Sample, busiest, lag_between, rate_between, read_lag
from broker.cli.ops.top_screen import ESCAPE, Screen, Wish
from broker.cli.transport import Reply
from tests.cli.ops.desk import CommandDesk

OVERVIEW = {
    "node": "heron",
    "version": "0.2",
    "runLevel": {"level": 9, "name": "RUNNING"},
    "ready": True,
    "connections": {"open": 2, "notLoggedIn": 0},
}
WAITING = [
    {"code": "receiverAway", "detail": "connection lost", "whatToDo": "wait", "since": "2026-11-30T03:12:07.114Z"}
]


def overview(published: int) -> dict[str, Any]:
    return {**OVERVIEW, "messages": {"published": published, "delivered": 0, "dead": 0}}


def queue(owner: str, entries: int) -> dict[str, Any]:
    return {
        "relating": "callback",
        "owner": owner,
        "entries": entries,
        "bytes": 1000,
        "fillRatio": 0.5,
        "waiting": WAITING,
    }


def session(name: str, updates: int) -> dict[str, Any]:
    counters = {"publish": 0, "update": updates}
    return {"name": name, "state": "attached", "counters": counters, "queue": {"entries": 0}, "idleSeconds": 1.0}


def filled_screen() -> Screen:
    screen = Screen()
    queues = (queue("joe~1", 12), queue("ann~1", 3))
    screen.take(Sample(0.0, overview(100), queues, (session("joe/1", 5), session("ann/1", 5))))
    screen.take(Sample(2.0, overview(700), queues, (session("joe/1", 5), session("ann/1", 25))))
    return screen


def text(screen: Screen, width: int = 160, height: int = 40) -> str:
    return "\n".join(screen.lines(width, height))


def test_rates_are_what_numbers_grew_by_between_two_looks() -> None:
    before, now = Sample(0.0, overview(100)), Sample(2.0, overview(700))
    assert rate_between(before, now, "messages.published") == 300
    assert rate_between(None, now, "messages.published") is None


def test_broker_that_was_started_anew_has_no_rate() -> None:
    assert rate_between(Sample(0.0, overview(100)), Sample(2.0, overview(5)), "messages.published") is None


def test_busiest_sessions_come_first_whatever_they_did_before() -> None:
    before = Sample(0.0, OVERVIEW, (), (session("old/1", 9000), session("new/1", 0)))
    now = Sample(2.0, OVERVIEW, (), (session("old/1", 9000), session("new/1", 10), {"id": "odd", "error": "x"}))
    assert [(rate, row["name"]) for rate, row in busiest(before, now)] == [(5, "new/1"), (0, "old/1")]


def test_lag_is_that_of_the_calls_since_the_last_look() -> None:
    exposition = "\n".join(
        f'broker_reactor_lag_seconds_bucket{{le="{bound}"}} {count}'
        for bound, count in (("0.01", 200), ("0.1", 202), ("+Inf", 202))
    )
    now = read_lag(exposition)
    assert now[float("inf")] == 202
    assert lag_between({0.01: 100, 0.1: 100, float("inf"): 100}, now) == 0.1
    assert lag_between(now, now) is None


def test_screen_has_rates_queues_and_sessions() -> None:
    shown = text(filled_screen())
    assert "heron: ready, run level 9 (RUNNING), version 0.2" in shown
    assert "published 300.0/s" in shown
    assert shown.index("callback/joe~1") < shown.index("ann/1 ") < shown.index("joe/1 ")
    assert "receiverAway" in shown


@pytest.mark.parametrize(("width", "height"), [(80, 24), (20, 5), (1, 1), (300, 100)])
def test_screen_is_never_larger_than_the_terminal(width: int, height: int) -> None:
    lines = filled_screen().lines(width, height)
    assert len(lines) <= height
    for line in lines:
        plain = line
        for code in ("\x1b[1m", "\x1b[7m", "\x1b[31m", "\x1b[0m"):
            plain = plain.replace(code, "")
        assert len(plain) <= width


def test_names_of_others_do_nothing_to_the_terminal() -> None:
    screen = Screen()
    screen.take(Sample(0.0, overview(1), (queue("a\x1b[2J", 1),), (session("b\x9b/1", 1),)))
    shown = text(screen)
    assert r"a\x1b[2J" in shown
    assert r"b\x9b/1" in shown
    screen.press("\n")
    assert r"callback/a\x1b[2J: 1 waiting" in text(screen)


def test_enter_tells_everything_of_the_row_that_arrows_chose() -> None:
    screen = filled_screen()
    text(screen)
    screen.press("\x1b[B")
    screen.press("\r")
    assert "callback/ann~1: 3 waiting" in text(screen)
    assert "What to do: wait" in text(screen)
    assert screen.press("q") is Wish.NOTHING
    assert "callback/joe~1" in text(screen)


def test_filter_is_typed_and_shows_what_has_it_in_its_name() -> None:
    screen = filled_screen()
    for key in ("f", "x", "\x7f", "A", "n"):
        assert screen.press(key) is Wish.NOTHING
    assert "filter: An_" in text(screen)
    assert screen.press("\r") is Wish.LOOK
    assert "joe" not in text(screen)
    screen.press("f")
    screen.press(ESCAPE)
    assert (screen.filter, screen.typed) == ("An", None)


def test_queues_are_sorted_by_another_field_with_each_s() -> None:
    screen = filled_screen()
    assert [(screen.press("s"), screen.sort) for _ in range(3)] == [
        (Wish.LOOK, "-bytes"),
        (Wish.LOOK, "-fillRatio"),
        (Wish.LOOK, "-entries"),
    ]


def test_q_ends_it_and_p_pauses_it() -> None:
    screen = filled_screen()
    screen.press("p")
    assert (screen.paused, "PAUSED" in text(screen)) == (True, True)
    assert screen.press("q") is Wish.QUIT


def test_look_asks_for_what_is_shown(desk: CommandDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.world.client("joe")
    exposition = Reply(200, "text/plain", {}, b'broker_reactor_lag_seconds_bucket{le="+Inf"} 3.0\n')
    ask = desk.ask

    def ask_or_expose(method: str, target: str) -> Reply:
        return exposition if target == "/metrics" else ask(method, target)

    monkeypatch.setattr(desk, "ask", ask_or_expose)
    sample = look(desk, Screen(sort="-bytes", filter="jo"))  # type: ignore[arg-type]
    assert [row["name"] for row in sample.sessions] == ["joe/-1"]
    assert "/api/v1/queues?limit=200&q=jo&sort=-bytes&minEntries=1" in [target for _, target, _ in desk.asked]
    assert sample.lag == {float("inf"): 3}


def test_look_at_a_broker_that_comes_up_asks_for_the_overview_only(desk: CommandDesk) -> None:
    desk.run_level(3)
    sample = look(desk, Screen())  # type: ignore[arg-type]
    assert (sample.queues, [target for _, target, _ in desk.asked]) == ((), ["/api/v1/overview"])


def test_without_a_terminal_it_is_wrong_usage(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("top")[0] == 2
    assert "broker status --watch" in capsys.readouterr().err
