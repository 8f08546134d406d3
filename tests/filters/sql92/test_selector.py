"""Selectors by the grammar of spec xmlblaster §12.1, one row for each rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.filters.sql92 import compile_sql92
from broker.filters.sql92.selector import MAX_DEPTH
from broker.model.property import ClientProperty
from tests.filters.candidates import Message, message

MESSAGE = message(
    properties=(
        ClientProperty("name", "joe"),
        ClientProperty("quoted", "it's"),
        ClientProperty("wild", "50%_a"),
        ClientProperty("lines", "one\ntwo"),
        ClientProperty("umlaut", "für"),
        ClientProperty("digits", "5"),
        ClientProperty("empty", ""),
        ClientProperty("markup", "PGI+", encoding="base64"),
        ClientProperty("blob", "AQI=", "byte[]", "base64"),
        ClientProperty("yes", "true", "boolean"),
        ClientProperty("no", "false", "boolean"),
        ClientProperty("byte", "7", "byte"),
        ClientProperty("short", "300", "short"),
        ClientProperty("i", "5", "int"),
        ClientProperty("minus", "-7", "int"),
        ClientProperty("zero", "0", "int"),
        ClientProperty("long", "9223372036854775807", "long"),
        ClientProperty("huge", "9" * 30, "long"),
        ClientProperty("broken", "five", "int"),
        ClientProperty("float", "0.5", "float"),
        ClientProperty("d", "2.5", "double"),
        ClientProperty("odd", "5", "furlong"),
        ClientProperty("twice", "first"),
        ClientProperty("twice", "second"),
        ClientProperty("$dollar_1", "1", "int"),
        ClientProperty("Name", "Capital"),
        ClientProperty("index", "1", "int"),
        ClientProperty("escape", "1", "int"),
        ClientProperty("regex", "1", "int"),
        ClientProperty("größe", "1", "int"),
    )
)


def selects(selector: str, sent: Message = MESSAGE) -> bool:
    return compile_sql92(selector)(sent)


LITERALS = [
    ("TRUE", True),
    ("FALSE", False),
    ("true", True),
    ("'joe' = 'joe'", True),
    ("quoted = 'it''s'", True),
    ("empty = ''", True),
    ("i = 5", True),
    ("i = 5L", True),
    ("d = 2.5", True),
    ("d = 2.5f", True),
    ("d = 25e-1", True),
    ("d = 2.5E0", True),
    ("float = .5", True),
    ("i = 5.", True),
    ("i = 5d", True),
    ("lines = 'one\ntwo'", True),
    ("umlaut = 'für'", True),
]

IDENTIFIERS = [
    ("name = 'joe'", True),
    ("Name = 'joe'", False),
    ("Name = 'Capital'", True),
    ("$dollar_1 = 1", True),
    ("größe = 1", True),
    ("index = 1", True),
    ("escape = 1", True),
    ("regex = 1", True),
    ("twice = 'first'", True),
    ("markup = '<b>'", True),
    ("yes", True),
    ("no", False),
    ("(yes)", True),
    ("name", False),
    ("i", False),
    ("unknown", False),
]

COMPARISONS = [
    ("i = 6", False),
    ("i <> 6", True),
    ("i <> 5", False),
    ("i != 6", True),
    ("i ^= 6", True),
    ("i < 6", True),
    ("i < 5", False),
    ("i <= 5", True),
    ("i > 4", True),
    ("i > 5", False),
    ("i >= 5", True),
    ("i >= 6", False),
    ("i=5", True),
    ("5 = i", True),
    ("minus < zero", True),
    ("i = 5.0", True),
    ("d > 2", True),
    ("byte < short", True),
    ("name < 'k'", True),
    ("name > 'k'", False),
    ("name <= 'joe'", True),
    ("'B' < 'a'", True),
    ("yes = TRUE", True),
    ("yes <> no", True),
    ("no < yes", False),
    ("(i = 5) = yes", True),
]

DIFFERENT_TYPES = [
    ("digits = 5", False),
    ("digits <> 5", False),
    ("digits < 6", False),
    ("digits = '5'", True),
    ("odd = '5'", True),
    ("yes = 'true'", False),
    ("yes = 1", False),
    ("yes <> 1", False),
    ("blob = 'x'", False),
    ("blob = blob", False),
    ("broken = 5", False),
    ("broken = 'five'", True),
    ("huge > 5", False),
    ("NOT digits = 5", True),
]

NULLS = [
    ("unknown IS NULL", True),
    ("unknown IS NOT NULL", False),
    ("name IS NULL", False),
    ("name IS NOT NULL", True),
    ("blob IS NOT NULL", True),
    ("empty IS NULL", False),
    ("unknown is null", True),
    ("unknown = 0", False),
    ("unknown <> 0", False),
    ("unknown = unknown", False),
    ("unknown = 'x'", False),
    ("NOT unknown = 'x'", True),
    ("NOT unknown", True),
]

ARITHMETIC = [
    ("i + 1 = 6", True),
    ("i - 1 = 4", True),
    ("i * 2 = 10", True),
    ("i / 2 = 2", True),
    ("minus / 2 = -3", True),
    ("minus / -2 = 3", True),
    ("i / 2.0 = 2.5", True),
    ("i + d = 7.5", True),
    ("1 + 2 * 3 = 7", True),
    ("(1 + 2) * 3 = 9", True),
    ("10 - 3 - 2 = 5", True),
    ("100 / 10 / 2 = 5", True),
    ("-i = -5", True),
    ("- - i = 5", True),
    ("+i = 5", True),
    ("-d = -2.5", True),
    ("2 - -3 = 5", True),
    ("i-1=4", True),
    ("-i < 0 AND i > 0", True),
    ("unknown + 1 = 1", True),
    ("unknown * 5 = 0", True),
    ("-unknown = 0", True),
    ("+unknown = 0", True),
    ("unknown - unknown = 0", True),
    ("long + 1 < 0", True),
    ("long + 1.0 > 0", True),
    ("i / 0.0 > long", True),
    ("minus / 0.0 < 0", True),
    ("0.0 / zero = 0.0 / zero", False),
    ("name + 1 = 1", False),
    ("name + 1 <> 1", False),
    ("yes + 1 = 2", False),
    ("-name = 0", False),
    ("(name + 1) IS NULL", False),
    ("name + 1 + unknown = 0", False),
]

BETWEEN = [
    ("i BETWEEN 5 AND 6", True),
    ("i BETWEEN 4 AND 5", True),
    ("i BETWEEN 6 AND 7", False),
    ("i BETWEEN 6 AND 4", False),
    ("i NOT BETWEEN 6 AND 7", True),
    ("i NOT BETWEEN 5 AND 6", False),
    ("i BETWEEN 2 * 2 AND d * 2", True),
    ("i + 1 BETWEEN 6 AND 6", True),
    ("name BETWEEN 'a' AND 'k'", True),
    ("i BETWEEN 4 AND 6 AND name = 'joe'", True),
    ("digits BETWEEN 4 AND 6", False),
    ("digits NOT BETWEEN 4 AND 6", False),
    ("unknown BETWEEN 0 AND 1", False),
    ("unknown NOT BETWEEN 0 AND 1", False),
    ("i NOT BETWEEN unknown AND 3", False),
    ("i between 5 and 6", True),
]

IN = [
    ("name IN ('jack', 'joe')", True),
    ("name IN ('jack')", False),
    ("name NOT IN ('jack')", True),
    ("name NOT IN ('joe')", False),
    ("quoted IN ('it''s')", True),
    ("name in('joe')", True),
    ("unknown IN ('a')", False),
    ("unknown NOT IN ('a')", False),
    ("NOT (unknown IN ('a'))", True),
    ("i IN ('5')", False),
    ("i NOT IN ('5')", False),
]

LIKE = [
    ("name LIKE 'joe'", True),
    ("name LIKE 'jo'", False),
    ("name LIKE 'j%'", True),
    ("name LIKE '%e'", True),
    ("name LIKE '%o%'", True),
    ("name LIKE '%'", True),
    ("empty LIKE '%'", True),
    ("name LIKE 'j_e'", True),
    ("name LIKE 'j_'", False),
    ("umlaut LIKE 'f_r'", True),
    ("lines LIKE 'one%two'", True),
    ("lines LIKE 'one_two'", True),
    ("name NOT LIKE 'k%'", True),
    ("name NOT LIKE 'j%'", False),
    ("name LIKE 'J%'", False),
    ("name LIKE 'j.e'", False),
    ("name LIKE 'jo[e]'", False),
    ("wild LIKE '50!%!_a' ESCAPE '!'", True),
    ("wild LIKE '50\\%%' ESCAPE '\\'", True),
    ("name LIKE 'j!%' ESCAPE '!'", False),
    ("'a!b' LIKE 'a!!b' ESCAPE '!'", True),
    ("unknown LIKE '%'", False),
    ("unknown NOT LIKE 'x'", False),
    ("i LIKE '%'", False),
    ("i NOT LIKE 'x'", False),
]

REGEX = [
    ("name REGEX 'j.*'", True),
    ("name REGEX 'o'", False),
    ("name REGEX '(?i)JOE'", True),
    ("umlaut REGEX 'f.r'", True),
    ("name NOT REGEX 'k.*'", True),
    ("quoted REGEX 'it''s'", True),
    ("unknown REGEX '.*'", False),
    ("i REGEX '5'", False),
]

PRECEDENCE = [
    ("yes OR no AND no", True),
    ("(yes OR no) AND no", False),
    ("NOT no AND no", False),
    ("NOT (no AND no)", True),
    ("NOT no OR yes", True),
    ("NOT yes OR yes", True),
    ("NOT NOT yes", True),
    ("NOT i = 6", True),
    ("NOT name LIKE 'k%' AND yes", True),
    ("yes AND yes AND no", False),
    ("no OR no OR yes", True),
    ("i = 5 AND name = 'joe' OR no", True),
    ("yes and not no or no", True),
]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        *LITERALS,
        *IDENTIFIERS,
        *COMPARISONS,
        *DIFFERENT_TYPES,
        *NULLS,
        *ARITHMETIC,
        *BETWEEN,
        *IN,
        *LIKE,
        *REGEX,
        *PRECEDENCE,
    ],
)
def test_selector(selector: str, expected: bool) -> None:
    assert selects(selector) is expected


def test_white_space_and_line_ends_separate_words() -> None:
    assert selects("\ti\n=\r\n5\n AND\nyes ")


def test_an_integer_divided_by_zero_is_an_error_of_the_message() -> None:
    with pytest.raises(BrokerError) as caught:
        selects("i / zero = 1")
    assert caught.value.code == Code.USER_MESSAGE_INVALID


def test_what_need_not_be_evaluated_is_not() -> None:
    assert not selects("zero <> 0 AND i / zero = 1")
    assert selects("zero = 0 OR i / zero = 1")


@pytest.mark.parametrize(
    ("selector", "character"),
    [
        ("", 1),
        ("i =", 4),
        ("i = = 5", 5),
        ("= 5", 1),
        ("i = 5 i", 7),
        ("i = 'joe", 5),
        ("(i = 5", 7),
        ("i = 5)", 6),
        ("i = 5 AND", 10),
        ("i = 5 & i = 6", 7),
        ("i == 5", 4),
        ("i = 5 = yes", 7),
        ("i BETWEEN 1", 12),
        ("i BETWEEN 1 OR 2", 13),
        ("name IN ()", 10),
        ("name IN (5)", 10),
        ("name IN ('a',)", 14),
        ("name LIKE i", 11),
        ("name LIKE 'a' ESCAPE", 21),
        ("name LIKE 'a' ESCAPE 'xy'", 11),
        ("name LIKE 'a' ESCAPE ''", 11),
        ("name LIKE 'a!b' ESCAPE '!'", 11),
        ("name LIKE 'a!' ESCAPE '!'", 11),
        ("name REGEX 'a('", 12),
        ("i IS 5", 6),
        ("i = NULL", 5),
        ("null = 5", 1),
        ("In = 5", 1),
        ("5x = 5", 1),
        ("yes ORno", 5),
        ("a.b = 5", 2),
        ("i = 9223372036854775808", 5),
        ("5", 1),
        ("'yes'", 1),
        ("i + 1", 1),
        ("yes AND 5", 9),
        ("NOT 'a'", 5),
        ("i = 5 OR i + 1", 10),
        ("i + 'a' = 5", 5),
        ("TRUE + 1 = 2", 1),
        ("1 + (i = 5) = 2", 5),
        ("-(i = 5) = 2", 2),
        ("i = 5; DROP TABLE x", 6),
    ],
)
def test_a_malformed_selector_is_refused_with_the_place(selector: str, character: int) -> None:
    with pytest.raises(BrokerError, match=rf"at character {character}:") as caught:
        compile_sql92(selector)
    assert caught.value.code == Code.USER_QUERY_INVALID


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("NOT ", ""), ("(NOT ", ")"), ("(yes AND ", ")")])
def test_nesting_has_a_limit(opening: str, closing: str) -> None:
    def nested(levels: int) -> str:
        return opening * levels + "yes" + closing * levels

    levels = (MAX_DEPTH - 1) // (2 if opening in ("(NOT ", "(yes AND ") else 1)
    assert selects(nested(levels)) in (True, False)
    with pytest.raises(BrokerError, match="nested"):
        compile_sql92(nested(levels + 1))


def test_signs_have_the_same_limit() -> None:
    with pytest.raises(BrokerError, match="nested"):
        compile_sql92("- " * MAX_DEPTH + "i = 5")


@pytest.mark.parametrize("selector", ["(" * 4000, "NOT " * 1000, "-" * 4000, "(yes OR " * 500, "'" * 4001])
def test_endless_beginnings_are_refused(selector: str) -> None:
    with pytest.raises(BrokerError) as caught:
        compile_sql92(selector)
    assert caught.value.code == Code.USER_QUERY_INVALID


@pytest.mark.parametrize("selector", ["i = 5" + " OR no" * 600, "i" + " + 0" * 900 + " = 5", "yes" + " AND yes" * 450])
def test_long_chains_are_no_nesting(selector: str) -> None:
    assert selects(selector)


WORDS = [
    *("i", "name", "yes", "unknown", "TRUE", "NULL", "5", "2.5", "'a'", "'%'", "(", ")", ",", "+", "-", "*", "/", "="),
    *("<>", "<", ">=", "NOT", "AND", "OR", "BETWEEN", "IN", "LIKE", "ESCAPE", "REGEX", "IS", "'"),
]


@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join) | st.text(max_size=60))
def test_any_text_is_a_selector_or_refused(selector: str) -> None:
    try:
        outcome = selects(selector)
    except BrokerError as error:
        assert error.code in (Code.USER_QUERY_INVALID, Code.USER_MESSAGE_INVALID)
    else:
        assert isinstance(outcome, bool)
