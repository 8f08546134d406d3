"""Selectors that hypothesis makes from the grammar mean what a naive evaluation of the same tree says.

The reference works on the tree from which the text was written; parsing, precedence and compilation are all checked.
"""

from __future__ import annotations

import ctypes
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.filters.sql92 import compile_sql92
from tests.filters.candidates import PropertyValue, with_properties

NULL = None
UNDEFINED = object()
LEVELS = {"OR": 1, "AND": 2, "NOT": 3, "predicate": 4, "+": 5, "-": 5, "*": 6, "/": 6, "sign": 7, "atom": 8}


@dataclass(frozen=True)
class Node:
    """A rule of the grammar: its name, its operands, and texts where it has some."""

    rule: str
    operands: tuple[Node, ...] = ()
    value: Any = None
    inverted: bool = False

    @property
    def level(self) -> int:
        return LEVELS.get(self.rule, LEVELS["predicate"])


def written(node: Node) -> str:
    """The text of a tree, with parentheses only where its precedence needs them."""
    word = " NOT" if node.inverted else ""
    match node.rule:
        case "atom":
            return literal(node.value)
        case "sign":
            return f"{node.value} {within(node.operands[0], node.level)}"
        case "NOT":
            return f"NOT {within(node.operands[0], node.level)}"
        case "AND" | "OR":
            # Both are associative: a chain needs no parentheses on either side.
            return f" {node.rule} ".join(within(operand, node.level) for operand in node.operands)
        case "+" | "-" | "*" | "/":
            left, right = node.operands
            return f"{within(left, node.level)} {node.rule} {within(right, node.level + 1)}"
        case "BETWEEN":
            subject, low, high = (within(part, LEVELS["+"]) for part in node.operands)
            return f"{subject}{word} BETWEEN {low} AND {high}"
        case "IN":
            return f"{within(node.operands[0], LEVELS['+'])}{word} IN ({', '.join(map(literal, node.value))})"
        case "LIKE":
            return f"{within(node.operands[0], LEVELS['+'])}{word} LIKE {literal(node.value)}"
        case "IS":
            return f"{within(node.operands[0], LEVELS['+'])} IS{word} NULL"
        case _:
            return f" {node.rule} ".join(within(operand, LEVELS["+"]) for operand in node.operands)


def within(node: Node, level: int) -> str:
    return written(node) if node.level >= level else f"({written(node)})"


def literal(value: Any) -> str:
    match value:
        case Name(text):
            return text
        case bool():
            return str(value).upper()
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            return str(value)


@dataclass(frozen=True)
class Name:
    """An identifier."""

    text: str


def meaning(node: Node, properties: dict[str, PropertyValue]) -> Any:
    """The value of a tree: a bool, int, float, str, NULL or UNDEFINED."""
    if node.rule == "OR":
        return any(meaning(operand, properties) is True for operand in node.operands)
    if node.rule == "AND":
        return all(meaning(operand, properties) is True for operand in node.operands)
    values = [meaning(operand, properties) for operand in node.operands]
    match node.rule:
        case "atom":
            return properties.get(node.value.text, NULL) if isinstance(node.value, Name) else node.value
        case "NOT":
            return values[0] is not True
        case "sign":
            return calculated("*", values[0], -1 if node.value == "-" else 1)
        case "+" | "-" | "*" | "/":
            return calculated(node.rule, *values)
        case "BETWEEN":
            value, low, high = values
            if family(value) not in ("number", "string") or not family(value) == family(low) == family(high):
                return False
            return (low <= value <= high) != node.inverted
        case "IN":
            return family(values[0]) == "string" and (values[0] in node.value) != node.inverted
        case "LIKE":
            expression = re.escape(node.value).replace("%", "(?s:.*)").replace("_", "(?s:.)")
            return family(values[0]) == "string" and bool(re.fullmatch(expression, values[0])) != node.inverted
        case "IS":
            return (values[0] is NULL) != node.inverted
        case _:
            return compared(node.rule, *values)


def family(value: Any) -> Literal["boolean", "number", "string", "none"]:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case _:
            return "none"


def compared(operator: str, left: Any, right: Any) -> bool:
    if family(left) != family(right) or family(left) == "none":
        return False
    if operator not in ("=", "<>") and family(left) == "boolean":
        return False
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    return bool(
        {
            "=": left == right,
            "<>": left != right,
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
        }[operator]
    )


def calculated(operator: str, left: Any, right: Any) -> Any:
    left, right = (0 if value is NULL else value for value in (left, right))
    if family(left) != "number" or family(right) != "number":
        return UNDEFINED
    if isinstance(left, float) or isinstance(right, float):
        operate = {"+": float.__add__, "-": float.__sub__, "*": float.__mul__, "/": ieee_quotient}[operator]
        return operate(float(left), float(right))
    match operator:
        case "+":
            exact = left + right
        case "-":
            exact = left - right
        case "*":
            exact = left * right
        case _:
            exact = (abs(left) // abs(right)) * (1 if (left < 0) == (right < 0) else -1)
    return ctypes.c_int64(exact).value


def ieee_quotient(left: float, right: float) -> float:
    if right:
        return left / right
    return left * math.copysign(math.inf, right)


NAMES = st.sampled_from(["a", "b", "c", "missing"]).map(Name)
STRINGS = st.text("ab'%_\n", max_size=3)
VALUES = st.booleans() | st.integers(-9, 9) | st.sampled_from([-(2**63), 2**63 - 1]) | st.floats(-9, 9) | STRINGS
PROPERTIES = st.dictionaries(st.sampled_from("abc"), VALUES)


def atoms(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Node]:
    return (values | NAMES).map(lambda value: Node("atom", value=value))


def signs(operand: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.builds(lambda sign, node: Node("sign", (node,), sign), st.sampled_from("+-"), operand)


def pairs(rules: list[str], operand: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.builds(lambda rule, left, right: Node(rule, (left, right)), st.sampled_from(rules), operand, operand)


def chains(operand: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    operands = st.lists(operand, min_size=2, max_size=4).map(tuple)
    return st.builds(Node, st.sampled_from(["AND", "OR"]), operands)


NUMBERS = st.recursive(
    atoms(st.integers(0, 9) | st.sampled_from([0.5, 2.0, 2**62])),
    lambda inner: signs(inner) | pairs(["+", "-", "*", "/"], inner),
    max_leaves=6,
)
OPERANDS = NUMBERS | atoms(STRINGS)
PREDICATES = (
    atoms(st.booleans())
    | pairs(["=", "<>", "<", "<=", ">", ">="], OPERANDS)
    | st.builds(
        lambda parts, no: Node("BETWEEN", parts, None, no), st.tuples(OPERANDS, OPERANDS, OPERANDS), st.booleans()
    )
    | st.builds(
        lambda part, texts, no: Node("IN", (part,), texts, no), OPERANDS, st.lists(STRINGS, min_size=1), st.booleans()
    )
    | st.builds(lambda part, text, no: Node("LIKE", (part,), text, no), OPERANDS, STRINGS, st.booleans())
    | st.builds(lambda part, no: Node("IS", (part,), None, no), OPERANDS, st.booleans())
)
CONDITIONS = st.recursive(
    PREDICATES,
    lambda inner: inner.map(lambda node: Node("NOT", (node,))) | chains(inner) | pairs(["=", "<>"], inner),
    max_leaves=8,
)


@given(CONDITIONS, PROPERTIES)
def test_a_selector_means_what_its_tree_means(condition: Node, properties: dict[str, PropertyValue]) -> None:
    selects = compile_sql92(written(condition))
    sent = with_properties(**properties)

    try:
        expected: bool | Code | str = meaning(condition, properties) is True
    except ZeroDivisionError:
        expected = Code.USER_MESSAGE_INVALID
    try:
        actual: bool | Code | str = selects(sent)
    except BrokerError as error:
        actual = error.code

    assert actual == expected
