"""The rounds: every case of every system once in each, in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.case import Case, CaseError, Field, Figures
from bench.process import ProcessError
from bench.system import System


@dataclass(slots=True)
class Results:
    """Figures of all rounds.

    Args:
        figures: by case, system and number of the round.
        errors: what went wrong, a line each.
    """

    figures: dict[str, dict[str, dict[int, Figures]]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, case: str, system: str, number: int, figures: Figures) -> None:
        """Keep the figures of one run."""
        self.figures.setdefault(case, {}).setdefault(system, {})[number] = figures


def run_rounds(
    where: Field,
    cases: Sequence[Case],
    systems: Mapping[str, System],
    rounds: int,
    tell: Callable[[str], None],
    after_round: Callable[[Results], None],
) -> Results:
    """Run all cases so many times.

    Args:
        where: they are run.
        cases: in this order.
        systems: that are there, by name; a case is run by those of its systems that are.
        rounds: how many.
        tell: shows progress.
        after_round: is given what there is so far.
    """
    results = Results()
    for number in range(rounds):
        for case in cases:
            names = [name for name in case.runs if name in systems]
            turn = number % len(names) if names else 0
            for name in names[turn:] + names[:turn]:
                _run(where, case, systems[name], results, number + 1, rounds, tell)
        after_round(results)
    return results


def _run(
    where: Field,
    case: Case,
    system: System,
    results: Results,
    number: int,
    rounds: int,
    tell: Callable[[str], None],
) -> None:
    label = f"round {number}/{rounds}"
    start = time.monotonic()
    try:
        figures = case.runs[system.name](where, system)
    except (CaseError, ProcessError) as error:
        results.errors.append(f"{case.name} of {system.name}, {label}: {str(error).splitlines()[0]}")
        tell(f"{label}  {case.name:28} {system.name:10} FAILED: {error}")
        return
    results.add(case.name, system.name, number, figures)
    shown = ", ".join(
        f"{figure.title} {format_value(figures[figure.key], figure.unit)}"
        for figure in case.figures
        if figure.key in figures
    )
    tell(f"{label}  {case.name:28} {system.name:10} {shown}  ({time.monotonic() - start:.1f} s)")


def format_value(value: float, unit: str) -> str:
    """A number with its unit, as short as it is exact enough."""
    if unit == "cpu":
        return f"{value:.0%}"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text}{unit}" if unit == "/s" else f"{text} {unit}".strip()
