from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.auth.names import check_account_name, is_account_name, subject_of
from broker.errors import BrokerError, Code
from broker.model.address import parse_session_name


@pytest.mark.parametrize("name", ["jo", "joe", "Joe.Doe-2_x", "weather+sensor", "jürgen", "诺伊", "x" * 255])
def test_a_plain_name_is_accepted_as_it_is(name: str) -> None:
    assert check_account_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "at least 2"),
        ("j", "at least 2"),
        ("x" * 256, "at most 255"),
        ("joe/1", "does not contain /"),
        ("joe:x", "does not contain :"),
        ("joe@example.org", "does not contain @"),
        ("joe<b>", "does not contain <"),
        ("joe doe", "blanks"),
        ("joe\n", "blanks"),
        ("joe\0", "control"),
        ("joe\u200b", "control"),
        ("joe\ud800", "control"),
        ("__sys__jdbc", "'_'"),
    ],
)
def test_a_name_that_means_something_else_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(BrokerError) as refused:
        check_account_name(name)
    assert refused.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert reason in refused.value.message


def test_capitals_make_another_name() -> None:
    assert check_account_name("Joe") != check_account_name("joe")


def test_a_decomposed_name_is_composed_when_it_is_created_and_is_no_account_when_it_is_looked_up() -> None:
    assert check_account_name("ju\u0308rgen") == "jürgen"
    assert not is_account_name("ju\u0308rgen")


@pytest.mark.parametrize("user", ["joe", "joe/1", "joe/-3", "client/joe/1", "/node/heron/client/joe", " joe "])
def test_the_subject_is_read_from_every_spelling_of_a_session_name(user: str) -> None:
    assert subject_of(user) == "joe"


@pytest.mark.parametrize("user", ["", "joe/x", "/joe", "a/b/c/d", "x" * 513])
def test_a_user_that_is_no_name_has_no_subject(user: str) -> None:
    assert subject_of(user) is None


@given(st.text(max_size=30))
def test_an_accepted_name_is_the_subject_of_its_own_session_name(name: str) -> None:
    try:
        accepted = check_account_name(name)
    except BrokerError:
        return
    assert parse_session_name(f"{accepted}/1", "heron").subject == accepted
    assert is_account_name(accepted)
