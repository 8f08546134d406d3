"""Changes to topics (operations §1.12a)."""

from __future__ import annotations

import msgspec

from broker.admin.actions.change import Body, ChangeDesk, Request, broker_of, change_operation
from broker.admin.api.operations import Operation, Parameter
from broker.admin.api.query import flag
from broker.admin.roles import Right

FORCE = "forceDestroy"


class Erased(msgspec.Struct, frozen=True):
    """Messages are gone.

    Args:
        entries: that the history had.
    """

    entries: int


def topic_changes(desk: ChangeDesk) -> list[Operation]:
    """The operations.

    Args:
        desk: where they are made.
    """

    async def erase(request: Request[Body]) -> Erased:
        force = flag(request.call, FORCE)
        return Erased(broker_of(desk).erase_topic(request.asker, request["oid"], force=force))

    async def clear(request: Request[Body]) -> Erased:
        return Erased(broker_of(desk).clear_topic(request.asker, request["oid"]))

    return [
        change_operation(
            desk,
            "eraseTopic",
            "DELETE",
            "/topics/{oid}",
            Right.ADMINISTRATOR,
            "Erase a topic; its subscribers are told.",
            "topic.erase",
            Body,
            Erased,
            erase,
            parameters=(
                Parameter(
                    FORCE,
                    {
                        "type": "boolean",
                        "default": False,
                        "description": "Also what queues hold of it; else that is delivered.",
                    },
                ),
            ),
        ),
        change_operation(
            desk,
            "clearHistory",
            "POST",
            "/topics/{oid}/history/clear",
            Right.ADMINISTRATOR,
            "Empty the history of a topic.",
            "topic.clearHistory",
            Body,
            Erased,
            clear,
        ),
    ]
