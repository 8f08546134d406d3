from __future__ import annotations

from pathlib import Path

import pytest

from broker.store.sql.revisions import folder


def revisions(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "env.py").touch()
    return path


def test_revisions_of_an_installed_package_are_inside_it(tmp_path: Path) -> None:
    revisions(tmp_path / "migrations")
    inside = revisions(tmp_path / "broker" / "migrations")

    assert folder(tmp_path / "broker") == inside


def test_revisions_of_a_source_tree_are_beside_the_package(tmp_path: Path) -> None:
    beside = revisions(tmp_path / "migrations")
    (tmp_path / "broker").mkdir()

    assert folder(tmp_path / "broker") == beside


def test_empty_folder_in_the_package_does_not_hide_the_revisions_beside_it(tmp_path: Path) -> None:
    beside = revisions(tmp_path / "migrations")
    (tmp_path / "broker" / "migrations" / "__pycache__").mkdir(parents=True)

    assert folder(tmp_path / "broker") == beside


def test_missing_revisions_are_an_error_that_names_both_places(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}/broker/migrations or {tmp_path}/migrations"):
        folder(tmp_path / "broker")


def test_this_program_finds_its_revisions() -> None:
    assert list((folder() / "versions").glob("0001_*.py"))
