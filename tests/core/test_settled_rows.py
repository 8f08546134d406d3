"""Entries that were settled on disk while somebody else holds their rows."""

from __future__ import annotations

from broker.core.settled_rows import SettledRows


def test_entry_is_known_to_be_settled_while_a_read_goes_on_that_began_before() -> None:
    rows = SettledRows()
    with rows.reading():
        rows.add(1)
        assert 1 in rows
    assert 1 not in rows


def test_nothing_is_kept_while_nobody_reads() -> None:
    rows = SettledRows()
    rows.add(1)
    assert len(rows) == 0


def test_what_was_settled_before_the_oldest_read_is_forgotten_though_others_read_on() -> None:
    rows = SettledRows()
    first, second = rows.reading(), rows.reading()
    first.__enter__()
    rows.add(1)
    second.__enter__()
    rows.add(2)
    first.__exit__(None, None, None)
    assert (1 in rows, 2 in rows) == (False, True)
    second.__exit__(None, None, None)
    assert len(rows) == 0
