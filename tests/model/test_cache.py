"""What is remembered of peers' texts is bounded in bytes, not only in number."""

from __future__ import annotations

from broker.model.cache import LONGEST, cached_if_short


class Reader:
    def __init__(self) -> None:
        self.calls = 0

    def read(self, text: str, more: str) -> object:
        self.calls += 1
        return object()


def test_equal_texts_give_the_same_value_without_reading_again() -> None:
    reader = Reader()
    read = cached_if_short(2)(reader.read)
    assert read("x" * LONGEST, "") is read("x" * LONGEST, "")
    assert read("x", "a") is not read("x", "b")
    assert reader.calls == 3


def test_long_texts_are_not_kept() -> None:
    reader = Reader()
    read = cached_if_short(2)(reader.read)
    assert read("x" * (LONGEST + 1), "") is not read("x" * (LONGEST + 1), "")


def test_only_so_many_are_kept() -> None:
    reader = Reader()
    read = cached_if_short(2)(reader.read)
    first = read("a", "")
    read("b", "")
    read("c", "")
    assert read("a", "") is not first
