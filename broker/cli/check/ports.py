"""Ports that would be opened: free, or in use by this very broker or by somebody else."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from broker.cli.check.findings import Finding, Findings, Subject
from broker.cli.terminal import reason_of
from broker.errors import BrokerError
from broker.model.number import whole_or_none
from broker.runlevels.plan import PlannedPlugin
from broker.xmpp.managers.settings import secrets_of

PORTS = Findings("ports")
PROCESSES = Path("/proc")
TABLES = (PROCESSES / "net" / "tcp", PROCESSES / "net" / "tcp6")
LISTENING = "0A"
"""State of a socket in these tables (proc(5))."""
MANAGERS = "XmppManagersPlugin"


@dataclass(frozen=True, slots=True)
class WantedPort:
    """A port that a plugin would open.

    Args:
        plugin: its id.
        host: to listen on.
        number: of the port.
    """

    plugin: str
    host: str
    number: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.number} ({self.plugin})"


def check_ports(subject: Subject, owner_of: Callable[[int], int | None] | None = None) -> Iterator[Finding]:
    """Try to listen on each port for a moment.

    Args:
        subject: the broker.
        owner_of: the process that listens on a port, ``None`` where that cannot be told.
    """
    find_owner = owner_of or listening_process
    for wanted in wanted_ports(subject):
        try:
            _try(wanted)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                yield PORTS.problem(f"{wanted} cannot be opened: {reason_of(error)}", "choose another host or port")
                continue
            owner = find_owner(wanted.number)
            if subject.process is not None and owner == subject.process:
                yield PORTS.ok(f"{wanted} is open, by this broker (process {owner})")
            else:
                whose = "another program" if owner is None else f"{_name_of(owner)} (process {owner})"
                advice = "stop it, or choose another port for the plugin"
                if subject.process is not None:
                    options = f"the options of the broker that runs here (process {subject.process})"
                    advice = f"give check {options}; else {advice}"
                yield PORTS.problem(f"{wanted} is in use by {whose}", advice)
        else:
            state = "is free, though a broker runs here" if subject.process is not None else "is free"
            yield PORTS.ok(f"{wanted} {state}")


def wanted_ports(subject: Subject) -> Iterator[WantedPort]:
    """The ports that the plugins would open, as far as their attributes have numbers."""
    for plugin in subject.plugins:
        if getattr(plugin.factory, "__name__", "") == MANAGERS and not _has_secrets(subject):
            continue
        for name, text in plugin.attributes.items():
            number = whole_or_none(text, 1, 65535)
            if name.lower().endswith("port") and number is not None:
                yield WantedPort(plugin.id, _host_of(plugin, name), number)


def listening_process(port: int) -> int | None:
    """The process that listens on a port, where the system tells."""
    inodes = set(_listening_inodes(port))
    for link in PROCESSES.glob("[0-9]*/fd/*") if inodes else ():
        try:
            target = os.readlink(link)
        except OSError:  # it has ended, or is somebody else's
            continue
        if target.removeprefix("socket:[").removesuffix("]") in inodes:
            return whole_or_none(link.parts[2])
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in TABLES:
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == LISTENING and fields[1].rpartition(":")[2] == f"{port:04X}":
                yield fields[9]


def _try(wanted: WantedPort) -> None:
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((wanted.host, wanted.number))
        tried.listen(1)


def _host_of(plugin: PlannedPlugin, attribute: str) -> str:
    name = "metricsHostname" if attribute == "metricsPort" else "hostname"
    return plugin.attributes.get(name, "").strip() or "127.0.0.1"


def _has_secrets(subject: Subject) -> bool:
    try:
        return bool(secrets_of(subject.properties))
    except BrokerError:
        return True  # the start fails, and says why


def _name_of(process: int) -> str:
    try:
        return (PROCESSES / str(process) / "comm").read_text(errors="replace").strip()
    except OSError:
        return "a program"
