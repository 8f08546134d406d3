from __future__ import annotations

import pytest

from broker.native.codec.cache import MAX_BYTES, cached_by_bytes


class Reader:
    def __init__(self) -> None:
        self.calls = 0

    def read(self, data: bytes) -> object:
        self.calls += 1
        if data == b"broken":
            raise ValueError
        return object()


def test_equal_bytes_give_the_same_value_without_reading_again() -> None:
    reader = Reader()
    read = cached_by_bytes(reader.read)
    assert read(b"x" * MAX_BYTES) is read(b"x" * MAX_BYTES)
    assert reader.calls == 1


def test_long_inputs_are_not_kept() -> None:
    reader = Reader()
    read = cached_by_bytes(reader.read)
    assert read(b"x" * (MAX_BYTES + 1)) is not read(b"x" * (MAX_BYTES + 1))


def test_failures_are_not_kept() -> None:
    reader = Reader()
    read = cached_by_bytes(reader.read)
    for _ in range(2):
        with pytest.raises(ValueError):
            read(b"broken")
    assert reader.calls == 2
