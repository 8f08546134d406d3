"""Well-formed elements out of choices, where bytes alone would not get past a parser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from broker.xml.write import escape, escape_attribute
from tests.fuzz.support import Choices

DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Grammar:
    """What elements are made of.

    Args:
        namespaces: of elements.
        names: of elements.
        attributes: names of attributes.
        values: of attributes and texts.
    """

    namespaces: Sequence[str]
    names: Sequence[str]
    attributes: Sequence[str]
    values: Sequence[str]

    def element(self, choices: Choices, default: str, depth: int = 0) -> bytes:
        """An element.

        Args:
            choices: what it is.
            default: namespace in force around it.
            depth: of what is around it.
        """
        name = choices.pick(self.names)
        namespace = default if depth and choices.below(4) else choices.pick(self.namespaces)
        declared = "" if namespace == default else f" xmlns='{escape_attribute(namespace)}'"
        attributes = {choices.pick(self.attributes): choices.pick(self.values) for _ in range(choices.below(4))}
        head = f"<{name}{declared}" + "".join(f" {k}='{escape_attribute(v)}'" for k, v in attributes.items()) + ">"
        parts = [head.encode()]
        for _ in range(choices.below(4) if depth < DEEPEST and choices else 0):
            if choices.below(3):
                parts.append(self.element(choices, namespace, depth + 1))
            else:
                parts.append(escape(self.text(choices)).encode())
        parts.append(f"</{name}>".encode())
        return b"".join(parts)

    def text(self, choices: Choices) -> str:
        """A value, or any text."""
        return choices.pick(self.values) if choices.below(4) else choices.some(16).decode("utf-8", "replace")
