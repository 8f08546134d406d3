"""Lists, page by page."""

from __future__ import annotations

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
