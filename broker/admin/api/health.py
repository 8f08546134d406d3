"""``/health/live`` and ``/health/ready``, for whoever restarts brokers or sends clients to them."""

from __future__ import annotations

from http import HTTPStatus

from broker.admin.api.gate import Gate
from broker.admin.api.operations import Operation, Parameter
from broker.admin.api.query import flag
from broker.admin.health import Health, Liveness, Phase, Readiness, Reason
from broker.admin.roles import Right, Role
from broker.net.http.exchange import Answer, Call, json


def health_operations(health: Health, gate: Gate) -> list[Operation]:
    """The operations.

    Args:
        health: of the broker.
        gate: tells who asks. Who has no role is told codes only.
    """

    async def live(call: Call) -> Answer:
        liveness = health.liveness()
        ending = liveness.phase is Phase.STOPPING
        return json(liveness, HTTPStatus.SERVICE_UNAVAILABLE if ending else HTTPStatus.OK)

    async def ready(call: Call) -> Answer:
        reasons = health.reasons(strict=flag(call, "strict"))
        told = reasons if gate.actor(call).role > Role.NOBODY else [Reason(each.code) for each in reasons]
        if reasons:
            return json(Readiness("notReady", told), HTTPStatus.SERVICE_UNAVAILABLE)
        return json(Readiness("ready", []))

    return [
        Operation(
            "getLiveness",
            "GET",
            "/health/live",
            Right.ALL,
            live,
            "Whether the broker can be asked; 503 only while it ends.",
            Liveness,
            any_level=True,
            also=HTTPStatus.SERVICE_UNAVAILABLE,
        ),
        Operation(
            "getReadiness",
            "GET",
            "/health/ready",
            Right.ALL,
            ready,
            "Whether clients may be sent to the broker; 503 with the reasons where not.",
            Readiness,
            (Parameter("strict", {"type": "boolean", "default": False}),),
            any_level=True,
            also=HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    ]
