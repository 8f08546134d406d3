"""Reading JSON objects of peers."""

from __future__ import annotations

import pytest

from broker.model.json_object import object_or_none


def test_the_members_of_an_object_are_read() -> None:
    assert object_or_none('{"a": ["ü", 1]}'.encode()) == {"a": ["ü", 1]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1]",
        b"1",
        b"null",
        b"{",
        b"{}x",
        b'{"a":1e}',
        b"\xff\xfe",
        b'"\xff"',
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000,
    ],
    ids=lambda data: repr(data[:10]),
)
def test_anything_else_is_none(data: bytes) -> None:
    assert object_or_none(data) is None
