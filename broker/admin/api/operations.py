"""Operations of the API: rows of the table that the routes are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from broker.admin.api.query import check_known
from broker.admin.instance import Instance
from broker.admin.roles import Right
from broker.errors import Code
from broker.net.http.exchange import JSON_TYPE, Answer, Call, Handler
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost, Route
from broker.runlevels.levels import RUNNING, describe

API = "/api/v1"
"""Before the path of each operation but those that are not of the API."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query.

    Args:
        name: of it.
        schema: of its text (JSON Schema).
    """

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that can be asked for.

    Args:
        id: unique, as clients and documents name it.
        method: of HTTP.
        path: whole.
        right: who may.
        handler: does it.
        summary: one sentence.
        answer: type of its answer in JSON; ``None`` where that is no JSON.
        parameters: of the query; others are refused.
        rows: of a list, the type of its rows.
        cost: of doing it.
        any_level: it is served at every run level; others at level 9 only.
        media_type: of its answer.
        also: another status with an answer of the same type.
        body: type of the body in JSON that a request has, if any.
        status: of its answer.
        max_body: bytes that a body may have; 0 for what all have.
        streams: it is also answered by server-sent events, where a parameter asks for them.
    """

    id: str
    method: str
    path: str
    right: Right
    handler: Handler
    summary: str
    answer: type[msgspec.Struct] | None
    parameters: tuple[Parameter, ...] = ()
    rows: type[msgspec.Struct] | None = None
    cost: Cost = Cost.CONSTANT
    any_level: bool = False
    media_type: str = JSON_TYPE
    also: HTTPStatus | None = None
    body: type[msgspec.Struct] | None = None
    status: HTTPStatus = HTTPStatus.OK
    max_body: int = 0
    streams: bool = False


Turn = Callable[[Call, Cost], AbstractAsyncContextManager[None]]
"""Inside of what it gives a request is served; see :meth:`broker.admin.api.rates.RequestRates.turn`."""


def at_once(call: Call, cost: Cost) -> AbstractAsyncContextManager[None]:
    """Lets every request begin."""
    return nullcontext()


def routes_of(operations: Iterable[Operation], instance: Instance, turn: Turn = at_once) -> list[Route]:
    """The routes that serve operations.

    Args:
        operations: all of them.
        instance: the broker.
        turn: lets requests begin, but questions that are for everybody.

    Raises:
        ValueError: two of them have the same id.
    """
    routes: dict[str, Route] = {}
    for each in operations:
        if each.id in routes:
            raise ValueError(f"there are two operations {each.id}")
        handler = _guarded(each, instance, at_once if each.right is Right.ALL and each.method == "GET" else turn)
        routes[each.id] = Route(each.method, each.path, each.right, handler, each.cost, each.summary, each.max_body)
    return list(routes.values())


def _guarded(operation: Operation, instance: Instance, turn: Turn) -> Handler:
    parameters = [parameter.name for parameter in operation.parameters]

    async def guarded(call: Call) -> Answer:
        check_known(call, parameters)
        if not operation.any_level and instance.run_levels.level < RUNNING:
            level = describe(instance.run_levels.level)
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                Code.RESOURCE_UNAVAILABLE,
                f"the broker is at run level {level}; this is served at {describe(RUNNING)}",
            )
        async with turn(call, operation.cost):
            return await operation.handler(call)

    return guarded
