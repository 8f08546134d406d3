"""The outcome of campaigns, for people."""

from __future__ import annotations

from collections.abc import Sequence

from tests.campaign.campaign import Outcome


def table(outcomes: Sequence[Outcome], *, markdown: bool) -> str:
    """What was done and found, a column for each campaign.

    Args:
        outcomes: of the campaigns.
        markdown: for a document.
    """
    rows = [["", *(each.store for each in outcomes)]]
    rows.append(["seed", *(str(each.seed) for each in outcomes)])
    for name in _names([each.figures for each in outcomes]):
        rows.append([name, *(each.figures.get(name, "-") for each in outcomes)])
    for name in _names([each.faults for each in outcomes]):
        rows.append([name, *(str(each.faults.get(name, "-")) for each in outcomes)])
    for name in _names([each.skipped for each in outcomes]):
        rows.append([f"{name} (skipped)", *(each.skipped.get(name, "-") for each in outcomes)])
    rows.append(["outcome", *("FAILED" if each.failed else "kept" for each in outcomes)])
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """What is broken, once more, so that it stands at the end of a long log.

    Args:
        outcomes: of the campaigns.
    """
    return [f"{each.store}, seed {each.seed}: {each.failed}" for each in outcomes if each.failed]


def _names(columns: Sequence[dict[str, str]] | Sequence[dict[str, int]]) -> list[str]:
    return list(dict.fromkeys(name for column in columns for name in column))
