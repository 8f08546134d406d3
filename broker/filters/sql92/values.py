"""Values of selectors, their arithmetic and their order (spec xmlblaster §12.1).

There are three families: numbers, strings and booleans; ``None`` is NULL. Integers are 64 bit wide and wrap around,
``float`` and ``double`` are both computed as double, and where the two meet the integer becomes a double (Java's
numeric promotion). Values of different families are neither equal nor different nor ordered: every comparison of them
is false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from math import copysign, inf, isnan, nan

from broker.errors import BrokerError, Code
from broker.model.property import ClientProperty


class Typeless(Enum):
    """What is left of arithmetic with strings or booleans; it belongs to no family."""

    TYPELESS = "typeless"


TYPELESS = Typeless.TYPELESS

Value = bool | int | float | str | bytes | None | Typeless
Environment = Mapping[str, Value]

MAX_INTEGER = 2**63 - 1
_MIN_INTEGER = -(2**63)
_WORD = 2**64 - 1


def environment(properties: Iterable[ClientProperty]) -> Environment:
    """The values of client properties by name; the first one of a name counts."""
    values: dict[str, Value] = {}
    for item in properties:
        if item.name not in values:
            values[item.name] = value_of(item)
    return values


def value_of(item: ClientProperty) -> Value:
    """The value of one client property; one that does not fit its declared type is a string."""
    value = item.python
    if type(value) is int and not _MIN_INTEGER <= value <= MAX_INTEGER:
        return item.text
    return value


def promoted(left: Value, right: Value) -> tuple[int, int] | tuple[float, float] | None:
    """Two numbers of the same type, or ``None`` where one of them is no number."""
    if type(left) is int:
        if type(right) is int:
            return left, right
        return (float(left), right) if type(right) is float else None
    if type(left) is float:
        if type(right) is float:
            return left, right
        return (left, float(right)) if type(right) is int else None
    return None


def equal(left: Value, right: Value) -> bool:
    """``=``."""
    pair = promoted(left, right)
    if pair is not None:
        return pair[0] == pair[1]
    return type(left) is type(right) and isinstance(left, str | bool) and left == right


def different(left: Value, right: Value) -> bool:
    """``<>``."""
    pair = promoted(left, right)
    if pair is not None:
        return pair[0] != pair[1]
    return type(left) is type(right) and isinstance(left, str | bool) and left != right


def less(left: Value, right: Value) -> bool:
    """``<``; booleans have no order."""
    pair = promoted(left, right)
    if pair is not None:
        return pair[0] < pair[1]
    return isinstance(left, str) and isinstance(right, str) and left < right


def at_most(left: Value, right: Value) -> bool:
    """``<=``."""
    pair = promoted(left, right)
    if pair is not None:
        return pair[0] <= pair[1]
    return isinstance(left, str) and isinstance(right, str) and left <= right


def greater(left: Value, right: Value) -> bool:
    """``>``."""
    return less(right, left)


def at_least(left: Value, right: Value) -> bool:
    """``>=``."""
    return at_most(right, left)


COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "=": equal,
    "<>": different,
    "!=": different,
    "^=": different,
    "<": less,
    "<=": at_most,
    ">": greater,
    ">=": at_least,
}


def add(left: Value, right: Value) -> Value:
    """``+``."""
    pair = _operands(left, right)
    return TYPELESS if pair is None else _wrapped(pair[0] + pair[1])


def subtract(left: Value, right: Value) -> Value:
    """``-``."""
    pair = _operands(left, right)
    return TYPELESS if pair is None else _wrapped(pair[0] - pair[1])


def multiply(left: Value, right: Value) -> Value:
    """``*``."""
    pair = _operands(left, right)
    return TYPELESS if pair is None else _wrapped(pair[0] * pair[1])


def divide(left: Value, right: Value) -> Value:
    """``/``: towards zero for integers, with infinities for doubles.

    Raises:
        BrokerError: ``user.message.invalid`` for an integer that is divided by zero.
    """
    pair = _operands(left, right)
    if pair is None:
        return TYPELESS
    dividend, divisor = pair
    if isinstance(dividend, int) and isinstance(divisor, int):
        if divisor == 0:
            raise BrokerError(Code.USER_MESSAGE_INVALID, "The Sql92 filter divides by zero for this message.")
        quotient = abs(dividend) // abs(divisor)
        return _wrapped(quotient if (dividend < 0) == (divisor < 0) else -quotient)
    if divisor == 0:
        if dividend == 0 or isnan(dividend):
            return nan
        return copysign(inf, dividend) * copysign(1.0, divisor)
    return dividend / divisor


ARITHMETIC: dict[str, Callable[[Value, Value], Value]] = {"+": add, "-": subtract, "*": multiply, "/": divide}


def negative(value: Value) -> Value:
    """``-`` with one operand."""
    if isinstance(value, float):
        return -value
    return subtract(0, value)


def _operands(left: Value, right: Value) -> tuple[int, int] | tuple[float, float] | None:
    """Two numbers of the same type; NULL counts as 0."""
    return promoted(0 if left is None else left, 0 if right is None else right)


def _wrapped(number: int | float) -> int | float:
    if isinstance(number, float) or _MIN_INTEGER <= number <= MAX_INTEGER:
        return number
    return ((number - _MIN_INTEGER) & _WORD) + _MIN_INTEGER
