"""What holds for the example of a property file, whatever program it is for."""

from __future__ import annotations

from pathlib import Path

from broker.config.options import Registry
from broker.config.properties import Properties
from broker.config.syntax import parse


def check_defaults(example: Path, registry: Registry) -> None:
    """Every property is shown with its default, and no other one."""
    lines = example.read_text("utf-8").splitlines()
    assignments = "\n".join(
        line[1:] for line in lines if line.startswith("#") and not line.startswith("# ") and "=" in line
    )
    properties = Properties(file=parse(assignments, "example"))
    assert registry.unknown(properties) == []
    for option in registry:
        assert properties.find_exact(option.name) is not None
        assert option.get(properties) == option.default
