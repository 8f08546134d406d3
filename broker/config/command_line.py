"""What the command lines of all programs have in common: the data directory and the properties."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from broker.config.properties import Properties
from broker.config.sources import from_assignments, from_file, from_pairs, process_environment

DEFAULT_DATA = "./data"
"""Data directory where none is named."""


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
