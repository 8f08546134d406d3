"""The subcommand ``broker check``."""

from __future__ import annotations

import argparse
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from broker.cli.exit_status import DONE, FOUND_A_PROBLEM
from broker.cli.options import add_store_options, assignments_of, path_of
from broker.cli.terminal import advise, say, say_json
from broker.errors import BrokerError
from broker.model.number import whole_or_none

if TYPE_CHECKING:
    from broker.cli.check.findings import Finding, Subject
    from broker.cli.options import Subcommands

SECTIONS = ("configuration", "data", "database", "certificates", "ports", "dns", "machine", "running")
LOCK_FILE = "broker.db.lock"
"""Has the process of the broker that uses a database of SQLite."""
EXAMPLES = """\
examples:
  broker check                                     what ./data and the defaults would start
  broker --data /var/lib/broker --config /etc/broker/broker.properties check
  broker check certificates dns                    these sections only
  broker check --quiet                             nothing where all is well

Run it as the broker's user, with the options of the start; a broker may run meanwhile, and nothing is changed.

exit status: 0 no problem, maybe warnings; 1 failed; 2 wrong usage; 6 found a problem, or a warning with --strict
"""


def register(subcommands: Subcommands) -> None:
    """Add ``check``."""
    parser = subcommands.add_parser(
        "check",
        help="look for what would keep a broker from starting, or go wrong later",
        description="Look at configuration, data directory, database, certificates, ports, DNS and machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser, subcommand=True)
    parser.add_argument("--plugins", "-p", metavar="FILE", type=path_of, help="plugin file, as of broker run")
    parser.add_argument(
        "sections", metavar="SECTION", nargs="*", help=f"only these, of: {', '.join(SECTIONS)}; default all"
    )
    parser.add_argument("--strict", action="store_true", help="warnings count as problems")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--quiet", action="store_true", help="tell warnings and problems only")
    output.add_argument("--json", action="store_true", help="one JSON object a finding")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Check, and tell what was found.

    Returns:
        6 where there is a problem.
    """
    from broker.cli.check.findings import Severity

    unknown = [each for each in options.sections if each not in SECTIONS]
    if unknown:
        options.parser.error(f"there is no section {unknown[0]!a}; there are {', '.join(SECTIONS)}")
    counts = dict.fromkeys(Severity, 0)
    for finding in findings_of(options):
        counts[finding.severity] += 1
        if options.json:
            say_json(finding.as_json())
        elif not (options.quiet and finding.severity is Severity.OK):
            say(f"{finding.severity.upper():<8} {finding.section}: {finding.detail}")
            if finding.what_to_do:
                say(f"         What to do: {finding.what_to_do}")
    problems, warnings = counts[Severity.PROBLEM], counts[Severity.WARNING]
    if not options.quiet:
        advise(f"{_some(problems, 'problem')}, {_some(warnings, 'warning')}")
    return FOUND_A_PROBLEM if problems or (options.strict and warnings) else DONE


def findings_of(options: argparse.Namespace) -> Iterator[Finding]:
    """What is found in the sections that are wanted.

    Raises:
        BrokerError: ``resource.configuration`` or ``resource.fileIO`` where the properties cannot be read at all.
    """
    from broker.cli.check.certificates import check_certificates
    from broker.cli.check.configuration import check_configuration
    from broker.cli.check.data_directory import check_data
    from broker.cli.check.database import check_database
    from broker.cli.check.dns import check_dns
    from broker.cli.check.findings import Findings, Subject
    from broker.cli.check.machine import check_machine
    from broker.cli.check.ports import check_ports
    from broker.cli.check.running import check_running
    from broker.config.command_line import read_properties

    wanted = options.sections or SECTIONS
    properties = read_properties(options.config, assignments_of(options))
    found, plugins = check_configuration(properties, options.plugins)
    if "configuration" in wanted:
        yield from found
    data = options.data.absolute()
    subject = Subject(data, properties, plugins, running_process(data))
    checks: dict[str, Callable[[Subject], Iterator[Finding]]] = {
        "data": check_data,
        "database": check_database,
        "certificates": check_certificates,
        "ports": check_ports,
        "dns": check_dns,
        "machine": check_machine,
        "running": check_running,
    }
    for name, check in checks.items():
        if name in wanted:
            try:
                yield from check(subject)
            except BrokerError as error:  # a property that is told among the configuration, too
                yield Findings(name).problem(error.message)


def running_process(data: Path) -> int | None:
    """The process of the broker that runs on a data directory, ``None`` where none does.

    Args:
        data: the directory, with a database of SQLite.
    """
    try:
        descriptor = os.open(data / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return whole_or_none(os.read(descriptor, 32).decode("ascii", "replace"), 1)
    finally:
        os.close(descriptor)
    return None


def _some(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"
