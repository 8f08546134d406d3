"""Texts and stored bytes become values in one place of each kind, which gives a value or the catalogue's error."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BROKER = Path(__file__).parents[2] / "broker"
READERS = frozenset({"model/number.py", "model/base64_text.py", "model/json_object.py", "model/stored_json.py"})
"""The one reader of numbers, of base64, and of JSON of peers and of the store."""
PERMITTED = {
    "config/syntax.py": ("int(match[1], 16)",),
    "failpoints.py": ("int(_COUNT)", "_COUNT.isdigit"),
    "filters/sql92/values.py": ("float(left)", "float(right)"),
    "logs/flood.py": ("int(event['log_time'])",),
    "logs/lines.py": ("int(when)",),
    "model/host.py": ("int(address)",),
    "native/wire/frames.py": ("digits.isdigit", "int(digits)", "field.isdigit", "int(field)"),
    "store/backup_settings.py": ("int(match[1])", "int(match[2])"),
    "store/sql/database.py": ("int(cursor.rowcount)",),
    "store/sql/reader.py": ("int(size)",),
}
"""What is no text of others, or is cut to digits by a pattern, or by ``bytes.isdigit``, which knows ASCII only."""
CONVERSIONS = frozenset({"int", "float", "complex", "Decimal", "Fraction", "b64decode", "a2b_base64", "literal_eval"})
DIGITS = frozenset({"isdigit", "isdecimal", "isnumeric"})
"""They hold for texts that ``int`` does not read."""
METHODS = DIGITS | {"b64decode", "a2b_base64", "fromisoformat", "strptime", "literal_eval"}
NUMBERS = frozenset({"int", "float"})
DOCUMENTS = frozenset({"loads", "load"})
"""Of ``json`` and ``pickle``."""


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Names of the parameters that are numbers."""
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return frozenset(each.arg for each in given if each.annotation and ast.unparse(each.annotation) in NUMBERS)


def is_number(argument: ast.expr, numbers: frozenset[str]) -> bool:
    """Whether it cannot be a text."""
    return isinstance(argument, ast.BinOp | ast.Constant) or (isinstance(argument, ast.Name) and argument.id in numbers)


def conversions(node: ast.AST, numbers: frozenset[str] = frozenset()) -> Iterator[str]:
    """Where something becomes a value that may be anything.

    Args:
        node: to look into.
        numbers: names that are numbers here.
    """
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            numbers = parameters_of(node)
        case ast.Call(func=ast.Name(id=name), args=[argument, *_]) if name in CONVERSIONS:
            if not is_number(argument, numbers):
                yield ast.unparse(node)
        case ast.Call(func=ast.Name(id="map"), args=[ast.Name(id=name), *_]) if name in CONVERSIONS:
            yield ast.unparse(node)
        case ast.Attribute(value=ast.Name(id="json" | "pickle" | "marshal"), attr=attribute) if attribute in DOCUMENTS:
            yield ast.unparse(node)
        case ast.Attribute(attr=attribute) if attribute in METHODS:
            yield ast.unparse(node)
    for child in ast.iter_child_nodes(node):
        yield from conversions(child, numbers)


def found_in(path: Path) -> list[str]:
    return list(conversions(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize("path", sorted(BROKER.rglob("*.py")), ids=lambda path: str(path.relative_to(BROKER)))
def test_nothing_but_its_reader_turns_a_text_into_a_value(path: Path) -> None:
    name = str(path.relative_to(BROKER))
    if name not in READERS:
        assert sorted(set(found_in(path)) - set(PERMITTED.get(name, ()))) == []


@pytest.mark.parametrize("name", sorted(READERS))
def test_no_reader_looks_whether_a_text_is_digits(name: str) -> None:
    assert [each for each in found_in(BROKER / name) if each.rpartition(".")[2] in DIGITS] == []


@pytest.mark.parametrize("name", sorted(PERMITTED))
def test_what_is_permitted_is_needed(name: str) -> None:
    assert sorted(set(PERMITTED[name]) - set(found_in(BROKER / name))) == []


@pytest.mark.parametrize(
    "text",
    [
        "int(text)",
        "int(given.text)",
        "float(attributes['x'])",
        "text.isdigit()",
        "filter(str.isdecimal, texts)",
        "json.loads(record.data)",
        "pickle.load(file)",
        "base64.b64decode(text)",
        "datetime.fromisoformat(stamp)",
        "int(text, 16)",
        "map(base64.b64decode, texts)",
        "map(int, texts)",
    ],
)
def test_such_a_conversion_is_found(text: str) -> None:
    assert len(list(conversions(ast.parse(text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "int(seconds * 1000)",
        "float('inf')",
        "def size(octets: int): return float(octets)",
        "whole(text, 'the number')",
        "json.dumps(1)",
    ],
)
def test_arithmetic_and_readers_are_none(text: str) -> None:
    assert list(conversions(ast.parse(text))) == []
