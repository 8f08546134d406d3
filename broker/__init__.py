"""A durable XML message broker on Twisted.

``broker.__version__`` is that of the distribution. It is looked up when it is asked for: that takes longer than many a
command does.
"""

from __future__ import annotations

UNKNOWN = "0.0.0"
"""Version of a source tree that was never installed."""


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module 'broker' has no attribute {name!r}")
    from importlib import metadata

    try:
        return metadata.version("xmlbroker")
    except metadata.PackageNotFoundError:
        return UNKNOWN
