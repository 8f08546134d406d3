"""``broker defaults``: the example files, with every property and attribute and its default."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from broker.config.installation import find_folder

if TYPE_CHECKING:
    from broker.cli.options import Subcommands

FILES = {"properties": "broker.properties", "plugins": "plugins.xml", "manager": "manager.properties"}
EXAMPLES = """\
examples:
  broker defaults properties                        all properties: meaning, kind and default, as comments
  broker defaults properties > broker.properties    a file to change, for broker run --config
  broker defaults plugins > plugins.xml             a file to change, for broker run --plugins
  broker defaults manager > manager.properties      a file to change, for broker manager --config
"""


def register(subcommands: Subcommands) -> None:
    """Add ``defaults``."""
    parser = subcommands.add_parser(
        "defaults",
        help="print all properties, or the plugin file, with their defaults",
        description="Print a file to begin with, which says what the broker does without one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=FILES, help="properties, the plugin file, or a manager's properties")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print one of the files as it is."""
    name = FILES[options.what]
    sys.stdout.write((find_folder("etc", name) / name).read_text("utf-8"))
    return 0
