"""Writes the commented example of a manager's property file: ``python -m broker.manager.example``."""

from __future__ import annotations

import sys

from broker.config.example import write
from broker.manager.settings import REGISTRY

TITLE = "Properties of a connection manager, each with its default. Give this file with --config FILE."
RULES = """\
# For one name, the command line (--set NAME=VALUE) beats the environment (NAME, or BROKER_NAME in capitals with _ for
# every other character), and that beats this file.
"""


def example() -> str:
    """The text of the file."""
    return write(REGISTRY, TITLE, RULES)


if __name__ == "__main__":
    sys.stdout.write(example())
