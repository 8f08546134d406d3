from __future__ import annotations

from broker.filters.latest import Latest


class Count:
    """The length of a list, and how often it was asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, subject: list[int]) -> int:
        self.calls += 1
        return len(subject)


def test_the_function_runs_once_for_the_same_object() -> None:
    count = Count()
    latest = Latest(count)
    subject = [1]

    assert [latest(subject), latest(subject)] == [1, 1]
    assert count.calls == 1


def test_the_function_runs_again_for_another_object() -> None:
    latest: Latest[list[int], [], int] = Latest(len)

    assert [latest([]), latest([1]), latest([])] == [0, 1, 0]


def test_an_equal_object_is_another_object() -> None:
    count = Count()
    latest = Latest(count)

    assert [latest([1]), latest([1])] == [1, 1]
    assert count.calls == 2
