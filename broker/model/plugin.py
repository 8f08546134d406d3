"""Names of plugins that a peer or a configuration chooses, ``Type,Version`` (spec xmlblaster §11.1, §12.3)."""

from __future__ import annotations

NONE = "undef"


def is_chosen(name: str | None) -> bool:
    """Whether a name stands for a plugin; ``undef`` of any version, an empty one and a missing one do not."""
    return name is not None and name.partition(",")[0].strip() not in ("", NONE)
