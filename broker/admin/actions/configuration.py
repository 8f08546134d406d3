"""Changes of properties and of levels of the log (operations §1.12c, §1.12d)."""

from __future__ import annotations

from broker.admin.actions.change import Body, ChangeDesk, Request, change_operation
from broker.admin.api.configuration import LogLevelRow, level_row, levels_of
from broker.admin.api.operations import Operation
from broker.admin.log_levels import check_part
from broker.admin.property_book import PropertyRow
from broker.admin.roles import Right
from broker.errors import BrokerError, Code
from broker.logs.settings import Level

MAX_SECONDS = 86_400


class SetProperty(Body, frozen=True):
    """What a property is to be.

    Args:
        value: its text.
        keep: it outlives a restart.
    """

    value: str
    keep: bool = False


class SetLogLevel(Body, frozen=True):
    """The level that a part of the log is to have.

    Args:
        level: the level.
        for_seconds: until the configured level returns, at most a day; ``null``: it does not, which ``debug`` may not.
    """

    level: Level
    for_seconds: float | None = None


def configuration_changes(desk: ChangeDesk) -> list[Operation]:
    """The operations.

    Args:
        desk: where they are made.
    """
    instance = desk.instance

    async def set_property(request: Request[SetProperty]) -> PropertyRow:
        body, who = request.body, f"{request.asker.principal} by {request.asker.via}"
        return instance.property_book.set(request["name"], body.value, who, keep=body.keep)

    async def take_back(request: Request[Body]) -> PropertyRow:
        return instance.property_book.take_back(request["name"])

    async def set_level(request: Request[SetLogLevel]) -> LogLevelRow:
        namespace, level, seconds = request["namespace"], request.body.level, request.body.for_seconds
        check_part(namespace)
        if seconds is None and level is Level.DEBUG:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "forSeconds is required for the level debug")
        if seconds is not None and not 0 < seconds <= MAX_SECONDS:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"forSeconds is more than 0 and at most {MAX_SECONDS}")
        levels = levels_of(instance)
        levels.set(namespace, level, seconds)
        return next(level_row(each) for each in levels.all() if each.namespace == namespace)

    return [
        change_operation(
            desk,
            "setProperty",
            "PUT",
            "/properties/{name}",
            Right.ADMINISTRATOR,
            "Change a property; refused where that would have no effect.",
            "property.set",
            SetProperty,
            PropertyRow,
            set_property,
        ),
        change_operation(
            desk,
            "takeBackProperty",
            "DELETE",
            "/properties/{name}",
            Right.ADMINISTRATOR,
            "Let a property be again what files and command line say.",
            "property.takeBack",
            Body,
            PropertyRow,
            take_back,
        ),
        change_operation(
            desk,
            "setLogLevel",
            "PUT",
            "/log-levels/{namespace}",
            Right.OPERATOR,
            "Change the level of a part of the log, for a while.",
            "logLevel.set",
            SetLogLevel,
            LogLevelRow,
            set_level,
            always=True,
        ),
    ]
