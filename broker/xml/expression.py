"""What an XPath expression may consist of, and what evaluating it can cost at most.

libxml2 evaluates an expression to its end, however long that takes, in the reactor's thread. So expressions whose cost
grows faster than with the square of the document are refused, and the cost of the others is known beforehand: a
:class:`Cost` times the size of a document (design D11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from broker.errors import BrokerError, Code
from broker.xml.names import NameBudget
from broker.xml.parse import MAX_NAME

MAX_LENGTH = 4096
MAX_NESTING = 32

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
    | (?P<literal>"[^"]*"|'[^']*')
    | (?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
    | (?P<name>[^\W\d][\w.\-]*(?::(?:\*|[^\W\d][\w.\-]*))?)
    | (?P<symbol>//|\.\.|::|!=|<=|>=|[/.*@,|+\-=<>()\[\]$])""",
    re.VERBOSE,
)

_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_OPERATORS = _COMPARISONS | {"|", "+", "-"}
_OPERATOR_NAMES = frozenset({"and", "or", "div", "mod", "*"})
_OPERAND_ENDS = frozenset({")", "]", ".", "..", "*"})

_NODE_TYPES = frozenset({"comment", "text", "processing-instruction", "node"})
_STRING_FUNCTIONS = frozenset({"string", "concat", "starts-with", "substring", "string-length", "normalize-space"})
_SEARCHES = frozenset({"contains", "substring-before", "substring-after", "translate"})
"""Functions that take time in the product of two strings' lengths; the second one must be a literal."""

_NODE_FUNCTIONS = frozenset({"last", "position", "count", "local-name", "namespace-uri", "name", "lang"})
_VALUE_FUNCTIONS = frozenset({"boolean", "not", "true", "false", "number", "sum", "floor", "ceiling", "round"})
_FUNCTIONS = _STRING_FUNCTIONS | _SEARCHES | _NODE_FUNCTIONS | _VALUE_FUNCTIONS

_DOWNWARD = frozenset({"child", "attribute", "self"})
_DEEP = frozenset({"descendant", "descendant-or-self", "ancestor", "ancestor-or-self"})
_AXES = _DOWNWARD | _DEEP | {"parent"}

_DEEP_STEP_WEIGHT = 10


class Cost(NamedTuple):
    """An upper estimate of an evaluation: ``linear`` times document cost plus ``quadratic`` times elements squared."""

    linear: int
    quadratic: int

    def on(self, document_cost: int, elements: int) -> int:
        """Elementary steps of an evaluation on a document of that size; a step takes about a nanosecond."""
        return self.linear * document_cost + self.quadratic * elements * elements


class Expression(NamedTuple):
    """A checked expression.

    Args:
        text: as given, trimmed.
        prefixes: namespace prefixes that it uses.
        cost: of evaluating it.
    """

    text: str
    prefixes: frozenset[str]
    cost: Cost


class _Token(NamedTuple):
    kind: str
    text: str


@dataclass(slots=True)
class _Bracket:
    symbol: str
    function: str
    arguments: int = 1


def check_expression(text: str, budget: NameBudget) -> Expression:
    """Check an expression before it is compiled.

    Refused are variables, functions outside of XPath 1.0's core library (and ``id``), the sibling, following and
    preceding axes, searching for a string that is not a literal, and within predicates everything that leads out of
    the node: ``//``, ``..`` and absolute paths.

    Args:
        text: the expression, at most 4096 characters.
        budget: admits the names in the expression, since libxml2 keeps them.

    Raises:
        BrokerError: ``user.query.invalid`` saying what is refused, ``resource.exhaust`` where the budget is used up.
    """
    text = text.strip()
    if not text:
        raise invalid("the XPath expression is empty")
    if len(text) > MAX_LENGTH:
        raise invalid(f"an XPath expression of {len(text)} characters exceeds the limit of {MAX_LENGTH}")
    check = _Check(_tokens(text), budget)
    check.run()
    return Expression(text, frozenset(check.prefixes), Cost(check.linear, check.quadratic))


def invalid(text: str) -> BrokerError:
    """The error for an expression that is broken or refused."""
    return BrokerError(Code.USER_QUERY_INVALID, text)


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise invalid(f"unexpected '{text[position : position + 16]}' in the XPath expression")
        if match.lastgroup != "blank":
            tokens.append(_Token(match.lastgroup, match[0]))
        position = match.end()
    return tokens


class _Check:
    """One pass over the tokens, which follows brackets and knows names from operators (XPath 1.0 §3.7)."""

    def __init__(self, tokens: list[_Token], budget: NameBudget) -> None:
        self.prefixes: set[str] = set()
        self.linear = len(tokens)
        self.quadratic = 0
        self._tokens = tokens
        self._budget = budget
        self._open: list[_Bracket] = []
        self._predicates = 0
        self._called = ""  # the function whose bracket is next
        self._after_operand = False
        self._free_deep_step = True

    def run(self) -> None:
        """Check all tokens; raises BrokerError for what is refused."""
        for index, (kind, text) in enumerate(self._tokens):
            if self._after_operand and text in _OPERATOR_NAMES and kind != "literal":
                self._new_path()
                self._after_operand = False
            elif kind == "name":
                self._name(index, text)
                self._after_operand = True
            elif kind == "symbol":
                self._symbol(index, text)
                self._after_operand = text in _OPERAND_ENDS
            else:
                self._after_operand = True
        if self._open:  # libxml2 takes some functions without their closing bracket
            raise invalid(f"unbalanced '{self._open[-1].symbol}' in the XPath expression")

    def _at(self, index: int) -> _Token:
        return self._tokens[index] if 0 <= index < len(self._tokens) else _Token("", "")

    def _name(self, index: int, name: str) -> None:
        following = self._at(index + 1)
        if following == ("symbol", "::"):
            self._axis(name)
        elif following == ("symbol", "("):
            if name not in _FUNCTIONS and name not in _NODE_TYPES:
                raise invalid(f"the function {name[:64]}() is not supported")
            self._called = name
        else:
            self._name_test(name)

    def _name_test(self, name: str) -> None:
        prefix, _, local = name.rpartition(":")
        for part in filter(None, (prefix, local)):
            if len(part) > MAX_NAME:
                raise invalid(f"a name of {len(part)} characters in the XPath expression; {MAX_NAME} are allowed")
            self._budget.admit(part)
        if prefix and prefix != "xml":
            self.prefixes.add(prefix)

    def _axis(self, axis: str) -> None:
        if axis not in _AXES:
            raise invalid(f"the axis {axis[:64]} is not supported")
        if self._predicates and axis not in _DOWNWARD:
            raise invalid(f"the axis {axis} inside a predicate is not supported")
        if axis in _DEEP:
            self._deep_step()
        elif axis == "parent":
            self.quadratic += 1

    def _symbol(self, index: int, symbol: str) -> None:
        match symbol:
            case "(" | "[":
                self._open_bracket(symbol)
            case ")" | "]":
                self._close_bracket(symbol)
            case "//" | "/" | "..":
                self._step(symbol)
            case "$":
                raise invalid("variables are not supported in XPath expressions")
            case ",":
                self._comma(index)
            case _ if symbol in _OPERATORS:
                self._operator(index, symbol)

    def _open_bracket(self, symbol: str) -> None:
        self._open.append(_Bracket(symbol, self._called))
        self._called = ""
        if len(self._open) > MAX_NESTING:
            raise invalid(f"an XPath expression nested deeper than {MAX_NESTING} brackets")
        if symbol == "[":
            self._predicates += 1

    def _close_bracket(self, symbol: str) -> None:
        if not self._open or self._open.pop().symbol + symbol not in ("()", "[]"):
            raise invalid(f"unbalanced '{symbol}' in the XPath expression")
        if symbol == "]":
            self._predicates -= 1
        # The path goes on from a result that may have taken a deep step already.
        self._free_deep_step = False

    def _step(self, symbol: str) -> None:
        leads_out = symbol != "/" or not self._after_operand
        if self._predicates and leads_out:
            raise invalid(f"'{symbol}' that leads out of the node inside a predicate is not supported")
        if symbol == "//":
            self._deep_step()
        elif symbol == "..":
            self.quadratic += 1

    def _comma(self, index: int) -> None:
        self._new_path()
        if not self._open:
            raise invalid("unexpected ',' in the XPath expression")
        call = self._open[-1]
        if call.function == "concat":  # copies what it has so far for every further argument
            self.linear += call.arguments
        call.arguments += 1
        if call.function not in _SEARCHES:
            return
        needle = self._at(index + 1)
        if needle.kind != "literal" or self._at(index + 2).text not in (",", ")"):
            raise invalid(f"{call.function}() is supported with a literal as its second argument only")
        self.linear += len(needle.text)

    def _operator(self, index: int, symbol: str) -> None:
        self._new_path()
        beside = {self._at(index - 1).kind, self._at(index + 1).kind}
        if symbol == "|" or (symbol in _COMPARISONS and not beside & {"literal", "number"}):
            self.quadratic += 1

    def _deep_step(self) -> None:
        if not self._free_deep_step:
            self.quadratic += _DEEP_STEP_WEIGHT
        self._free_deep_step = False

    def _new_path(self) -> None:
        self._free_deep_step = True
