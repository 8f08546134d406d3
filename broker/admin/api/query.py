"""Parameters of a query, read by kind. What a route does not know is refused: a typo never does half a thing."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import TypeVar

from broker.config.nearest import nearest
from broker.model.number import whole_or_none
from broker.net.http.exchange import Call
from broker.net.http.problem import wrong_parameter

E = TypeVar("E", bound=StrEnum)


def check_known(call: Call, known: Collection[str]) -> None:
    """Refuse parameters that a route does not have.

    Args:
        call: the request.
        known: names of parameters; ``property.*`` stands for all that begin with ``property.``.

    Raises:
        Refused: 400 for the first of them.
    """
    for name in call.query:
        prefix, dot, _ = name.partition(".")
        if name not in known and f"{prefix}{dot}*" not in known:
            near = nearest(name, known)
            raise wrong_parameter(name, f"there is no such parameter{f'; is {near} meant?' if near else ''}")


def flag(call: Call, name: str) -> bool:
    """Whether a parameter is ``true``; ``False`` where it is not given.

    Raises:
        Refused: 400 where it is neither ``true`` nor ``false``.
    """
    text = call.query.get(name, "false")
    if text not in ("true", "false"):
        raise wrong_parameter(name, "it is true or false")
    return text == "true"


def whole_number(call: Call, name: str, default: int, least: int, most: int) -> int:
    """A parameter that is a whole number.

    Raises:
        Refused: 400 where it is none, or out of range.
    """
    text = call.query.get(name)
    if text is None:
        return default
    value = whole_or_none(text, least, most)
    if value is None:
        raise wrong_parameter(name, f"it is a whole number from {least} to {most}")
    return value


def one_of(call: Call, name: str, values: type[E]) -> E | None:
    """A parameter that is one of some names; ``None`` where it is not given.

    Raises:
        Refused: 400 where it is another.
    """
    text = call.query.get(name)
    if text is None:
        return None
    try:
        return values(text)
    except ValueError:
        raise wrong_parameter(name, f"it is one of {', '.join(values)}") from None
