"""Values as text."""

from __future__ import annotations

import pytest

from broker.cli.ops.values import exact, readable, seconds_text, value_at


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("queue.bytes", 999, "999 B"),
        ("queue.bytes", 1000, "1.0 kB"),
        ("freeDiskBytes", 123_456_789_000, "123 GB"),
        ("uptimeSeconds", 0.02, "20 ms"),
        ("uptimeSeconds", 273_600.4, "3 d 4 h"),
        ("fillRatio", 0.256, "26 %"),
        ("rate.publishedPerSecond", 1312.44, "1,312.4/s"),
        ("entries", 1234567, "1,234,567"),
        ("createdAt", "2026-11-30T03:12:07.114Z", "2026-11-30 03:12:07"),
        ("persistent", True, "yes"),
        ("lastError", None, "-"),
        ("waiting", [{"code": "windowFull", "since": "x"}, {"code": "unanswered"}], "windowFull, unanswered"),
        ("names", [], "-"),
        ("names", ["a\x1b"], r"a\x1b"),
        ("by", {"a": 1}, "a 1"),
    ],
)
def test_people_read_units_by_the_name_of_the_field(path: str, value: object, text: str) -> None:
    assert readable(path, value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "500 ms"), (5, "5.0 s"), (42, "42 s"), (60, "1 min"), (75, "1 min 15 s"), (7200, "2 h"), (-3.0, "-3.0 s")],
)
def test_times_are_told_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (1.5, "1.5"),
        ("a\tb", r"a\x09b"),
        ({"a": ["\n"]}, '{"a": ["\\n"]}'),
        ([{"code": "a"}, {"code": "b", "x": 1}], "a,b"),
        ([1], "[1]"),
    ],
)
def test_programs_read_exact_values(value: object, text: str) -> None:
    assert exact(value) == text


def test_of_reasons_programs_read_the_codes() -> None:
    assert exact([{"code": "a"}, {"code": "b", "detail": "x"}]) == "a,b"
    assert exact([1]) == "[1]"


def test_fields_are_found_by_their_paths() -> None:
    row = {"a": {"b": 1}, "c": "x"}
    assert [value_at(row, path) for path in ("a.b", "c", "c/a.b", "a.z", "c.d")] == [1, "x", "x/1", None, None]
