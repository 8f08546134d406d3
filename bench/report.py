"""What was measured, as JSON and as tables."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.case import Case
from bench.rounds import Results, format_value
from bench.targets import judge

_INDENT = 1
_DISTURBED = 0.5
"""Processors beside driver and server; the kernel's share for the network is below that."""
_NOTES = """\
Every case starts a server on fresh data for each system in each round, and the driver is a process of its own. Minimum,
median and maximum are over the rounds; other columns are medians. *driver*, *server* and *others* are processors that
were busy while it was measured (100% is one): of the driver, of the server, and of anything else on the machine, which
includes the kernel's own work for the network. Deliveries *in a second of server time* are what the server did with a
second of processor time, whoever else had the processors meanwhile. *ours : it* is the ratio of the first figure in
the same round.

The broker keeps its data in SQLite as it does by default, and answers for persistent messages when they are synced to
disk. RabbitMQ confirms persistent messages when they are synced. **Mosquitto with `persistence true` writes its
database every half hour and at its end: what it has acknowledged meanwhile is in memory alone**, and no setting makes
it sync before it answers. Prosody and ejabberd keep the state of streams in memory: their streams cannot be resumed
after a crash, and an acknowledged message to a client that is there is nowhere on disk. The relay is Twisted passing on
the same bytes, with nothing behind it.
"""


_QUICK = " **This was a quick run: its numbers mean nothing.**"


def as_json(
    cases: Sequence[Case],
    results: Results,
    machine: Mapping[str, Any],
    versions: Mapping[str, str],
    missing: Sequence[str],
    *,
    quick: bool = False,
) -> dict[str, Any]:
    """Everything that was measured, round by round, and what follows from it."""
    report: dict[str, Any] = {
        "quick": quick,
        "machine": dict(machine),
        "versions": dict(versions),
        "left_out": list(missing),
        "errors": list(results.errors),
        "cases": [{**_case(case, results), "python": machine["python"]} for case in cases],
    }
    return {**report, "targets": judge(report)}


def updated(earlier: Mapping[str, Any], now: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """An earlier report with what was measured now in place of what it had of the same cases.

    Args:
        earlier: the report of another run, whose other cases are kept.
        now: the report of this one, whose machine and versions count.
        order: of the cases, by name.
    """
    fresh = {case["name"]: case for case in now["cases"]}
    python = earlier["machine"]["python"]
    kept = {case["name"]: {"python": python, **case} for case in earlier["cases"] if case["name"] in order}
    cases = {**kept, **{name: case for name, case in fresh.items() if case["summary"]}}
    report = {
        **now,
        "versions": {**earlier["versions"], **now["versions"]},
        "cases": sorted(cases.values(), key=lambda case: order.index(case["name"])),
    }
    return {**report, "targets": judge(report)}


def _case(case: Case, results: Results) -> dict[str, Any]:
    measured = results.figures.get(case.name, {})
    found = {system: measured[system] for system in case.runs if system in measured}
    return {
        "name": case.name,
        "group": case.group,
        "title": case.title,
        "figures": [
            {"key": each.key, "title": each.title, "unit": each.unit, "more_is_better": each.more_is_better}
            for each in case.figures
        ],
        "rounds": {system: dict(sorted(rounds.items())) for system, rounds in found.items()},
        "summary": {system: _summary(list(rounds.values())) for system, rounds in found.items()},
        "ratios": _ratios(case, found),
    }


def _summary(runs: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {key: spread([run[key] for run in runs]) for key in runs[0]}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median and greatest."""
    return {"minimum": min(values), "median": statistics.median(values), "maximum": max(values)}


def _ratios(case: Case, found: Mapping[str, Mapping[int, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Ours : peer of the case's first figure, by peer, of the rounds that both have."""
    key = case.figures[0].key
    ours = found.get("broker", {})
    ratios: dict[str, dict[str, float]] = {}
    for peer, rounds in found.items():
        both = [ours[number][key] / rounds[number][key] for number in rounds if number in ours and rounds[number][key]]
        if peer != "broker" and both:
            ratios[peer] = spread(both)
    return ratios


def as_markdown(report: Mapping[str, Any]) -> str:
    """All tables."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for case in report["cases"]:
        if case["summary"]:
            groups.setdefault(case["group"], []).append(case)
    parts = [
        "# Measurements",
        "Written by `make bench`." + (_QUICK if report["quick"] else ""),
        _NOTES,
        "## Machine\n\n" + _machine(report) + _busy(report),
        "## Targets\n\n" + targets_table(report),
        *(f"## {group}\n\n{_table(cases)}{_other_python(report, cases)}" for group, cases in groups.items()),
    ]
    if report["left_out"] or report["errors"]:
        lines = [f"- {each.splitlines()[0]}" for each in (*report["left_out"], *report["errors"])]
        parts.append("## Left out and failed\n\n" + "\n".join(lines))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def targets_table(report: Mapping[str, Any]) -> str:
    """Each target, its median, and whether it is met."""
    lines = ["| target | goal | median | met |", "|---|---|---|---|"]
    for target in report["targets"]:
        bound = "≥" if target["at_least"] else "≤"
        measured = "not measured" if target["met"] is None else format_value(target["median"], target["unit"])
        met = {None: "", True: "yes", False: "**no**"}[target["met"]]
        lines.append(
            f"| {target['title']} | {bound} {format_value(target['goal'], target['unit'])} | {measured} | {met} |"
        )
    return "\n".join(lines)


def other_load(report: Mapping[str, Any]) -> float | None:
    """Processors that were busy with neither driver nor server: the median of all runs; ``None`` where none tells."""
    shares = [
        run["other_cpu"]
        for case in report["cases"]
        for rounds in case["rounds"].values()
        for run in rounds.values()
        if "other_cpu" in run
    ]
    return statistics.median(shares) if shares else None


def _busy(report: Mapping[str, Any]) -> str:
    share = other_load(report)
    if share is None or share < _DISTURBED:
        return ""
    return (
        f"\n\n**The machine was busy with other work**, {share:.0%} of a processor in the median: rates are lower, and"
        " times longer, than they are on a quiet one. What a second of server time does is nearest to the truth."
    )


def _machine(report: Mapping[str, Any]) -> str:
    entries = {**report["machine"], **{f"version of {name}": value for name, value in report["versions"].items()}}
    lines = ["| | |", "|---|---|"]
    for name, value in entries.items():
        shown = f"{value:.3g}" if isinstance(value, float) else value
        lines.append(f"| {name.replace('_', ' ')} | {shown} |")
    return "\n".join(lines)


def _other_python(report: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> str:
    """Which cases an earlier run measured with another Python: how it was built makes a difference of a fifth."""
    titles: dict[str, list[str]] = {}
    for case in cases:
        if case["python"] != report["machine"]["python"]:
            titles.setdefault(case["python"], []).append(case["title"])
    return "".join(f"\n\nMeasured with Python {python}: {'; '.join(each)}." for python, each in titles.items())


def _table(cases: Sequence[Mapping[str, Any]]) -> str:
    first, *others = cases[0]["figures"]
    compared = any(case["ratios"] for case in cases)
    head = ["case", "system", f"{first['title']}: minimum", "median", "maximum", *(each["title"] for each in others)]
    if compared:
        head.append("ours : it (minimum, median, maximum)")
    lines = [_line(head), _line(["---"] * len(head))]
    for case in cases:
        title = case["title"]
        for system, summary in case["summary"].items():
            cells = [title, system]
            cells += [format_value(summary[first["key"]][each], first["unit"]) for each in _SPREAD]
            cells += [
                format_value(summary[each["key"]]["median"], each["unit"]) if each["key"] in summary else ""
                for each in others
            ]
            ratio = case["ratios"].get(system)
            if compared:
                cells.append("{minimum:.2f}, **{median:.2f}**, {maximum:.2f}".format(**ratio) if ratio else "")
            lines.append(_line(cells))
            title = ""
    return "\n".join(lines)


_SPREAD = ("minimum", "median", "maximum")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def dump(report: Mapping[str, Any]) -> str:
    """The JSON text."""
    return json.dumps(report, indent=_INDENT) + "\n"
