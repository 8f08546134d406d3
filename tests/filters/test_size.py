from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.filters import compile_filter
from broker.model.key import Filter
from tests.filters.candidates import message


def passes(limit: str, length: int) -> bool:
    return compile_filter(Filter("ContentLenFilter", limit))(message(bytes(length)))


def test_contents_up_to_the_limit_pass() -> None:
    assert passes("5", 5)
    assert not passes("5", 6)


def test_a_limit_of_zero_passes_only_empty_contents() -> None:
    assert passes("0", 0)
    assert not passes("0", 1)


def test_white_space_around_the_number_does_not_count() -> None:
    assert passes("\n 5 \n", 5)


def test_without_a_number_a_million_bytes_pass() -> None:
    assert passes("", 1_000_000)
    assert not passes("", 1_000_001)


@pytest.mark.parametrize("limit", ["-1", "5.0", "many", "5 6", "٥", "1" * 19, "0x10", "1_000"])
def test_a_limit_that_is_no_number_of_bytes_is_refused(limit: str) -> None:
    with pytest.raises(BrokerError) as caught:
        compile_filter(Filter("ContentLenFilter", limit))
    assert caught.value.code == Code.USER_QUERY_INVALID
