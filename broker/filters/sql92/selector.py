"""Parsing of selectors and their compilation (spec xmlblaster §12.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args

from broker.errors import BrokerError, Code
from broker.filters.candidate import Candidate, Predicate
from broker.filters.latest import Latest
from broker.filters.pattern import compile_pattern
from broker.filters.sql92 import expression
from broker.filters.sql92.expression import Evaluate, Expression, Kind
from broker.filters.sql92.like import like_expression
from broker.filters.sql92.values import MAX_INTEGER, environment
from broker.model.number import real_or_none, whole_or_none

MAX_DEPTH = 64
"""Levels of nesting; well below what the interpreter's stack allows, wherever a message is matched."""

_environment = Latest(environment)


def compile_sql92(text: str) -> Predicate:
    """Let messages pass whose client properties make the selector true.

    Raises:
        BrokerError: ``user.query.invalid`` for a selector that is malformed, or nested deeper than :data:`MAX_DEPTH`.
    """
    try:
        # The parser applies _Builder as it reduces, so what it returns is no tree.
        condition: Any = _parser().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(error, text) from None
    evaluate: Evaluate = condition.evaluate

    def passes(candidate: Candidate) -> bool:
        return evaluate(_environment(candidate.qos.properties)) is True

    return passes


@cache
def _parser() -> Lark:
    grammar = files(__package__).joinpath("sql92.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", transformer=_Builder())


def _syntax_error(error: UnexpectedInput, text: str) -> BrokerError:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return _invalid("it ends too early", len(text))
    at = cast(int, error.pos_in_stream)
    return _invalid(f"'{text[at : at + 16]}' was not expected", at)


def _invalid(reason: str, start: int) -> BrokerError:
    return BrokerError(Code.USER_QUERY_INVALID, f"The Sql92 filter is not valid at character {start + 1}: {reason}.")


@v_args(inline=True)
class _Builder(Transformer[Token, Expression]):
    """Makes an :class:`Expression` of every rule of the grammar, bottom up."""

    def start(self, operand: Expression) -> Expression:
        _require(operand, Kind.CONDITION)
        return operand

    def integer(self, token: Token) -> Expression:
        value = whole_or_none(token.rstrip("lL"), 0, MAX_INTEGER)
        if value is None:
            raise _invalid("the integer has more than 64 bits", _start(token))
        return Expression(expression.literal(value), Kind.NUMBER, 1, _start(token))

    def float(self, token: Token) -> Expression:
        value = real_or_none(token)
        if value is None:
            raise _invalid("the number is too long", _start(token))
        return Expression(expression.literal(value), Kind.NUMBER, 1, _start(token))

    def string(self, token: Token) -> Expression:
        return Expression(expression.literal(_unquoted(token)), Kind.STRING, 1, _start(token))

    def boolean(self, token: Token) -> Expression:
        return Expression(expression.literal(token.upper() == "TRUE"), Kind.CONDITION, 1, _start(token))

    def identifier(self, token: Token) -> Expression:
        return Expression(expression.identifier(str(token)), Kind.PROPERTY, 1, _start(token))

    def parentheses(self, opening: Token, operand: Expression) -> Expression:
        return _built(operand.evaluate, operand.kind, _start(opening), operand)

    def disjunction(self, *operands: Expression) -> Expression:
        return _logical(expression.disjunction, operands)

    def conjunction(self, *operands: Expression) -> Expression:
        return _logical(expression.conjunction, operands)

    def negation(self, keyword: Token, operand: Expression) -> Expression:
        _require(operand, Kind.CONDITION)
        return _built(expression.negation(operand.evaluate), Kind.CONDITION, _start(keyword), operand)

    def comparison(self, left: Expression, operator: Token, right: Expression) -> Expression:
        evaluate = expression.comparison(left.evaluate, str(operator), right.evaluate)
        return _built(evaluate, Kind.CONDITION, left.start, left, right)

    def between(self, operand: Expression, inverted: Token | None, low: Expression, high: Expression) -> Expression:
        evaluate = expression.between(operand.evaluate, inverted is not None, low.evaluate, high.evaluate)
        return _built(evaluate, Kind.CONDITION, operand.start, operand, low, high)

    def membership(self, operand: Expression, inverted: Token | None, _: Token, *members: Token) -> Expression:
        strings = frozenset(map(_unquoted, members))
        evaluate = expression.membership(operand.evaluate, inverted is not None, strings)
        return _built(evaluate, Kind.CONDITION, operand.start, operand)

    def like(self, operand: Expression, inverted: Token | None, like: Token, escape: Token | None) -> Expression:
        return _pattern(operand, inverted, like, lambda: like_expression(_unquoted(like), escape and _unquoted(escape)))

    def regex(self, operand: Expression, inverted: Token | None, regex: Token) -> Expression:
        return _pattern(operand, inverted, regex, lambda: _unquoted(regex))

    def null(self, operand: Expression, inverted: Token | None) -> Expression:
        return _built(expression.null(operand.evaluate, inverted is not None), Kind.CONDITION, operand.start, operand)

    def sum(self, first: Expression, *rest: Any) -> Expression:
        return _arithmetic(first, rest)

    def product(self, first: Expression, *rest: Any) -> Expression:
        return _arithmetic(first, rest)

    def signed(self, sign: Token, operand: Expression) -> Expression:
        _require(operand, Kind.NUMBER)
        return _built(expression.signed(str(sign), operand.evaluate), Kind.NUMBER, _start(sign), operand)


def _logical(combine: Callable[[tuple[Evaluate, ...]], Evaluate], operands: tuple[Expression, ...]) -> Expression:
    for operand in operands:
        _require(operand, Kind.CONDITION)
    evaluate = combine(tuple(operand.evaluate for operand in operands))
    return _built(evaluate, Kind.CONDITION, operands[0].start, *operands)


def _arithmetic(first: Expression, rest: tuple[Any, ...]) -> Expression:
    operators: Iterable[Token] = rest[::2]
    operands: tuple[Expression, ...] = rest[1::2]
    for operand in (first, *operands):
        _require(operand, Kind.NUMBER)
    steps = tuple((str(operator), operand.evaluate) for operator, operand in zip(operators, operands, strict=True))
    return _built(expression.arithmetic(first.evaluate, steps), Kind.NUMBER, first.start, first, *operands)


def _pattern(operand: Expression, inverted: Token | None, literal: Token, write: Callable[[], str]) -> Expression:
    try:
        matches = compile_pattern(write())
    except BrokerError as error:
        raise _invalid(error.message.rstrip("."), _start(literal)) from None
    evaluate = expression.pattern(operand.evaluate, inverted is not None, matches)
    return _built(evaluate, Kind.CONDITION, operand.start, operand)


def _built(evaluate: Evaluate, kind: Kind, start: int, *parts: Expression) -> Expression:
    depth = 1 + max(part.depth for part in parts)
    if depth > MAX_DEPTH:
        raise _invalid(f"it is nested deeper than {MAX_DEPTH} levels", start)
    return Expression(evaluate, kind, depth, start)


def _require(operand: Expression, kind: Kind) -> None:
    """Refuse what can never be of that kind, whatever the message."""
    if operand.kind not in (kind, Kind.PROPERTY):
        raise _invalid(f"{operand.kind.value} stands where {kind.value} is needed", operand.start)


def _start(token: Token) -> int:
    return token.start_pos or 0


def _unquoted(token: Token) -> str:
    return token[1:-1].replace("''", "'")
