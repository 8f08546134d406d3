"""How big tests are: small in the suite, and as big as promised by ``make proofs``."""

from __future__ import annotations

import os

VARIABLE = "BROKER_TEST_SIZES"
FULL = "full"


def size(short: int, full: int) -> int:
    """A number of a test.

    Args:
        short: in the suite.
        full: where the variable asks for it.
    """
    return full if os.environ.get(VARIABLE) == FULL else short
