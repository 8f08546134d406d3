"""Lists of many objects: filtered, sorted and cut here, page by page.

A page goes on behind the last row of the page before it, whatever has come and gone meanwhile, so that each page costs
what the first one costs. Rows are made for the page only.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from twisted.logger import Logger

from broker.admin.scan import scan
from broker.errors import BrokerError
from broker.model.base64_text import bytes_or_none

T = TypeVar("T")
log = Logger()

SortValue = int | float | str
DEADLINE = 10.0
"""Seconds after which a list is cut to what was found."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class Sort(Generic[T]):
    """A field that a list can be sorted by.

    Args:
        of: the value of an object, a text or a number for all alike.
        is_text: which of these.
    """

    of: Callable[[T], SortValue]
    is_text: bool = False


Predicate = Callable[[T], bool]


@dataclass(frozen=True, slots=True)
class Filter(Generic[T]):
    """A parameter that says which objects are wanted.

    Args:
        read: makes a predicate of its text; raises ``ValueError`` with the reason where it cannot be one.
        schema: of the text (JSON Schema).
    """

    read: Callable[[str], Predicate[T]]
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Collection(Generic[T]):
    """What can be listed.

    Args:
        objects: all of them now, out of lists that nobody changes.
        id_of: the id of one, which no other has.
        row_type: what is told of one.
        row: makes it.
        sorts: fields that it can be sorted by.
        default_sort: one of them, with ``-`` in front for the largest first.
        filters: by the name of their parameter.
    """

    objects: Callable[[], Iterable[T]]
    id_of: Callable[[T], str]
    row_type: type[msgspec.Struct]
    row: Callable[[T], msgspec.Struct]
    sorts: Mapping[str, Sort[T]]
    default_sort: str
    filters: Mapping[str, Filter[T]]


@dataclass(frozen=True, slots=True)
class Wanted(Generic[T]):
    """What of a collection is wanted.

    Args:
        limit: most rows.
        sort: name of the field.
        descending: the largest first.
        predicates: that all hold.
        fingerprint: of the filters.
        after: value and id of the last row of the page before; ``None`` for the first page.
    """

    limit: int
    sort: str
    descending: bool = False
    predicates: Sequence[Predicate[T]] = ()
    fingerprint: str = ""
    after: tuple[SortValue, str] | None = None


class PageInfo(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """About a page.

    Args:
        matched: objects that match the filters, on all pages.
        scanned: objects that were looked at.
        complete: all of them; else the time was over.
        took_milliseconds: until the page was made.
        next: cursor of the next page; absent on the last one.
    """

    matched: int
    scanned: int
    complete: bool
    took_milliseconds: int
    next: str | None = None


class BrokenRow(msgspec.Struct, frozen=True):
    """In the place of a row that cannot be made.

    Args:
        id: of the object.
        error: what is wrong; the log has more.
    """

    id: str
    error: str


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a list.

    Args:
        items: rows.
        page: about them.
        as_of: when they were made.
    """

    items: list[msgspec.Struct]
    page: PageInfo
    as_of: str


@dataclass(slots=True)
class _Search(Generic[T]):
    """Keeps the first objects behind a place, of those that match."""

    collection: Collection[T]
    wanted: Wanted[T]
    deadline: float
    matched: int = 0
    scanned: int = 0
    complete: bool = True
    found: list[tuple[SortValue, str, T]] = field(default_factory=list)
    bound: tuple[SortValue, str] | None = None

    def look(self, each: T) -> None:
        """See whether an object is on the page."""
        if not self.complete:
            return
        self.scanned += 1
        if self.scanned % 1024 == 0 and time.monotonic() >= self.deadline:
            self.complete = False
        wanted = self.wanted
        if not all(predicate(each) for predicate in wanted.predicates):
            return
        self.matched += 1
        value, id = self.collection.sorts[wanted.sort].of(each), self.collection.id_of(each)
        place = value, id
        if wanted.after is not None and not self._is_before(wanted.after, place):
            return
        if self.bound is not None and not self._is_before(place, self.bound):
            return
        self.found.append((value, id, each))
        if len(self.found) >= 4 * (wanted.limit + 1):
            self.trim()

    def trim(self) -> None:
        """Keep one more than are wanted: so it is known whether there is a next page."""
        self.found.sort(key=lambda each: each[1])
        self.found.sort(key=lambda each: each[0], reverse=self.wanted.descending)
        del self.found[self.wanted.limit + 1 :]
        if len(self.found) > self.wanted.limit:
            value, id, _ = self.found[-1]
            self.bound = value, id

    def _is_before(self, one: tuple[SortValue, str], other: tuple[SortValue, str]) -> bool:
        value: Any = one[0]
        if value == other[0]:
            return one[1] < other[1]
        return bool(value > other[0]) if self.wanted.descending else bool(value < other[0])


async def make_page(collection: Collection[T], wanted: Wanted[T], reactor: Any, as_of: Callable[[], str]) -> Page:
    """Make a page, in slices.

    Args:
        collection: that it is of.
        wanted: what of it.
        reactor: gives others their turn.
        as_of: tells the time when the rows are made.
    """
    began = time.monotonic()
    search = _Search(collection, wanted, began + DEADLINE)
    await scan(collection.objects(), search.look, reactor)
    search.trim()
    page, more = search.found[: wanted.limit], len(search.found) > wanted.limit
    info = PageInfo(
        matched=search.matched,
        scanned=search.scanned,
        complete=search.complete,
        took_milliseconds=round((time.monotonic() - began) * 1000),
        next=_cursor(wanted, page[-1][:2]) if more else None,
    )
    return Page([_row(collection, id, each) for _, id, each in page], info, as_of())


def _row(collection: Collection[T], id: str, each: T) -> msgspec.Struct:
    try:
        return collection.row(each)
    except Exception as error:  # noqa: BLE001 - it is logged, and one odd object must not hide all others
        log.failure("the row of {id} cannot be made", id=id)
        return BrokenRow(id, error.message if isinstance(error, BrokerError) else "it cannot be told")


# Cursors


def _cursor(wanted: Wanted[T], last: tuple[SortValue, str]) -> str:
    content = (VERSION, _direction(wanted.sort, wanted.descending), wanted.fingerprint, *last)
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()


def read_cursor(text: str, sort: str, descending: bool, fingerprint: str, *, is_text: bool) -> tuple[SortValue, str]:
    """Where the page before has ended.

    Args:
        text: as that page has given it.
        sort: field that this one is sorted by.
        descending: as of that one.
        fingerprint: of the filters of this one.
        is_text: the field is a text.

    Raises:
        ValueError: it is none, or of another list.
    """
    raw = bytes_or_none(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
    if raw is None:
        raise ValueError("it is no cursor")
    try:
        content = msgspec.json.decode(raw, type=tuple[int, str, str, SortValue, str])
    except (ValueError, msgspec.DecodeError) as error:
        raise ValueError("it is no cursor") from error
    version, direction, filters, value, id = content
    if (version, direction, filters) != (VERSION, _direction(sort, descending), fingerprint):
        raise ValueError("it is of a list with another order or other filters")
    if isinstance(value, str) != is_text:
        raise ValueError("it is no cursor")
    return value, id


def fingerprint(filters: Mapping[str, str]) -> str:
    """What tells filters apart.

    Args:
        filters: texts by the names of parameters.
    """
    return hashlib.sha256(msgspec.json.encode(sorted(filters.items()))).hexdigest()[:16]


def _direction(sort: str, descending: bool) -> str:
    return f"-{sort}" if descending else sort
