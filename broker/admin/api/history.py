"""``/history``: what the broker's numbers were, for charts."""

from __future__ import annotations

import msgspec

from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.query import whole_number
from broker.admin.history import COARSE, STEP, TOGETHER, History
from broker.admin.history_series import HISTORY_SERIES
from broker.admin.metrics.sources import Sources
from broker.admin.moment import moment
from broker.admin.roles import Right
from broker.config.nearest import nearest
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import wrong_parameter

MOST_SECONDS = COARSE * TOGETHER * STEP
SECONDS, POINTS, MOST_POINTS = 3600, 300, 1000
NAMES = tuple(each.name for each in HISTORY_SERIES)


class HistoryAnswer(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What numbers were.

    Args:
        series: their values by name, the oldest first; null where nothing is known.
        step_seconds: between two values. Values that are put together are told by their mean.
        as_of: when the last values were read; absent where none were yet.
    """

    series: dict[str, list[float | None]]
    step_seconds: int
    as_of: str | None = None


def history_operations(history: History[Sources]) -> list[Operation]:
    """The operation.

    Args:
        history: of the broker.
    """

    async def tell(call: Call) -> Answer:
        names = read_names(call)
        seconds = whole_number(call, "seconds", SECONDS, 1, MOST_SECONDS)
        points = whole_number(call, "points", POINTS, 1, MOST_POINTS)
        excerpt = history.excerpt(names, seconds, points)
        as_of = moment(excerpt.at) if excerpt.at else None
        return json(HistoryAnswer(excerpt.series, excerpt.step, as_of))

    return [
        Operation(
            "getHistory",
            "GET",
            f"{API}/history",
            Right.MONITORING,
            tell,
            "What the broker's numbers were in the last minutes, second by second, or in the last hours.",
            HistoryAnswer,
            (
                Parameter(
                    "series",
                    {"type": "string", "description": f"Comma list of names, by default all: {', '.join(NAMES)}."},
                ),
                Parameter(
                    "seconds",
                    {"type": "integer", "minimum": 1, "maximum": MOST_SECONDS, "default": SECONDS},
                ),
                Parameter("points", {"type": "integer", "minimum": 1, "maximum": MOST_POINTS, "default": POINTS}),
            ),
            any_level=True,
        )
    ]


def read_names(call: Call) -> list[str]:
    """The series that a request wants.

    Raises:
        Refused: 400 where there is no such series.
    """
    text = call.query.get("series")
    if text is None:
        return list(NAMES)
    names = text.split(",")
    for name in names:
        if name not in NAMES:
            near = nearest(name, NAMES)
            raise wrong_parameter("series", f"there is no '{name[:64]}'{f'; is {near} meant?' if near else ''}")
    return names
