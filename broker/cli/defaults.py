"""``broker defaults``: files with every property and attribute and its default, and those of other programs."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from broker.config.installation import find_folder

if TYPE_CHECKING:
    from broker.cli.options import Subcommands

FILES = {
    "properties": ("etc", "broker.properties"),
    "plugins": ("etc", "plugins.xml"),
    "manager": ("etc", "manager.properties"),
    "alerts": ("share/prometheus", "broker.rules.yml"),
    "dashboard": ("share/grafana", "broker.json"),
    "unit": ("share/systemd", "broker.service"),
    "sysusers": ("share/systemd", "sysusers.conf"),
    "logrotate": ("share/logrotate", "broker"),
    "tmpfiles": ("share/systemd", "tmpfiles.conf"),
}
"""Folder and name by what is asked for."""
EXAMPLES = """\
examples:
  broker defaults properties                        all properties: meaning, kind and default, as comments
  broker defaults properties > broker.properties    a file to change, for broker run --config
  broker defaults plugins > plugins.xml             a file to change, for broker run --plugins
  broker defaults manager > manager.properties      a file to change, for broker manager --config
  broker defaults alerts > broker.rules.yml         rules for the alerts of Prometheus
  broker defaults dashboard > broker.json           a dashboard for Grafana
  broker defaults unit > broker.service             a unit for systemd; sysusers, tmpfiles: what it needs
  broker defaults logrotate > broker                for logrotate, in place of the broker's own rotation
"""


def register(subcommands: Subcommands) -> None:
    """Add ``defaults``."""
    parser = subcommands.add_parser(
        "defaults",
        help="print a file to begin with: properties, plugin file, alerts, dashboard, unit",
        description="Print a file to begin with. Those of properties and plugins say what the broker does without one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=list(FILES), help="which file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print one of the files as it is."""
    folder, name = FILES[options.what]
    sys.stdout.write((find_folder(folder, name) / name).read_text("utf-8"))
    return 0
