"""How much of a list a request asks for, and where it goes on (operations §1.4)."""

from __future__ import annotations

from broker.admin.api.operations import Parameter
from broker.admin.api.query import whole_number
from broker.net.http.exchange import Call

MAX_ROWS = 1000
ROWS = 100
CURSOR = Parameter("cursor", {"type": "string", "description": "page.next of the page before."})


def limit_parameter(default: int = ROWS) -> Parameter:
    """The parameter of how many rows there are at most.

    Args:
        default: where it is not given.
    """
    return Parameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": default})


def read_limit(call: Call, default: int = ROWS) -> int:
    """How many rows a request asks for.

    Raises:
        Refused: 400 where it is no whole number, or out of range.
    """
    return whole_number(call, "limit", default, 1, MAX_ROWS)
