"""``/me``: who asks, as the broker sees it."""

from __future__ import annotations

import msgspec

from broker.admin.api.gate import Gate
from broker.admin.api.operations import API, Operation
from broker.admin.roles import Right
from broker.net.http.exchange import Answer, Call, json


class Me(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asks.

    Args:
        via: ``socket`` or ``http``.
        role: ``monitoring``, ``operator`` or ``administrator``; absent for nobody.
        user: name, e.g. ``uid 1000``; absent for nobody.
    """

    via: str
    role: str = ""
    user: str = ""


def identity_operations(gate: Gate) -> list[Operation]:
    """The operation.

    Args:
        gate: tells who asks.
    """

    async def me(call: Call) -> Answer:
        actor = gate.actor(call)
        return json(Me(actor.via, actor.role.label, actor.name))

    return [
        Operation("getMe", "GET", f"{API}/me", Right.ALL, me, "Who asks, and which role that is.", Me, any_level=True)
    ]
