from __future__ import annotations

import pytest

from broker.model.base64_text import bytes_or_none


@pytest.mark.parametrize(("text", "data"), [("", b""), ("AA==", b"\0"), ("am9l", b"joe")])
def test_base64_is_read(text: str, data: bytes) -> None:
    assert bytes_or_none(text) == data


@pytest.mark.parametrize("text", ["A", "AA", "AA=", "AA==A", "²", "am9l!", "am\n9l", " am9l", "=", "💥", "\0"])
def test_anything_else_is_none(text: str) -> None:
    assert bytes_or_none(text) is None


def test_wrapped_lines_are_read_where_they_may_be_wrapped() -> None:
    assert bytes_or_none(" am\r\n\t9l\n", wrapped=True) == b"joe"
    assert bytes_or_none("am9!l", wrapped=True) is None
