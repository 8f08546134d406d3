"""The command line of the bench."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default 5)")
    parser.add_argument("--cases", default="*", help="comma list of patterns of case names, e.g. 'native-ack*,xmpp-*'")
    parser.add_argument("--systems", default="*", help="comma list of patterns of systems, e.g. 'broker,prosody'")
    parser.add_argument("--no-peers", action="store_true", help="the broker alone")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that everything works")
    parser.add_argument(
        "--update", action="store_true", help="keep the cases of an earlier run in OUTPUT that are not run now"
    )
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path("build/bench"),
        help="directory on the disk to measure (default build/bench)",
    )
    parser.add_argument("--output", type=Path, default=Path("build/bench"), help="where results are written")
    return parser.parse_args(arguments)
