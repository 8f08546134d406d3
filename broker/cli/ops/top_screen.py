"""The screen of ``broker top``: what keys do to it, and its lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from broker.cli.ops.status import status_lines
from broker.cli.ops.tables import fields_of
from broker.cli.ops.top_samples import Sample, busiest, lag_between, longest, rate_between
from broker.cli.ops.values import ABSENT, readable, seconds_text, value_at
from broker.cli.ops.why import why_lines

BOLD, REVERSE, RED, PLAIN = "\x1b[1m", "\x1b[7m", "\x1b[31m", "\x1b[0m"
ESCAPE, BACKSPACE, ENTER = "\x1b", ("\x7f", "\x08"), ("\r", "\n")
UP, DOWN = ("\x1b[A", "k"), ("\x1b[B", "j")
KEYS = "q quit  s sort  f filter  arrows choose  Enter detail  p pause"
SORTS = {"-entries": "the longest", "-bytes": "the largest", "-fillRatio": "the fullest"}
"""Orders of the queues, as the API names them."""
QUEUES = (("queue", 28), ("entries", 9), ("bytes", 9), ("full", 6), ("left/s", 9), ("oldest", 20), ("why", 0))
SESSIONS = (("session", 28), ("messages/s", 12), ("state", 12), ("queued", 9), ("idle", 10))
SMALLEST = 6
"""Lines of a terminal below which only the first of them are shown."""


class Wish(Enum):
    """What a key asks of the one who reads it."""

    NOTHING = 0
    LOOK = 1
    """At the broker, now."""
    QUIT = 2


@dataclass(slots=True)
class Screen:
    """What is shown, and how.

    Attributes:
        before: the look before the last; ``None`` until there were two.
        now: the last look; ``None`` before there was one.
        error: why there is no newer one; empty where there is.
        sort: a key of :data:`SORTS`.
        filter: part of the names that are shown.
        typed: what has been typed of a new filter; ``None`` while none is typed.
        chosen: number of the row that is marked.
        detail: a queue or session that is told in full, and its name; ``None`` for the lists.
        paused: nothing is asked.
    """

    before: Sample | None = None
    now: Sample | None = None
    error: str = ""
    sort: str = "-entries"
    filter: str = ""
    typed: str | None = None
    chosen: int = 0
    detail: tuple[str, Mapping[str, Any]] | None = None
    paused: bool = False
    _names: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def take(self, sample: Sample) -> None:
        """Show another look."""
        self.before, self.now, self.error = self.now, sample, ""

    def press(self, key: str) -> Wish:
        """Do what a key means.

        Args:
            key: a character, or the sequence of an arrow.
        """
        if self.typed is not None:
            return self._type(key)
        if self.detail is not None and (key in ENTER or key in (ESCAPE, "q")):
            self.detail = None
            return Wish.NOTHING
        if key == "q":
            return Wish.QUIT
        if key == "s":
            orders = list(SORTS)
            self.sort = orders[(orders.index(self.sort) + 1) % len(orders)]
            return Wish.LOOK
        if key == "f":
            self.typed = self.filter
        elif key == "p":
            self.paused = not self.paused
        elif key in UP:
            self.chosen = max(0, self.chosen - 1)
        elif key in DOWN:
            self.chosen += 1
        elif key in ENTER and self._names:
            self.detail = self._names[min(self.chosen, len(self._names) - 1)]
        return Wish.NOTHING

    def _type(self, key: str) -> Wish:
        typed = self.typed or ""
        if key in ENTER:
            self.filter, self.typed, self.chosen = typed, None, 0
            return Wish.LOOK
        if key == ESCAPE:
            self.typed = None
        elif key in BACKSPACE:
            self.typed = typed[:-1]
        elif key.isprintable():
            self.typed = typed + key
        return Wish.NOTHING

    def lines(self, width: int, height: int) -> list[str]:
        """The lines, none longer than the terminal is wide, with what makes them bold or red around them.

        Args:
            width: of the terminal.
            height: of it.
        """
        lines = list(self._head(width))
        if self.detail is None:
            lines += self._lists(width, height - len(lines) - 1)
        else:
            lines += [_cut(line, width) for line in self._told()]
        del lines[max(0, height - 1) :]
        foot = f"filter: {self.typed}_" if self.typed is not None else KEYS + ("  PAUSED" if self.paused else "")
        return [*lines, f"{REVERSE}{_cut(foot, width)}{PLAIN}"]

    def _head(self, width: int) -> Iterator[str]:
        if self.error:
            yield f"{RED}{_cut(self.error, width)}{PLAIN}"
        now = self.now
        if now is None:
            return
        told = list(status_lines(now.overview))
        yield f"{BOLD}{_cut(told[0][1], width)}{PLAIN}"
        rates = (
            f"{name} {readable('ratePerSecond', rate)}"
            for name, rate in (
                ("published", rate_between(self.before, now, "messages.published")),
                ("delivered", rate_between(self.before, now, "messages.delivered")),
                ("dead", rate_between(self.before, now, "messages.dead")),
            )
        )
        lag = None if self.before is None else lag_between(self.before.lag, now.lag)
        late = ABSENT if lag is None else f"under {seconds_text(lag)}"
        yield _cut(f"{'  '.join(rates)}  reactor late {late}", width)
        for name, text in told:
            if name in ("alarm", "connections", "store"):
                yield _cut(f"{name}: {text}", width)
        yield ""

    def _lists(self, width: int, height: int) -> list[str]:
        now = self.now
        if now is None or height < SMALLEST:
            self._names = []
            return []
        half = (height - 3) // 2
        queues = [
            (f"{row['relating']}/{row['owner']}", row)
            for row in longest(now)
            if row.get("entries") and self._is_wanted(f"{row['relating']}/{row['owner']}")
        ][:half]
        sessions = [(rate, row) for rate, row in busiest(self.before, now) if self._is_wanted(str(row["name"]))][:half]
        self._names = [*queues, *((str(row["name"]), row) for _, row in sessions)]
        self.chosen = min(self.chosen, max(0, len(self._names) - 1))
        marked = self.chosen
        cells = [_queue_cells(name, row) for name, row in queues]
        lines = [
            f"{BOLD}{_cut(_row(QUEUES, [name for name, _ in QUEUES]), width)}{PLAIN}  {SORTS[self.sort]} first"[
                : width + 8
            ]
        ]
        lines += _marked(
            [_cut(_row(QUEUES, each), width) for each in cells] or ["nothing waits"], marked if queues else -1
        )
        heading = _cut(_row(SESSIONS, [name for name, _ in SESSIONS]), width)
        lines += ["", f"{BOLD}{heading}{PLAIN}"]
        told = [_cut(_row(SESSIONS, _session_cells(rate, row)), width) for rate, row in sessions]
        return lines + _marked(told, marked - len(queues))

    def _is_wanted(self, name: str) -> bool:
        return self.filter.casefold() in name.casefold()

    def _told(self) -> Iterator[str]:
        """Everything of the queue or session that was chosen."""
        assert self.detail is not None
        name, row = self.detail
        yield from why_lines(name, row)
        yield ""
        for path in fields_of(row):
            if path != "waiting":
                yield f"{path:<24} {readable(path, value_at(row, path))}"


def _queue_cells(name: str, row: Mapping[str, Any]) -> list[str]:
    paths = ("entries", "bytes", "fillRatio", "leftPerSecond", "oldestAt", "waiting")
    return [readable("", name), *(readable(path, row.get(path)).removesuffix("/s") for path in paths)]


def _session_cells(rate: float | None, row: Mapping[str, Any]) -> list[str]:
    rated = ABSENT if rate is None else f"{rate:,.1f}"
    paths = ("state", "queue.entries", "idleSeconds")
    return [readable("", str(row["name"])), rated, *(readable(path, value_at(row, path)) for path in paths)]


def _row(columns: Sequence[tuple[str, int]], cells: Sequence[str]) -> str:
    return " ".join(f"{cell:<{width}}" for cell, (_, width) in zip(cells, columns, strict=True)).rstrip()


def _marked(lines: list[str], chosen: int) -> list[str]:
    return [f"{REVERSE}{line}{PLAIN}" if number == chosen else line for number, line in enumerate(lines)]


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"
