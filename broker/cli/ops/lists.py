"""Commands that list and count the objects of a broker."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from broker.cli.exit_status import DONE, DONE_IN_PART
from broker.cli.ops.address import administration_of
from broker.cli.ops.document import installed_document
from broker.cli.ops.objects import path_of
from broker.cli.ops.parameters import query_of
from broker.cli.ops.problems import succeeded
from broker.cli.ops.tables import is_terminal, write_lines, write_table
from broker.cli.ops.verb import Verb
from broker.cli.ops.watching import watched
from broker.cli.terminal import advise, complain, say, say_json
from broker.cli.transport import Administration
from broker.errors import BrokerError, Code

PAGE = 1000
"""Rows of a page, the most that the API gives."""
OF_A_SCREEN = 100
"""Rows that a terminal is shown unless more are asked for."""

Row = Mapping[str, Any]


class Pages:
    """The rows of a list, page after page.

    Args:
        administration: of the broker.
        verb: the command that lists.
        path: parameters of the path.
        query: parameters of it.
        limit: most rows; ``None`` for all.

    Attributes:
        page: what the last page says of itself.
    """

    def __init__(
        self,
        administration: Administration,
        verb: Verb,
        path: Mapping[str, str],
        query: Mapping[str, str],
        limit: int | None,
    ) -> None:
        self.page: Mapping[str, Any] = {}
        self._administration = administration
        self._operation = installed_document().operation(verb.operation, verb.rows)
        self._rows_name = verb.rows
        self._path = path
        self._query = query
        self._limit = limit

    def __iter__(self) -> Iterator[Row]:
        return itertools.islice(self._rows(), self._limit)

    def _rows(self) -> Iterator[Row]:
        size = PAGE if self._limit is None else min(PAGE, self._limit)
        paged = "limit" in [each.name for each in self._operation.query]
        query = {**self._query, **({"limit": str(size)} if paged else {})}
        while True:
            target = self._operation.target(self._path, query)
            answer = succeeded(self._administration.ask(self._operation.method, target)).read_object()
            items, page = answer.get(self._rows_name), answer.get("page", {})
            if not isinstance(items, list) or not isinstance(page, dict):
                raise BrokerError(Code.COMMUNICATION, "the answer is no page of a list")
            self.page = page
            yield from items
            if "next" not in page:
                return
            query["cursor"] = page["next"]


def list_rows(options: argparse.Namespace, verb: Verb) -> int:
    """List them."""
    return watched(options.watch, lambda: _list_once(options, verb))


def count_rows(options: argparse.Namespace, verb: Verb) -> int:
    """Count them."""

    def once() -> int:
        pages = Pages(administration_of(options), verb, path_of(verb.argument, options), _query(options, verb), 1)
        for _ in pages:
            pass
        if options.json:
            say_json(pages.page)
        elif not options.quiet:
            say(str(pages.page.get("matched", "")))
        return _completeness(pages)

    return watched(options.watch, once)


def _query(options: argparse.Namespace, verb: Verb) -> dict[str, str]:
    return {**query_of(options), **{name: str(value) for name, value in verb.fixed}}


def _list_once(options: argparse.Namespace, verb: Verb) -> int:
    screen = is_terminal() and not options.json and not options.quiet
    limit = options.limit or (OF_A_SCREEN if screen else None)
    pages = Pages(administration_of(options), verb, path_of(verb.argument, options), _query(options, verb), limit)
    columns = options.columns or verb.columns
    broken = 0
    shown: list[Row] = []
    for row in pages:
        if options.json:
            say_json(row)
        elif "error" in row and "id" in row:
            broken += 1
            complain(f"{row['id']}: {row['error']}")
        elif screen:
            shown.append(row)
        else:
            write_lines(verb.columns[:1] if options.quiet else columns, [row])
    if screen:
        left_out = write_table(columns, shown)
        if left_out:
            advise(f"no room for {', '.join(left_out)}: --columns A,B chooses")
        if not shown and not broken:
            advise("there is none")
        more = pages.page.get("matched", 0) - len(shown) - broken
        if more > 0:
            advise(f"and {more} more: --limit N shows them, --search, filters and --sort choose")
    return DONE_IN_PART if broken else _completeness(pages)


def _completeness(pages: Pages) -> int:
    if pages.page.get("complete", True):
        return DONE
    complain("there are more: the broker stopped looking after its time for one list")
    return DONE_IN_PART
