"""Names of subjects and sessions (spec xmlblaster §1.3)."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.model.address import MAXIMUM_LENGTH, SessionName, parse_session_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("joe", SessionName("heron", "joe")),
        ("joe/", SessionName("heron", "joe")),
        ("joe/1", SessionName("heron", "joe", 1)),
        ("client/joe/-7", SessionName("heron", "joe", -7)),
        ("client/joe/session/1", SessionName("heron", "joe", 1)),
        ("/node/frog/client/joe/1", SessionName("frog", "joe", 1)),
        (f"joe/{10**18 - 1}", SessionName("heron", "joe", 10**18 - 1)),
    ],
)
def test_every_spelling_is_read(text: str, name: SessionName) -> None:
    assert parse_session_name(text, "heron") == name


@pytest.mark.parametrize(
    "text",
    ["", "/", "/node/heron/joe", "joe/1/2", "joe/one", "joe/1_0", "joe/\u0661", "joe/99999999999999999999", "joe/--1"],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    # a number beyond 64 bits could be stored nowhere
    with pytest.raises(BrokerError) as caught:
        parse_session_name(text, "heron")
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT


def test_a_name_is_no_longer_than_it_may_be() -> None:
    assert parse_session_name("x" * MAXIMUM_LENGTH, "heron").subject
    with pytest.raises(BrokerError):
        parse_session_name("x" * (MAXIMUM_LENGTH + 1), "heron")


def test_the_refusal_is_short() -> None:
    with pytest.raises(BrokerError) as caught:
        parse_session_name("x" * 100_000 + "//", "heron")
    assert len(caught.value.message) < 1000
