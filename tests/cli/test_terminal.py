"""Standard streams that are closed or have another encoding, and what is said of errors of the system."""

from __future__ import annotations

import io
import sys

import pytest

from broker.cli.terminal import open_standard_streams, reason_of


def test_what_an_encoding_does_not_have_is_written_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert open_standard_streams()
    print("grün", flush=True)
    assert written.getvalue() == b"gr\\xfcn\n"


def test_closed_streams_take_and_give_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert not open_standard_streams()
    with sys.stdin, sys.stdout, sys.stderr:
        print("nobody reads this", flush=True)
        assert sys.stdin.read() == ""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "/nowhere"), "/nowhere: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (IsADirectoryError(21, "Is a directory", b"/a\xff"), "/a\udcff: Is a directory"),
    ],
)
def test_an_error_of_the_system_is_told_without_its_number(error: OSError, reason: str) -> None:
    assert reason_of(error) == reason
