"""Operations that read properties and levels of the log."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.query import flag
from broker.admin.instance import Instance
from broker.admin.moment import moment
from broker.admin.property_book import PropertyRow
from broker.admin.roles import Right
from broker.errors import BrokerError, Code
from broker.logs.settings import Level
from broker.logs.timed_levels import PartLevel, TimedLevels
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused


class PropertyList(msgspec.Struct, frozen=True):
    """The answer of ``/properties``.

    Args:
        items: all properties, by name.
    """

    items: list[PropertyRow]


class LogLevelRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """The level of a part of the log.

    Args:
        namespace: of the part; empty for what has no level of its own.
        level: that holds for it and what is below it.
        source: ``configured``, or ``run time``.
        until: when the configured level returns; absent where it does not by itself.
    """

    namespace: str
    level: Level
    source: str
    until: str | None = None


class LogLevelList(msgspec.Struct, frozen=True):
    """The answer of ``/log-levels``.

    Args:
        items: the parts that have a level of their own, by name.
    """

    items: list[LogLevelRow]


def level_row(part: PartLevel) -> LogLevelRow:
    """The row of a part."""
    until = None if part.until is None else moment(round(part.until * 1000))
    return LogLevelRow(part.namespace, part.level, "run time" if part.changed else "configured", until)


def levels_of(instance: Instance) -> TimedLevels:
    """The levels of the log.

    Raises:
        BrokerError: ``resource.admin.unavailable`` where the log is not the broker's own.
    """
    if instance.log_levels is None:
        raise BrokerError(Code.RESOURCE_ADMIN_UNAVAILABLE, "the log is not the broker's own, so its levels are not")
    return instance.log_levels


def configuration_operations(instance: Instance) -> list[Operation]:
    """The operations.

    Args:
        instance: the broker.
    """

    async def properties(call: Call) -> Answer:
        rows = instance.property_book.rows()
        if flag(call, "changed"):
            rows = [row for row in rows if row.source != "default" or row.pending is not None]
        if flag(call, "drift"):
            rows = [row for row in rows if row.source.startswith("run time") or row.pending is not None]
        return json(PropertyList(rows))

    async def one_property(call: Call) -> Answer:
        try:
            return json(instance.property_book.row(call.parameters["name"]))
        except BrokerError as error:
            raise Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, error.message) from None

    async def log_levels(call: Call) -> Answer:
        return json(LogLevelList([level_row(each) for each in levels_of(instance).all()]))

    return [
        Operation(
            "listProperties",
            "GET",
            f"{API}/properties",
            Right.MONITORING,
            properties,
            "The properties: what each is, where that comes from, and when a change takes effect.",
            PropertyList,
            (
                Parameter("changed", {"type": "boolean", "default": False, "description": "Those not by default."}),
                Parameter("drift", {"type": "boolean", "default": False, "description": "Those set at run time."}),
            ),
            any_level=True,
        ),
        Operation(
            "getProperty",
            "GET",
            f"{API}/properties/{{name}}",
            Right.MONITORING,
            one_property,
            "One property.",
            PropertyRow,
            any_level=True,
        ),
        Operation(
            "listLogLevels",
            "GET",
            f"{API}/log-levels",
            Right.MONITORING,
            log_levels,
            "The levels of the log.",
            LogLevelList,
            any_level=True,
        ),
    ]
