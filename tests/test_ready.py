"""The ready line."""

from __future__ import annotations

import re
from pathlib import Path

from broker.ready import ready_line


def test_ready_line_names_level_and_ports() -> None:
    ports = [("SOCKET", "127.0.0.1", 7607), ("XMPP", "0.0.0.0", 5222)]
    assert ready_line(9, "RUNNING", ports) == "ready: run level 9 (RUNNING), SOCKET 127.0.0.1:7607, XMPP 0.0.0.0:5222"


def test_ipv6_host_is_bracketed() -> None:
    assert ready_line(9, "RUNNING", [("SOCKET", "::1", 7607)]).endswith(", SOCKET [::1]:7607")


def test_ready_line_without_ports_ends_after_the_level() -> None:
    assert ready_line(9, "RUNNING", []) == "ready: run level 9 (RUNNING)"


def test_make_run_does_not_say_ready_before_the_broker_does() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text("utf-8")
    recipe = re.search(r"^run:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe is not None
    assert "ready" not in recipe[1]
