"""Operations that list a collection, or tell of one of its objects."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import msgspec

from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.paging import CURSOR, limit_parameter, read_limit
from broker.admin.filtering import by_part
from broker.admin.instance import Instance
from broker.admin.listing import Collection, Filter, Page, Wanted, fingerprint, make_page, read_cursor
from broker.admin.moment import moment
from broker.admin.roles import Right
from broker.errors import Code
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused, wrong_parameter
from broker.net.http.routes import Cost

T = TypeVar("T")
R = TypeVar("R", bound=msgspec.Struct)


def list_operation(id: str, path: str, summary: str, instance: Instance, collection: Collection[T]) -> Operation:
    """An operation that lists.

    Args:
        id: of the operation.
        path: behind that of the API.
        summary: one sentence.
        instance: the broker.
        collection: that it lists.
    """

    async def handler(call: Call) -> Answer:
        wanted = read_wanted(call, collection)
        return json(await make_page(collection, wanted, instance.reactor, lambda: _now(instance)))

    return Operation(
        id,
        "GET",
        f"{API}{path}",
        Right.MONITORING,
        handler,
        summary,
        Page,
        collection_parameters(collection),
        collection.row_type,
        Cost.SCAN,
    )


def get_operation(
    id: str, path: str, summary: str, answer: type[R], find: Callable[[Call], R | None], what: str
) -> Operation:
    """An operation that tells of one object.

    Args:
        id: of the operation.
        path: behind that of the API.
        summary: one sentence.
        answer: type of what is told.
        find: makes it; ``None`` where there is none.
        what: it is, for the error.
    """

    async def handler(call: Call) -> Answer:
        row = find(call)
        if row is None:
            name = "/".join(call.parameters.values())[:200]
            raise Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, f"there is no {what} {name}")
        return json(row)

    return Operation(id, "GET", f"{API}{path}", Right.MONITORING, handler, summary, answer)


def collection_parameters(collection: Collection[T]) -> tuple[Parameter, ...]:
    """The parameters of a list."""
    orders = [order for name in collection.sorts for order in (name, f"-{name}")]
    return (
        limit_parameter(),
        Parameter("sort", {"type": "string", "enum": orders, "default": collection.default_sort}),
        CURSOR,
        *(Parameter(name, each.schema) for name, each in _filters(collection).items()),
    )


def read_wanted(call: Call, collection: Collection[T]) -> Wanted[T]:
    """What a request wants of a collection.

    Raises:
        Refused: 400 for a parameter that cannot be used.
    """
    limit = read_limit(call)
    given = call.query.get("sort", collection.default_sort)
    sort, descending = given.removeprefix("-"), given.startswith("-")
    if sort not in collection.sorts:
        raise wrong_parameter(
            "sort", f"it is one of {', '.join(collection.sorts)}, with - in front for the largest first"
        )
    filters = _filters(collection)
    texts = {name: text for name, text in call.query.items() if name in filters}
    predicates = []
    for name, text in texts.items():
        try:
            predicates.append(filters[name].read(text))
        except ValueError as error:
            raise wrong_parameter(name, str(error)) from error
    print_ = fingerprint(texts)
    cursor, after = call.query.get("cursor"), None
    if cursor is not None:
        try:
            after = read_cursor(cursor, sort, descending, print_, is_text=collection.sorts[sort].is_text)
        except ValueError as error:
            raise wrong_parameter("cursor", str(error)) from error
    return Wanted(limit, sort, descending, predicates, print_, after)


def _filters(collection: Collection[T]) -> dict[str, Filter[T]]:
    return {"q": by_part(collection.id_of), **collection.filters}


def _now(instance: Instance) -> str:
    return moment(instance.broker.node.now())
