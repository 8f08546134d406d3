"""Compiled parts of a selector: closures over the values of client properties."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from broker.filters.sql92.values import ARITHMETIC, COMPARISONS, Environment, Value, at_least, at_most, negative

Evaluate = Callable[[Environment], Value]


class Kind(Enum):
    """What is known of an expression's value before there is a message."""

    CONDITION = "a condition"
    NUMBER = "a number"
    STRING = "a string"
    PROPERTY = "a property"


class Expression(NamedTuple):
    """One compiled part.

    Args:
        evaluate: gives its value for the properties of a message.
        kind: of the value.
        depth: levels of closures and parentheses below and including this one.
        start: index of its first character in the selector.
    """

    evaluate: Evaluate
    kind: Kind
    depth: int
    start: int


def literal(value: Value) -> Evaluate:
    """A constant."""
    return lambda _: value


def identifier(name: str) -> Evaluate:
    """The value of a property, NULL where the message has none of that name."""
    return lambda values: values.get(name)


def conjunction(operands: tuple[Evaluate, ...]) -> Evaluate:
    """AND."""

    def evaluate(values: Environment) -> bool:
        return all(operand(values) is True for operand in operands)

    return evaluate


def disjunction(operands: tuple[Evaluate, ...]) -> Evaluate:
    """OR."""

    def evaluate(values: Environment) -> bool:
        return any(operand(values) is True for operand in operands)

    return evaluate


def negation(operand: Evaluate) -> Evaluate:
    """NOT; conditions are true or false and never unknown."""
    return lambda values: operand(values) is not True


def comparison(left: Evaluate, operator: str, right: Evaluate) -> Evaluate:
    """``= <> < <= > >=``."""
    compare = COMPARISONS[operator]
    return lambda values: compare(left(values), right(values))


def between(operand: Evaluate, inverted: bool, low: Evaluate, high: Evaluate) -> Evaluate:
    """BETWEEN; either form is false for operands that have no order."""

    def evaluate(values: Environment) -> bool:
        value, lower, upper = operand(values), low(values), high(values)
        if inverted:
            ordered = _ordered(value, lower) and _ordered(value, upper)
            return ordered and not (at_least(value, lower) and at_most(value, upper))
        return at_least(value, lower) and at_most(value, upper)

    return evaluate


def _ordered(left: Value, right: Value) -> bool:
    return at_most(left, right) or at_least(left, right)


def membership(operand: Evaluate, inverted: bool, members: frozenset[str]) -> Evaluate:
    """IN; either form is false for what is no string."""

    def evaluate(values: Environment) -> bool:
        value = operand(values)
        return isinstance(value, str) and (value in members) is not inverted

    return evaluate


def pattern(operand: Evaluate, inverted: bool, matches: Callable[[bytes], bool]) -> Evaluate:
    """LIKE and REGEX; either form is false for what is no string."""

    def evaluate(values: Environment) -> bool:
        value = operand(values)
        return isinstance(value, str) and matches(value.encode("utf-8", "replace")) is not inverted

    return evaluate


def null(operand: Evaluate, inverted: bool) -> Evaluate:
    """IS NULL."""
    return lambda values: (operand(values) is None) is not inverted


def arithmetic(first: Evaluate, rest: tuple[tuple[str, Evaluate], ...]) -> Evaluate:
    """``+ -`` or ``* /`` from left to right."""
    steps = tuple((ARITHMETIC[operator], operand) for operator, operand in rest)

    def evaluate(values: Environment) -> Value:
        value = first(values)
        for operate, operand in steps:
            value = operate(value, operand(values))
        return value

    return evaluate


def signed(sign: str, operand: Evaluate) -> Evaluate:
    """A number with a sign; NULL counts as 0."""
    if sign == "-":
        return lambda values: negative(operand(values))
    add = ARITHMETIC["+"]
    return lambda values: add(0, operand(values))
