"""The ready line."""

from __future__ import annotations

from broker.ready import ready_line


def test_ready_line_names_level_and_ports() -> None:
    ports = [("SOCKET", "127.0.0.1", 7607), ("XMPP", "0.0.0.0", 5222)]
    assert ready_line(9, "RUNNING", ports) == "ready: run level 9 (RUNNING), SOCKET 127.0.0.1:7607, XMPP 0.0.0.0:5222"


def test_ipv6_host_is_bracketed() -> None:
    assert ready_line(9, "RUNNING", [("SOCKET", "::1", 7607)]).endswith(", SOCKET [::1]:7607")


def test_ready_line_without_ports_ends_after_the_level() -> None:
    assert ready_line(9, "RUNNING", []) == "ready: run level 9 (RUNNING)"
