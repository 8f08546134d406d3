"""Lists, page by page."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from broker.admin.listing import BrokenRow, Collection, Page, Sort, Wanted, fingerprint, make_page, read_cursor
from tests.system.sizes import size

MANY = size(5_000, 100_000)
"""Things of which deep pages are asked for."""
LIMIT = 100
LONGEST_TURN = 0.010


class Thing(msgspec.Struct):
    """Something to list."""

    name: str
    size: int


class Row(msgspec.Struct):
    """What is told of it."""

    name: str


def collection(
    things: list[Thing], row: Callable[[Thing], msgspec.Struct] = lambda thing: Row(thing.name)
) -> Collection[Thing]:
    return Collection(
        objects=lambda: list(things),
        id_of=lambda thing: thing.name,
        row_type=Row,
        row=row,
        sorts={"name": Sort(lambda thing: thing.name, is_text=True), "size": Sort(lambda thing: thing.size)},
        default_sort="name",
        filters={},
    )


def page(listed: Collection[Thing], wanted: Wanted[Thing]) -> Page:
    clock = Clock()
    pages: list[Page] = []
    making = Deferred.fromCoroutine(make_page(listed, wanted, clock, lambda: "now"))
    making.addCallback(pages.append)
    while not pages:
        clock.advance(0)
    return pages[0]


def many_things() -> list[Thing]:
    """As many as a large broker has sessions, in no order."""
    listed = [Thing(f"user{number}/1", number) for number in range(MANY)]
    random.Random(7).shuffle(listed)
    return listed


class SingleSteps(Clock):
    """A reactor that makes one call in a turn, where the clock of Twisted makes all that are due."""

    def turn(self) -> None:
        """Make the next call."""
        call = self.calls.pop(0)
        call.called = 1
        call.func(*call.args, **call.kw)


def turns_of(listed: Collection[Thing], wanted: Wanted[Thing]) -> list[float]:
    """Seconds of the processor that each turn of the reactor took until the page was there."""
    reactor = SingleSteps()
    began = time.process_time()
    making = Deferred.fromCoroutine(make_page(listed, wanted, reactor, lambda: "now"))
    turns = [time.process_time() - began]
    while reactor.calls:
        began = time.process_time()
        reactor.turn()
        turns.append(time.process_time() - began)
    assert len(cast(Page, making.result).items) == wanted.limit
    return turns


def names(found: Page) -> list[str]:
    return [cast(Any, row).name for row in found.items]


def pages(
    things: list[Thing], limit: int, sort: str, descending: bool, between: Callable[[], None] = lambda: None
) -> list[list[str]]:
    """All pages, one after the other."""
    listed, after = collection(things), None
    found: list[list[str]] = []
    while True:
        one = page(listed, Wanted(limit, sort, descending, after=after))
        found.append(names(one))
        if one.page.next is None:
            return found
        is_text = listed.sorts[sort].is_text
        after = read_cursor(one.page.next, sort, descending, "", is_text=is_text)
        between()


things = st.lists(
    st.builds(Thing, st.text(max_size=4), st.integers(0, 5)), unique_by=lambda thing: thing.name, max_size=40
)
sorts = st.sampled_from(["name", "size"])


@given(things, st.integers(1, 12), sorts, st.booleans())
def test_pages_are_the_sorted_list_cut_and_none_is_empty(
    listed: list[Thing], limit: int, sort: str, descending: bool
) -> None:
    expected = sorted(listed, key=lambda thing: thing.name)
    expected.sort(key=lambda thing: getattr(thing, sort), reverse=descending)

    found = pages(listed, limit, sort, descending)

    assert [name for each in found for name in each] == [thing.name for thing in expected]
    assert len(found) == max(1, -(-len(listed) // limit))


@given(things, things, st.integers(1, 5), sorts, st.booleans(), st.randoms(use_true_random=False))
def test_object_that_stays_is_met_once_while_others_come_and_go(
    staying: list[Thing], passing: list[Thing], limit: int, sort: str, descending: bool, random: Any
) -> None:
    kept = {thing.name for thing in staying}
    others = [thing for thing in passing if thing.name not in kept]
    there = list(staying)

    def come_and_go() -> None:
        there[:] = staying + [thing for thing in others if random.random() < 0.5]
        random.shuffle(there)

    come_and_go()
    found = [name for each in pages(there, limit, sort, descending, come_and_go) for name in each]

    assert sorted(name for name in found if name in kept) == sorted(kept)


def test_matches_of_all_pages_are_counted() -> None:
    listed = [Thing(str(number), number) for number in range(30)]
    wanted: Wanted[Thing] = Wanted(5, "size", predicates=[lambda thing: thing.size >= 10])

    info = page(collection(listed), wanted).page

    assert (info.matched, info.scanned, info.complete) == (20, 30, True)


def test_rows_are_made_for_the_page_only() -> None:
    made: list[str] = []

    def row(thing: Thing) -> Row:
        made.append(thing.name)
        return Row(thing.name)

    page(collection([Thing(str(number), number) for number in range(100)], row), Wanted(3, "size"))

    assert made == ["0", "1", "2"]


@pytest.mark.parametrize("descending", [False, True])
def test_deep_page_costs_little_more_than_the_first(descending: bool) -> None:
    listed = collection(many_things())
    last = LIMIT if descending else MANY - LIMIT - 1
    costs: dict[int | None, list[float]] = {None: [], MANY // 2: [], last: []}
    for _ in range(5):  # the least of them is what the work costs, without what the machine does beside it
        for place, found in costs.items():
            after = None if place is None else (place, f"user{place}/1")
            found.append(sum(turns_of(listed, Wanted(LIMIT, "size", descending, after=after))))

    least = {place: min(found) for place, found in costs.items()}
    assert max(least.values()) <= 1.5 * least[None]


def test_no_turn_is_long_while_a_page_of_many_is_made() -> None:
    turns = turns_of(collection(many_things()), Wanted(LIMIT, "size", descending=True))

    assert len(turns) > 1
    assert max(turns) <= LONGEST_TURN


def test_row_that_cannot_be_made_hides_no_other() -> None:
    def row(thing: Thing) -> Row:
        if thing.size == 1:
            raise ZeroDivisionError
        return Row(thing.name)

    with capturedLogs() as events:
        found = page(collection([Thing(str(number), number) for number in range(3)], row), Wanted(3, "size"))

    assert found.items == [Row("0"), BrokenRow("1", "it cannot be told"), Row("2")]
    assert [event["log_format"] for event in events] == ["the row of {id} cannot be made"]


def test_cursor_of_another_list_is_refused() -> None:
    listed = [Thing(str(number), number) for number in range(5)]
    cursor = page(collection(listed), Wanted(2, "size", fingerprint=fingerprint({"q": "x"}))).page.next
    assert cursor is not None
    for sort, descending, filters in (("name", False, {"q": "x"}), ("size", True, {"q": "x"}), ("size", False, {})):
        with pytest.raises(ValueError, match="another order or other filters"):
            read_cursor(cursor, sort, descending, fingerprint(filters), is_text=sort == "name")


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no cursor|another order"):
        read_cursor(text, "size", False, "", is_text=False)


def test_cursor_whose_value_is_of_another_kind_is_refused() -> None:
    cursor = page(collection([Thing("a", 1), Thing("b", 2)]), Wanted(1, "name")).page.next
    assert cursor is not None
    with pytest.raises(ValueError, match="it is no cursor"):
        read_cursor(cursor, "name", False, "", is_text=False)
