"""The distribution's name is ``xmlbroker``: on PyPI, ``broker`` is somebody else's program."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import broker

TREE = Path(__file__).parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(TREE / "setup.cfg")
FOLDERS = (".ci", "bench", "broker", "docs", "etc", "migrations", "newsfragments", "share", "tests", "twisted")
NO_TEXT = {".pyc", ".png", ".svg", ".gz"}
EXTRAS = "|".join(SETUP["options.extras_require"])
BARE_NAME = re.compile(
    r"\b(?:pip3?|pipx|uv|poetry)\b[^\n]*?\s(?:install|add)\s+(?:[\w.=<>/:'\"\[\]-]+\s+)*['\"]?broker(?![\w./-]|'s)"
    rf"|(?<![\w-])broker\[(?:{EXTRAS})\b"
    r"|\bdist/broker-|--exclude broker\b"
    r"|\b(?:version|distribution|metadata|requires)\(['\"]broker['\"]\)"
    r"|\b(?:dependencies|requires|install_requires) *= *\[[^\]]*['\"]broker\b",
    re.IGNORECASE,
)


def texts() -> Iterator[Path]:
    """Every text of the tree that says how something is installed."""
    yield from (path for path in TREE.iterdir() if path.is_file())
    for folder in FOLDERS:
        yield from (
            path
            for path in (TREE / folder).rglob("*")
            if path.is_file() and path.suffix not in NO_TEXT and path != Path(__file__)
        )


def test_the_distribution_is_xmlbroker_and_so_is_the_version_that_the_package_tells() -> None:
    assert SETUP["metadata"]["name"] == "xmlbroker"
    assert broker.__version__ == metadata.version("xmlbroker") == SETUP["metadata"]["version"]


def test_nothing_installs_the_program_of_somebody_else() -> None:
    found = [
        f"{path.relative_to(TREE)}: {match[0]}"
        for path in texts()
        for match in BARE_NAME.finditer(path.read_text("utf-8", "replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "pip install broker",
        "python -m pip install --upgrade 'broker'",
        "pip install 'broker[postgresql]'",
        "install `broker[test]` for that",
        "pipx install broker==0.1",
        "uv pip install psycopg broker",
        "pip install -c constraints.txt dist/broker-0.1.0-py3-none-any.whl",
        'metadata.version("broker")',
        'dependencies = ["broker"]',
    ],
)
def test_the_bare_name_is_recognized(text: str) -> None:
    assert BARE_NAME.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install 'xmlbroker[postgresql]'",
        "/opt/broker/bin/pip install -c constraints.txt dist/xmlbroker-*.whl",
        "pip install . # in the broker's environment",
        "broker.ports",
        "dependencies = ['xmlbroker']",
    ],
)
def test_other_names_are_not_taken_for_it(text: str) -> None:
    assert not BARE_NAME.search(text)
