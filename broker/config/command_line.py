"""What the command lines of all programs have in common: the data directory and the properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from broker.config.properties import Properties
from broker.config.sources import COMMAND_LINE, from_assignments, from_file, from_pairs, process_environment
from broker.errors import BrokerError, Code

DEFAULT_DATA = "./data"
"""Data directory where none is named."""


def check_filled(options: Mapping[str, str | None]) -> None:
    """See to it that each option that was given has a value.

    An empty one comes from a variable of a script that is not set, and would stand for something else: the working
    directory, or the default.

    Args:
        options: by their names.

    Raises:
        BrokerError: ``resource.configuration`` for the first one that is empty.
    """
    for name, value in options.items():
        if value is not None and not value.strip():
            raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{COMMAND_LINE}: --{name} is empty")


def read_properties(config: Path | None, assignments: Sequence[str], pairs: Sequence[str] = ()) -> Properties:
    """Read what a command line, the environment and a property file set (spec xmlblaster §15).

    Args:
        config: the property file, or None.
        assignments: ``KEY=VALUE`` each; beat the file.
        pairs: ``-KEY``, ``VALUE``, alternating, as xmlBlaster has them; beat the assignments.

    Raises:
        BrokerError: ``resource.configuration`` or ``resource.fileIO``, naming the source and the line.
    """
    return Properties(
        command_line=[*from_assignments(assignments), *from_pairs(pairs)],
        environment=process_environment(),
        file=() if config is None else from_file(config),
    )
