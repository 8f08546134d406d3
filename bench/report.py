"""Results as JSON and as tables."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.case import Case
from bench.rounds import Results, format_value

JSON_INDENT = 1


def as_json(
    cases: Sequence[Case],
    results: Results,
    machine: Mapping[str, Any],
    versions: Mapping[str, str],
    missing: Sequence[str],
) -> dict[str, Any]:
    """Everything that was measured, round by round, and what follows from it."""
    return {
        "machine": dict(machine),
        "versions": dict(versions),
        "left_out": list(missing),
        "errors": list(results.errors),
        "cases": [
            {
                "name": case.name,
                "group": case.group,
                "title": case.title,
                "figures": [
                    {"key": each.key, "title": each.title, "unit": each.unit, "more_is_better": each.more_is_better}
                    for each in case.figures
                ],
                "rounds": results.figures.get(case.name, {}),
                "summary": {
                    system: {key: spread([run[key] for run in runs]) for key in runs[0]}
                    for system, runs in results.figures.get(case.name, {}).items()
                },
                "ratios": ratios(case, results),
            }
            for case in cases
        ],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median and greatest."""
    return {"minimum": min(values), "median": statistics.median(values), "maximum": max(values)}


def ratios(case: Case, results: Results) -> dict[str, dict[str, float]]:
    """Ours : peer of the case's first figure, round by round, by peer."""
    found = results.figures.get(case.name, {})
    ours = found.get("broker", [])
    key = case.figures[0].key
    return {
        peer: spread([mine[key] / theirs[key] for mine, theirs in zip(ours, runs, strict=False)])
        for peer, runs in found.items()
        if peer != "broker" and ours and key in runs[0]
    }


def tables(report: Mapping[str, Any]) -> str:
    """All groups as markdown."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for case in report["cases"]:
        if case["summary"]:
            groups.setdefault(case["group"], []).append(case)
    return "\n\n".join(f"## {group}\n\n{_table(cases)}" for group, cases in groups.items()) + "\n"


def _table(cases: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| case | system | minimum | median | maximum | also | ours : it |", "|---|---|---|---|---|---|---|"]
    for case in cases:
        first, *others = case["figures"]
        title = case["title"]
        for system, summary in case["summary"].items():
            main = summary[first["key"]]
            cells = [format_value(main[each], first["unit"]) for each in ("minimum", "median", "maximum")]
            also = ", ".join(
                f"{each['title']} {format_value(summary[each['key']]['median'], each['unit'])}"
                for each in others
                if each["key"] in summary
            )
            ratio = case["ratios"].get(system)
            ours = "{minimum:.2f} **{median:.2f}** {maximum:.2f}".format(**ratio) if ratio else ""
            lines.append(f"| {title} | {system} | {' | '.join(cells)} | {also} | {ours} |")
            title = ""
    return "\n".join(lines)


def dump(report: Mapping[str, Any]) -> str:
    """The JSON text."""
    return json.dumps(report, indent=JSON_INDENT) + "\n"
