"""How the sinks of the event plugin are configured: ``"publish.key=<key oid='x'/>","publish.qos=<qos/>"``."""

from __future__ import annotations

import re
from collections.abc import Collection

_PART = re.compile(r'\s*(?:"([^"]*)"|([^",]*))\s*(?:,|\Z)', re.DOTALL)


def read_destination(text: str, prefix: str, known: Collection[str]) -> dict[str, str]:
    """The settings of a sink.

    Args:
        text: settings ``prefix.name=value`` with commas between them; one with commas or quotes stands in ``"``.
        prefix: of the sink, ``publish``.
        known: names that it has.

    Returns:
        The values by their names.

    Raises:
        ValueError: where it is no such list, or has a name that is not known.
    """
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            raise ValueError(f'this is no list of "{prefix}.name=value": {text[place : place + 64]}')
        place = part.end()
        setting = (part[1] if part[1] is not None else part[2]).strip()
        if not setting:
            continue
        name, equals, value = setting.partition("=")
        name = name.strip().removeprefix(f"{prefix}.")
        if not equals or name not in known:
            raise ValueError(f"'{setting[:64]}' sets none of {', '.join(f'{prefix}.{each}' for each in known)}")
        found[name] = value.strip()
    return found
