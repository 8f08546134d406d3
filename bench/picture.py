"""A picture of ratios as SVG: bars on a logarithmic scale, readable on light and on dark ground."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_WIDTH = 960
_LABELS = 420
_RIGHT = 70
_ROW = 20
_HEAD = 54
_GAP = 10
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .case { font-weight: 600 }
  .faint { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .even { stroke: #59636e; stroke-width: 1.5 }
  .better { fill: #1a7f5a }
  .worse { fill: #bc5b00 }
  .range { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .faint { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .even { stroke: #9198a1 }
    .better { fill: #3fb68b }
    .worse { fill: #e3893c }
    .range { stroke: #e6edf3 }
  }
"""
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class Bar:
    """One ratio: how many times as good ours is.

    Args:
        peer: the other system.
        minimum: of all rounds.
        median: of all rounds.
        maximum: of all rounds.
    """

    peer: str
    minimum: float
    median: float
    maximum: float


def bars_of(case: Mapping[str, Any]) -> list[Bar]:
    """The ratios of a case, turned round where less is better; the relay is no peer but a ceiling."""
    found: list[Bar] = []
    for peer, ratio in case["ratios"].items():
        low, middle, high = ratio["minimum"], ratio["median"], ratio["maximum"]
        if peer == "relay" or low <= 0:
            continue
        if not case["figures"][0]["more_is_better"]:
            low, middle, high = 1 / high, 1 / middle, 1 / low
        found.append(Bar(peer, low, middle, high))
    return found


def draw(report: Mapping[str, Any]) -> str:
    """The picture of a report."""
    cases = [(f"{case['group']}: {case['title']}", bars) for case in report["cases"] if (bars := bars_of(case))]
    scale = _Scale([bar for _, bars in cases for bar in bars])
    height = _HEAD + sum(_ROW * (len(bars) + 1) + _GAP for _, bars in cases) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' role="img" aria-label="The broker beside others">',
        f"<style>{_STYLE}</style>",
        '<text class="title" x="8" y="20">The broker beside others: how many times as good</text>',
        '<text class="faint" x="8" y="38">bar: median of the rounds; line: least to greatest; right of 1 the broker is'
        " better</text>",
    ]
    for step in scale.steps:
        x = scale.x(step)
        parts.append(
            f'<line class="{"even" if step == 1 else "grid"}" x1="{x:.1f}" y1="{_HEAD}" x2="{x:.1f}" y2="{height}"/>'
        )
        parts.append(f'<text class="faint" x="{x:.1f}" y="{_HEAD - 4}" text-anchor="middle">{step:g}</text>')
    y = _HEAD + _GAP
    for title, bars in cases:
        parts.append(f'<text class="case" x="8" y="{y + 14}">{escape(title.replace("`", ""))}</text>')
        y += _ROW
        for bar in bars:
            parts += _draw_bar(bar, scale, y)
            y += _ROW
        y += _GAP
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Scale:
    """Where a ratio is on the picture."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        least = min([0.5, *(bar.minimum for bar in bars)])
        most = max([2.0, *(bar.maximum for bar in bars)])
        self.steps = [
            step
            for step, after, before in zip(_STEPS, (*_STEPS[1:], math.inf), (0, *_STEPS[:-1]), strict=True)
            if after > least and before < most
        ]
        self._low = math.log(self.steps[0])
        self._range = math.log(self.steps[-1]) - self._low

    def x(self, ratio: float) -> float:
        """The place of a ratio; those beyond the ends are drawn at the ends."""
        share = (math.log(ratio) - self._low) / self._range
        return _LABELS + min(1.0, max(0.0, share)) * (_WIDTH - _LABELS - _RIGHT)


def _draw_bar(bar: Bar, scale: _Scale, y: int) -> list[str]:
    one, end = scale.x(1), scale.x(bar.median)
    low, high = scale.x(bar.minimum), scale.x(bar.maximum)
    middle = y + _ROW / 2
    return [
        f'<text class="faint" x="{_LABELS - 8}" y="{y + 14}" text-anchor="end">{escape(bar.peer)}</text>',
        f'<rect class="{"better" if bar.median >= 1 else "worse"}" x="{min(one, end):.1f}" y="{y + 3}"'
        f' width="{abs(end - one):.1f}" height="{_ROW - 6}" rx="2"/>',
        f'<line class="range" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>',
        f'<text x="{max(high, end, one) + 6:.1f}" y="{y + 14}">{bar.median:.2f}</text>',
    ]
