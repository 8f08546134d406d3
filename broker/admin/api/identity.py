"""``/me``: who asks, as the broker sees it."""

from __future__ import annotations

import msgspec

from broker.admin.api.gate import Gate
from broker.admin.api.operations import API, Operation
from broker.admin.roles import Right
from broker.net.http.exchange import Answer, Call, json


class Me(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Who asks.

    Args:
        via: ``socket``, ``session`` of a browser, ``token`` of a program, or ``http`` for nobody.
        role: ``monitoring``, ``operator`` or ``administrator``; absent for nobody.
        user: name, e.g. ``uid 1000`` or a login name; absent for nobody.
        role_from: what gives the role: ``socket``, or name of a property.
        csrf_token: of a browser; each change shows it in the header ``X-Broker-CSRF``.
    """

    via: str
    role: str = ""
    user: str = ""
    role_from: str = ""
    csrf_token: str = ""


def identity_operations(gate: Gate) -> list[Operation]:
    """The operation.

    Args:
        gate: tells who asks.
    """

    async def me(call: Call) -> Answer:
        actor = gate.actor(call)
        csrf = "" if actor.session is None else actor.session.csrf
        return json(Me(actor.via, actor.role.label, actor.name, actor.source, csrf))

    return [
        Operation("getMe", "GET", f"{API}/me", Right.ALL, me, "Who asks, and which role that is.", Me, any_level=True)
    ]
