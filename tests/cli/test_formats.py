"""How messages of others are printed."""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys

import pytest

from broker.cli.formats import as_line, write_update
from broker.client import Update
from broker.escape import escaped
from broker.model.key import Key
from broker.model.property import ClientProperty, property_of
from broker.model.qos import PublishQos, UpdateQos

HOSTILE = "a\x1b[2Jb\rc\x9bd\u202ee"


def update(content: bytes, oid: str = "news") -> Update:
    qos = PublishQos(
        sender="/node/n/client/jack/1",
        properties=(property_of("raw", b"\xff"), ClientProperty("degrees", "NaN", "double")),
    )
    return Update(oid, content, Key(oid), UpdateQos(qos, received=1))


class Terminal(io.StringIO):
    """Where a person looks."""

    def isatty(self) -> bool:
        return True


def test_controls_of_others_are_escaped_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    line = as_line(update(HOSTILE.encode() + b"\n\t", HOSTILE + "\n"))
    assert r"a\x1b[2Jb\x0dc\x9bd\u202ee\x0a jack/1" in line
    assert line.endswith(": " + r"a\x1b[2Jb\x0dc\x9bd\u202ee" + "\n\t")


def test_content_is_printed_as_it_is_where_no_terminal_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert as_line(update(HOSTILE.encode())).endswith(": " + HOSTILE)


def test_text_of_all_languages_is_not_escaped() -> None:
    assert escaped("Grüße, 世界 😀") == "Grüße, 世界 😀"


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"text", "ü".encode(), b""])
def test_json_brings_every_content_back(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    write_update(update(content), argparse.Namespace(raw=False, json=True))
    printed = json.loads(capsys.readouterr().out)
    text = printed["content"]
    assert (base64.b64decode(text) if printed["base64"] else text.encode()) == content
    assert printed["properties"] == {"raw": {"base64": "/w=="}, "degrees": "nan"}


def test_raw_content_is_written_byte_for_byte(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    options = argparse.Namespace(raw=True, json=False)
    for content in (b"\xff\0\r\n", b"more"):
        write_update(update(content), options)
    assert capsysbinary.readouterr().out == b"\xff\0\r\nmore"
