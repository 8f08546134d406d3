"""``python -m bench``: measure, and write what was measured."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from bench.broker_system import BrokerSystem
from bench.case import Case, Field, raise_file_limit
from bench.machine import describe
from bench.managed_system import ManagedSystem
from bench.native_cases import native_cases
from bench.options import parse
from bench.peers.ejabberd import Ejabberd
from bench.peers.mosquitto import Mosquitto
from bench.peers.prosody import Prosody
from bench.peers.rabbitmq import RabbitMq
from bench.picture import draw
from bench.recovery_cases import recovery_cases
from bench.relay_system import RelaySystem
from bench.report import as_json, as_markdown, dump, targets_table, updated
from bench.rounds import Results, run_rounds
from bench.session_cases import session_cases
from bench.system import System, Unavailable
from bench.xmpp_cases import xmpp_cases

ACCOUNTS = dict.fromkeys(("alice", "bob", *(f"user{number}" for number in range(20))), "secret")


def main(arguments: Sequence[str]) -> int:
    """Run the bench; returns 1 where something failed."""
    options = parse(arguments)
    cases = [case for case in all_cases() if _matches(case.name, options.cases)]
    if options.list or not cases:
        for case in cases or all_cases():
            print(f"{case.name:28} {case.title}  [{', '.join(case.runs)}]")
        return 0 if options.list else 2
    raise_file_limit()
    signal.signal(signal.SIGTERM, _end)
    options.scratch.mkdir(parents=True, exist_ok=True)
    options.output.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="work-", dir=options.scratch)).resolve()
    try:
        return _measure(options, cases, scratch)
    finally:
        shutil.rmtree(scratch)


def all_cases() -> list[Case]:
    """Every case that there is."""
    return [*native_cases(), *xmpp_cases(), *session_cases(), *recovery_cases()]


def all_systems() -> list[System]:
    """Ours and the others."""
    return [
        BrokerSystem(ACCOUNTS),
        ManagedSystem(ACCOUNTS),
        RelaySystem(),
        Mosquitto(),
        RabbitMq(),
        Ejabberd(ACCOUNTS),
        Prosody(ACCOUNTS),
    ]


def _measure(options: Namespace, cases: Sequence[Case], scratch: Path) -> int:
    pattern = "broker" if options.no_peers else options.systems
    needed = {name for case in cases for name in case.runs if _matches(name, pattern)}
    systems: dict[str, System] = {}
    missing: list[str] = []
    for system in all_systems():
        if system.name not in needed:
            continue
        try:
            system.prepare(scratch)
        except Unavailable as error:
            missing.append(f"{system.name}: {error}")
            _tell(f"left out: {missing[-1]}")
            continue
        systems[system.name] = system
    machine = describe(scratch)
    for name, value in machine.items():
        _tell(f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}")
    versions = {name: system.version() for name, system in systems.items()}

    known = options.output / "results.json"
    earlier = json.loads(known.read_text()) if options.update and known.exists() else None
    order = [case.name for case in all_cases()]

    def write(results: Results) -> None:
        report = as_json(cases, results, machine, versions, missing, quick=options.quick)
        if earlier is not None:
            report = updated(earlier, report, order)
        known.write_text(dump(report))
        (options.output / "tables.md").write_text(as_markdown(report))
        (options.output / "ratios.svg").write_text(draw(report))

    results = run_rounds(Field(scratch, options.quick), cases, systems, options.rounds, _tell, write)
    print(targets_table(json.loads(known.read_text())))
    print(f"\nMore in {options.output}: tables.md, ratios.svg, results.json")
    return 1 if results.errors else 0


def _end(number: int, frame: object) -> None:
    """End in order, with all that was started."""
    sys.exit(128 + number)


def _matches(name: str, patterns: str) -> bool:
    return any(fnmatchcase(name, pattern.strip()) for pattern in patterns.split(","))


def _tell(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
