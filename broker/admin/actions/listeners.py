"""Listeners: what they are, and reading their certificates again (operations §1.14)."""

from __future__ import annotations

import msgspec

from broker.admin.actions.change import Body, ChangeDesk, Request, change_operation
from broker.admin.api.lists import get_operation
from broker.admin.api.operations import API, Operation
from broker.admin.roles import Right
from broker.admin.views.listeners import ListenerRow, listener_rows
from broker.errors import BrokerError, Code
from broker.net.http.exchange import Answer, Call, json


class ListenerList(msgspec.Struct, frozen=True):
    """The answer of ``/listeners``.

    Args:
        items: all listeners, by name.
    """

    items: list[ListenerRow]


def listener_operations(desk: ChangeDesk) -> list[Operation]:
    """The operations.

    Args:
        desk: where changes are made.
    """
    instance = desk.instance

    async def tell_all(call: Call) -> Answer:
        return json(ListenerList(listener_rows(instance)))

    def find(name: str) -> ListenerRow | None:
        return next((row for row in listener_rows(instance) if row.name == name), None)

    async def reload_tls(request: Request[Body]) -> ListenerRow:
        name = request["name"]
        row = find(name)
        if row is None:
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no listener {name[:200]}")
        if row.tls is None:
            raise BrokerError(Code.USER_CONFIGURATION, f"{name} has no TLS")
        try:
            instance.reload_listener(name)
        except BrokerError as error:
            reason = f"{error.message}; what was read before stays in use"
            raise BrokerError(Code.USER_CONFIGURATION, reason) from error
        reloaded = find(name)
        assert reloaded is not None
        return reloaded

    return [
        Operation(
            "listListeners",
            "GET",
            f"{API}/listeners",
            Right.MONITORING,
            tell_all,
            "Listeners for clients, and the certificates that they show.",
            ListenerList,
            any_level=True,
        ),
        get_operation(
            "getListener",
            "/listeners/{name}",
            "One listener.",
            ListenerRow,
            lambda call: find(call.parameters["name"]),
            "listener",
        ),
        change_operation(
            desk,
            "reloadTls",
            "POST",
            "/listeners/{name}/reload-tls",
            Right.ADMINISTRATOR,
            "Read the certificates of a listener's plugin again, for new connections; those that are there stay.",
            "listener.reloadTls",
            Body,
            ListenerRow,
            reload_tls,
        ),
    ]
