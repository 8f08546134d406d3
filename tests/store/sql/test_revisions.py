from __future__ import annotations

from broker.store.sql.revisions import folder


def test_this_program_finds_its_revisions() -> None:
    assert list((folder() / "versions").glob("0001_*.py"))
