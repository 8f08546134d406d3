"""How a driver and the bench talk while a load runs: a line of JSON each way."""

from __future__ import annotations

import json
import sys
from typing import Any


def tell(**values: Any) -> None:
    """Say something to the bench."""
    print(json.dumps(values), flush=True)


def hear() -> dict[str, Any]:
    """Wait for what the bench says."""
    found: dict[str, Any] = json.loads(sys.stdin.readline())
    return found
