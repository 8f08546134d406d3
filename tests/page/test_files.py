"""The files of the console, read as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import broker.admin

FOLDER = Path(broker.admin.__file__).parent / "page"
FILES = sorted(FOLDER.iterdir())
SCRIPTS = [each for each in FILES if each.suffix == ".js"]
LARGEST = 200_000
MOST_LINES = 300
FORBIDDEN = {
    "text that becomes markup": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment"
    r"|setHTML|DOMParser|srcdoc",
    "text that becomes a program": r"\beval\s*\(|new Function|setTimeout\(\s*[\"'`]|javascript:|\bimport\s*\(",
    "handlers in markup": r"<[^>]*\son\w+\s*=|setAttribute\(\s*[\"']on"
    r"|\bon(?:click|error|load|input|change|submit|key\w+|mouse\w+|pointer\w+|focus\w*):",
    "styles in markup": r"\bstyle\s*=\s*[\"'`]|setAttribute\(\s*[\"']style|\bstyle:\s*[\"'`{]|<style",
    "anything from elsewhere": r"https?://(?!www\.w3\.org/2000/svg)|[\"'(]//|@import|url\(",
}
KEPT = re.compile(r"localStorage\.\w+\(([^,)]+)")
IMPORT = re.compile(r"""\bfrom (["'][^"']+["'])|^import (["'][^"']+["'])""", re.MULTILINE)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_files_have_nothing_that_the_policy_of_the_page_forbids(what: str) -> None:
    found = {each.name: re.findall(FORBIDDEN[what], each.read_text("utf-8")) for each in FILES}
    assert {name: parts for name, parts in found.items() if parts} == {}


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("text that becomes markup", "node.innerHTML = name"),
        ("text that becomes a program", "eval (name)"),
        ("handlers in markup", "<b onclick = 'x'>"),
        ("handlers in markup", 'el("b", {onclick: "x"})'),
        ("styles in markup", '<b style="color: red">'),
        ("styles in markup", 'el("b", {style: "color: red"})'),
        ("anything from elsewhere", "import 'https://cdn.example/x.js'"),
        ("anything from elsewhere", "src='//cdn.example/x.js'"),
    ],
)
def test_what_is_forbidden_is_found(what: str, text: str) -> None:
    assert re.findall(FORBIDDEN[what], text)


def test_all_files_together_are_small() -> None:
    assert sum(each.stat().st_size for each in FILES) <= LARGEST


def test_scripts_are_short() -> None:
    lines = {each.name: len(each.read_text("utf-8").splitlines()) for each in SCRIPTS}
    assert {name: number for name, number in lines.items() if number > MOST_LINES} == {}


def test_scripts_import_their_neighbours_and_nothing_else() -> None:
    imported = {match[1] or match[2] for each in SCRIPTS for match in IMPORT.finditer(each.read_text("utf-8"))}
    assert imported <= {f'"./{each.name}"' for each in SCRIPTS}, "others have no version when they are served"


def test_browser_keeps_nothing_but_theme_and_columns() -> None:
    kept = {match[1] for each in SCRIPTS for match in KEPT.finditer(each.read_text("utf-8"))}

    assert kept == {"KEY", "this.stored"}  # of theme.js and table.js
    text = "".join(each.read_text("utf-8") for each in SCRIPTS)
    assert "sessionStorage" not in text
    assert "indexedDB" not in text
    assert "document.cookie" not in text
