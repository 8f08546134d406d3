"""``/metrics``, for Prometheus."""

from __future__ import annotations

from broker.admin.api.openapi import TEXT_TYPE
from broker.admin.api.operations import Operation
from broker.admin.metrics.sources import Sources
from broker.admin.roles import Right
from broker.exposition.text import Exposition
from broker.net.http.exchange import Answer, Call


def metrics_operations(exposition: Exposition[Sources]) -> list[Operation]:
    """The operation.

    Args:
        exposition: writes the metrics.
    """

    async def metrics(call: Call) -> Answer:
        return Answer(*exposition.write(call.headers.get("accept", "")))

    return [
        Operation(
            "getMetrics",
            "GET",
            "/metrics",
            Right.MONITORING,
            metrics,
            "Metrics for Prometheus.",
            None,
            any_level=True,
            media_type=TEXT_TYPE,
        )
    ]
