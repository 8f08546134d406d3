"""The targets of requests: decoded once, resolved never."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.model.text import is_xml_text
from broker.net.http.target import read_target

names = st.text().filter(is_xml_text)


@given(st.lists(names, min_size=1))
def test_each_segment_is_what_was_encoded_whatever_characters_it_has(segments: list[str]) -> None:
    path = "/" + "/".join(quote(each, safe="") for each in segments)

    assert read_target(path.encode()).segments == tuple(segments)


@given(st.dictionaries(names, names))
def test_each_parameter_of_the_query_is_what_was_encoded(query: dict[str, str]) -> None:
    assert read_target(f"/?{urlencode(query)}".encode()).query == query


@given(st.binary())
def test_every_target_is_read_or_refused(raw: bytes) -> None:
    try:
        target = read_target(raw)
    except BrokerError as error:
        assert error.code == Code.USER_ILLEGAL_ARGUMENT
    else:
        assert len(target.segments) == raw.partition(b"?")[0].count(b"/")


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", ("",)),
        ("/a/../b", ("a", "..", "b")),
        ("/a/%2e%2E/b", ("a", "..", "b")),
        ("/a/%252e", ("a", "%2e")),
        ("/a%2Fb", ("a/b",)),
        ("//a", ("", "a")),
        ("/a;b=c", ("a;b=c",)),
        ("/a+b", ("a+b",)),
    ],
)
def test_paths_are_decoded_once_and_never_resolved(path: str, segments: tuple[str, ...]) -> None:
    assert read_target(path.encode()).segments == segments


@pytest.mark.parametrize(
    "target",
    ["", "*", "a", "http://localhost/", "/a b", "/a#b", "/%", "/%u002e", "/%e", "/%00", "/%ff", "/%ed%a0%80", "/\x7f"],
)
def test_other_targets_are_refused(target: str) -> None:
    with pytest.raises(BrokerError) as raised:
        read_target(target.encode("latin-1"))
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT


def test_parameter_that_is_given_twice_is_refused() -> None:
    with pytest.raises(BrokerError, match="'limit' is given twice"):
        read_target(b"/?limit=1&%6cimit=2")
