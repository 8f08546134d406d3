"""The names by which a site may be asked (RFC 9110 §7.2), against pages that let their name lead here."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from http import HTTPStatus

from broker.errors import Code
from broker.net.http.problem import Refused
from broker.net.http.target import SHOWN

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""Of this machine."""

_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::[0-9]*)?")


def check_host(given: Sequence[str], names: Collection[str]) -> None:
    """Refuse a request that was sent to somebody else.

    Args:
        given: the values of its ``Host`` header fields.
        names: that this site has, in lower case; an IPv6 address without brackets.

    Raises:
        Refused: 400 where there is none, or more than one, or it is not ``host`` or ``host:port``; 421 for another
            name (RFC 9110 §15.5.20).
    """
    match = _HOST.fullmatch(given[0]) if len(given) == 1 else None
    if match is None:
        raise Refused(HTTPStatus.BAD_REQUEST, Code.USER_ILLEGAL_ARGUMENT, "a request names one host and no more")
    name: str = match["address"] or match["name"]
    if name.lower() not in names:
        raise Refused(
            HTTPStatus.MISDIRECTED_REQUEST,
            Code.USER_WRONG_API_USAGE,
            f"this server is not '{name[:SHOWN]}'; what may be written there is configured",
        )
