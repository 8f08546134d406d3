"""The files of a bundle."""

from __future__ import annotations

import platform
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from broker import __version__
from broker.admin.bundle.anonymiser import Anonymiser
from broker.admin.findings.finding import Finding
from broker.admin.property_book import PropertyRow
from broker.admin.views.overview import Overview
from broker.config.kinds import TEXT
from broker.config.options import REGISTRY
from broker.config.sources import COMMAND_LINE
from broker.exposition.reactor_lag import ReactorLag
from broker.logs.recent import RecentLine

HARMLESS = frozenset(
    {
        "version",
        "level",
        "name",
        "state",
        "status",
        "code",
        "severity",
        "startedAt",
        "countedAt",
        "asOf",
        "since",
        "phase",
    }
)
"""Fields of the overview whose texts name nobody."""
EVIDENCE = frozenset(
    {
        "ageSeconds",
        "connections",
        "daysLeft",
        "databaseBytes",
        "failedPerSecond",
        "failingSeconds",
        "freeDiskBytes",
        "jumpSeconds",
        "lagSeconds",
        "limitBytes",
        "maxConnections",
        "maxFiles",
        "mode",
        "oldestSeconds",
        "openFiles",
        "publishersWaiting",
        "queues",
        "residentBytes",
        "sessions",
        "subscriptions",
    }
)
"""Evidence of findings that has names of its own; where it has others, these name queues, sessions or properties."""
_NODE = re.compile(r'(?<=node=")[^"]*(?=")')
_LISTENER = re.compile(r'(?<=listener=")[^"]*(?=")')
PACKAGE = Path(__file__).parents[2].name


def to_json(value: Any) -> bytes:
    """JSON for people."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def findings_part(findings: list[Finding], anonymiser: Anonymiser) -> bytes:
    """What is wrong. Anonymised, sentences are left out, since there are names in them."""
    if not anonymiser.active:
        return to_json(findings)
    return to_json(
        [
            {
                "code": each.code,
                "severity": each.severity,
                "doc": each.doc,
                "evidence": anonymiser.by_name(dict(each.evidence), EVIDENCE),
            }
            for each in findings
        ]
    )


def overview_part(overview: Overview, anonymiser: Anonymiser) -> bytes:
    """The broker at a glance."""
    return to_json(anonymiser.tree(msgspec.to_builtins(overview), HARMLESS))


def metrics_part(text: bytes, anonymiser: Anonymiser) -> bytes:
    """Metrics name the node and its listeners, and nothing else."""
    if not anonymiser.active:
        return text
    hidden = _NODE.sub(lambda found: anonymiser.text(found[0]), text.decode())
    return _LISTENER.sub(lambda found: anonymiser.text(found[0]), hidden).encode()


def properties_part(rows: list[PropertyRow], anonymiser: Anonymiser) -> bytes:
    """The properties in force, without those that are as by default; secrets are hidden in any case."""
    kinds = {option.name: option.kind for option in REGISTRY}
    found = []
    for row in rows:
        if row.source == "default":
            continue
        is_text = kinds.get(row.name) in (None, TEXT)
        source = row.source if row.source == COMMAND_LINE else anonymiser.text(row.source)
        value = anonymiser.text(str(row.value)) if is_text else row.value
        found.append({"name": row.name, "value": value, "source": source})
    return to_json(found)


def log_part(lines: list[RecentLine], anonymiser: Anonymiser) -> bytes:
    """The last lines of the log. Anonymised, they are the texts of the program with what they are about beside them."""
    written = (_hidden(each, anonymiser) if anonymiser.active else each.text for each in lines)
    return "".join(f"{each}\n" for each in written).encode("utf-8", "replace")


def _hidden(line: RecentLine, anonymiser: Anonymiser) -> str:
    at = f"{datetime.fromtimestamp(line.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    fields = (f"{name}={anonymiser.text(value) if isinstance(value, str) else value}" for name, value in line.fields)
    template = line.template if line.fields or "{" not in line.template else anonymiser.text(line.template)
    return f"{at} [{line.namespace}#{line.level}] {template} {' '.join(fields)}".rstrip()


def versions_part() -> bytes:
    """Versions of the broker, of Python, of the system and of all that is installed with it."""
    packages = {each.name: each.version for each in metadata.distributions()}
    return to_json(
        {
            "broker": __version__,
            "python": sys.version,
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "packages": dict(sorted(packages.items())),
        }
    )


def stacks_part() -> bytes:
    """Where each thread is, without the values that it works with; paths begin at the package."""
    return "".join(_stacks()).encode("utf-8", "replace")


def _stacks() -> Iterator[str]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        yield f"thread {names.get(ident, ident)}\n"
        for entry in traceback.extract_stack(frame):
            yield f"  {_short(entry.filename)}:{entry.lineno} {entry.name}\n"
        yield "\n"


def _short(path: str) -> str:
    """A path as far as it tells of the program, and not of the machine."""
    parts = Path(path).parts
    for root in ("site-packages", PACKAGE):
        if root in parts:
            place = len(parts) - 1 - parts[::-1].index(root)
            return "/".join(parts[place if root == PACKAGE else place + 1 :])
    return parts[-1]


def lag_part(lag: ReactorLag) -> bytes:
    """How late the event loop was, since the start."""
    seconds = lag.seconds
    return to_json(
        {"bounds": seconds.bounds, "counts": seconds.counts, "sumSeconds": seconds.sum, "latest": lag.latest}
    )
