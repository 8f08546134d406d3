"""``/metrics`` and ``/metrics/objects``, for Prometheus."""

from __future__ import annotations

from broker.admin.api.openapi import TEXT_TYPE
from broker.admin.api.operations import Operation
from broker.admin.instance import Instance
from broker.admin.metrics.of_objects import OBJECTS, ObjectTotals
from broker.admin.metrics.sources import Sources
from broker.admin.roles import Right
from broker.exposition.text import Exposition
from broker.net.http.exchange import Answer, Call
from broker.net.http.routes import Cost


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


def object_metrics_operations(instance: Instance) -> list[Operation]:
    """The operation.

    Args:
        instance: the broker.
    """
    totals = ObjectTotals(instance)
    exposition = Exposition(OBJECTS, totals, process=False)

    async def metrics(call: Call) -> Answer:
        await totals.look()
        return Answer(*exposition.write(call.headers.get("accept", "")))

    return [
        Operation(
            "getObjectMetrics",
            "GET",
            "/metrics/objects",
            Right.MONITORING,
            metrics,
            "Metrics of the objects that metrics.objects names, for Prometheus.",
            None,
            cost=Cost.SCAN,
            any_level=True,
            media_type=TEXT_TYPE,
        )
    ]
