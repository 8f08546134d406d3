"""Folders of the tree are found in a wheel and in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.installation import find_folder


def with_file(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "a.txt").touch()
    return path


def test_a_folder_of_an_installed_package_is_inside_it(tmp_path: Path) -> None:
    with_file(tmp_path / "etc")
    inside = with_file(tmp_path / "broker" / "etc")

    assert find_folder("etc", "a.txt", tmp_path / "broker") == inside


def test_a_folder_of_a_source_tree_is_beside_the_package(tmp_path: Path) -> None:
    beside = with_file(tmp_path / "etc")
    (tmp_path / "broker").mkdir()

    assert find_folder("etc", "a.txt", tmp_path / "broker") == beside


def test_an_empty_folder_in_the_package_does_not_hide_the_one_beside_it(tmp_path: Path) -> None:
    beside = with_file(tmp_path / "etc")
    (tmp_path / "broker" / "etc" / "__pycache__").mkdir(parents=True)

    assert find_folder("etc", "a.txt", tmp_path / "broker") == beside


def test_a_missing_folder_is_an_error_that_names_both_places(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"no a.txt in {tmp_path}/broker/etc or {tmp_path}/etc"):
        find_folder("etc", "a.txt", tmp_path / "broker")
