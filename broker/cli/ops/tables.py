"""Rows as a table for people at a terminal, and as lines of values between tabs for everybody else."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from broker.cli.ops.values import exact, readable, value_at
from broker.cli.terminal import say, write

Row = Mapping[str, Any]
GAP = 2
"""Spaces between two columns."""


def is_terminal() -> bool:
    """Whether people look at standard output."""
    return sys.stdout.isatty()


def write_lines(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a line a row, with the values of the columns between tabs."""
    for row in rows:
        say("\t".join(exact(value_at(row, column)) for column in columns), keep="\t")


def write_table(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Write a table for people, with as many of the columns as the terminal has room for.

    Args:
        columns: the first of which is always shown.
        rows: of the table.

    Returns:
        The columns that are not shown.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[readable(column, value_at(row, column)) for column in columns] for row in rows]
    fitting = _fitting(columns, cells, shutil.get_terminal_size().columns)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for column in columns[:fitting]:
        table.add_column(column, justify=_justify(rows, column), overflow="ellipsis", no_wrap=True)
    for each in cells:
        table.add_row(*map(Text, each[:fitting]))
    write(_rendered(table))
    return list(columns[fitting:])


def _fitting(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> int:
    """How many columns fit into a width."""
    used = 0
    for index, column in enumerate(columns):
        used += max(map(len, (column, *(row[index] for row in cells)))) + (GAP if index else 0)
        if used > width and index:
            return index
    return len(columns)


def write_fields(paths: Sequence[str], row: Row) -> None:
    """Write a line for each field of an object that is there; on a terminal in two columns."""
    there = [path for path in paths if value_at(row, path) is not None]
    if not is_terminal():
        for path in there:
            say(f"{path}\t{exact(value_at(row, path))}", keep="\t")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for path in there:
        table.add_row(Text(path), Text(readable(path, value_at(row, path))))
    write(_rendered(table))


def fields_of(row: Row, prefix: str = "") -> list[str]:
    """The paths of everything that is in an object, also of what the installed document does not know."""
    found: list[str] = []
    for name, value in row.items():
        path = f"{prefix}.{name}" if prefix else name
        found += fields_of(value, path) if isinstance(value, Mapping) and value else [path]
    return found


def _rendered(renderable: Any) -> str:
    from rich.console import Console

    output = io.StringIO()
    console = Console(
        file=output,
        force_terminal=True,
        width=shutil.get_terminal_size().columns,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(renderable)
    return output.getvalue()


def _justify(rows: Sequence[Row], column: str) -> Literal["left", "right"]:
    """Numbers stand below each other."""
    values = [value_at(row, column) for row in rows]
    numbers = all(each is None or (isinstance(each, int | float) and not isinstance(each, bool)) for each in values)
    return "right" if values and numbers else "left"
