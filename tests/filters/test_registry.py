from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.filters import compile_filter, compile_filters
from broker.filters.registry import MAX_FILTERS, MAX_TEXT
from broker.model.key import Filter
from tests.filters.candidates import message, with_properties


@pytest.mark.parametrize(
    ("native", "plain", "text"),
    [
        ("GnuRegexFilter", "regex", "H.*"),
        ("ContentLenFilter", "size", "10"),
        ("XPathFilter", "xpath", "/news"),
        ("Sql92Filter", "sql92", "a = 1"),
    ],
)
def test_every_filter_has_the_name_that_native_clients_use_and_a_plain_one(native: str, plain: str, text: str) -> None:
    sent = message(b"Hello")

    assert compile_filter(Filter(native, text))(sent) == compile_filter(Filter(plain, text))(sent)


@pytest.mark.parametrize(
    "filter", [Filter("NoSuchFilter", "x"), Filter("", "x"), Filter("Regex", "x"), Filter("regex", "x", "2.0")]
)
def test_an_unknown_type_or_version_is_refused(filter: Filter) -> None:
    with pytest.raises(BrokerError) as caught:
        compile_filter(filter)
    assert caught.value.code == Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED


def test_the_version_may_be_left_out() -> None:
    assert compile_filter(Filter("regex", "H.*", ""))(message(b"Hello"))


@pytest.mark.parametrize("type", ["regex", "size", "xpath", "sql92"])
def test_a_text_over_the_limit_is_refused(type: str) -> None:
    with pytest.raises(BrokerError, match=str(MAX_TEXT)) as caught:
        compile_filter(Filter(type, "1" * (MAX_TEXT + 1)))
    assert caught.value.code == Code.USER_QUERY_INVALID


def test_equal_filters_are_compiled_once() -> None:
    assert compile_filter(Filter("regex", "once.*")) is compile_filter(Filter("regex", "once.*"))


def test_no_filters_make_no_predicate() -> None:
    assert compile_filters(()) is None


def test_one_filter_is_its_own_predicate() -> None:
    single = Filter("regex", "H.*")

    assert compile_filters((single,)) is compile_filter(single)


@pytest.mark.parametrize(
    ("content", "passes"), [(b"Hello", True), (b"Hello World", False), (b"World", False), (b"Salt and more", False)]
)
def test_all_filters_must_let_a_message_pass(content: bytes, passes: bool) -> None:
    predicate = compile_filters((Filter("regex", "H.*"), Filter("size", "5")))

    assert predicate is not None
    assert predicate(message(content)) is passes


def test_a_query_cannot_have_any_number_of_filters() -> None:
    assert compile_filters((Filter("size", "5"),) * MAX_FILTERS) is not None
    with pytest.raises(BrokerError) as caught:
        compile_filters((Filter("size", "5"),) * (MAX_FILTERS + 1))
    assert caught.value.code == Code.USER_QUERY_INVALID


def test_one_bad_filter_refuses_them_all() -> None:
    with pytest.raises(BrokerError):
        compile_filters((Filter("size", "5"), Filter("sql92", "a =")))


def test_a_predicate_may_be_asked_for_any_number_of_messages() -> None:
    predicate = compile_filter(Filter("sql92", "a = 1"))

    assert [predicate(with_properties(a=number)) for number in (1, 2, 1)] == [True, False, True]
