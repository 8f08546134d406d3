from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.filters import compile_filter
from broker.model.key import Filter
from tests.filters.candidates import message


def passes(expression: str, content: bytes) -> bool:
    return compile_filter(Filter("GnuRegexFilter", expression))(message(content))


def test_the_whole_content_must_match() -> None:
    assert passes("H.*", b"Hello")
    assert not passes("H.*", b"Oh, Hello")
    assert not passes("Hell", b"Hello")


def test_anchors_are_allowed() -> None:
    assert passes("^H.*$", b"Hello")
    assert not passes("^H.*$", b"World")


def test_white_space_around_the_expression_does_not_count() -> None:
    assert passes("\n   ^H.*$\n  ", b"Hello")


def test_an_empty_expression_matches_only_empty_contents() -> None:
    assert passes("", b"")
    assert not passes("", b"Hello")


def test_a_dot_stops_at_the_end_of_a_line_unless_it_is_told_not_to() -> None:
    assert not passes("H.*", b"Hello\nWorld")
    assert passes("(?s)H.*", b"Hello\nWorld")


def test_a_dot_matches_one_character_of_utf_8() -> None:
    assert passes("Gr..e", "Grüße".encode())


def test_a_content_that_is_no_utf_8_is_read_as_iso_8859_1() -> None:
    assert passes("Gr..e", "Grüße".encode("latin-1"))
    assert passes("Grüße", "Grüße".encode("latin-1"))
    assert passes("(?s).*", bytes(range(256)))


@pytest.mark.parametrize("expression", ["a(b", "*", "[z-a]", r"(a)\1", "(?=a)", "a{1001}", "\ud800"])
def test_a_malformed_expression_is_refused(expression: str) -> None:
    with pytest.raises(BrokerError) as caught:
        compile_filter(Filter("GnuRegexFilter", expression))
    assert caught.value.code == Code.USER_QUERY_INVALID


def test_the_error_names_the_wrong_part_of_the_expression() -> None:
    with pytest.raises(BrokerError, match=r"b\[z-a\]|z-a"):
        compile_filter(Filter("GnuRegexFilter", "ab[z-a]"))


def test_an_expression_that_would_take_much_memory_is_refused() -> None:
    with pytest.raises(BrokerError, match="too large"):
        compile_filter(Filter("GnuRegexFilter", r"\pL{900}"))


def test_an_expression_that_is_exponential_for_backtracking_is_answered() -> None:
    assert not passes("(a+)+b", b"a" * 100_000)


def test_a_content_too_long_for_a_large_expression_is_an_error_of_the_message() -> None:
    predicate = compile_filter(Filter("GnuRegexFilter", "[01]*1[01]{900}"))

    with pytest.raises(BrokerError) as caught:
        predicate(message(bytes(2_000_000)))

    assert caught.value.code == Code.USER_MESSAGE_INVALID


@given(st.text(max_size=40), st.binary(max_size=40))
def test_any_text_is_an_expression_or_refused(expression: str, content: bytes) -> None:
    try:
        predicate = compile_filter(Filter("GnuRegexFilter", expression))
    except BrokerError as error:
        assert error.code == Code.USER_QUERY_INVALID
    else:
        assert isinstance(predicate(message(content)), bool)
