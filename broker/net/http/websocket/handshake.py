"""The opening handshake, as the server sees it (RFC 6455 §4.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus

from wsproto.utilities import generate_accept_token

from broker.errors import Code
from broker.model.base64_text import bytes_or_none
from broker.net.http.problem import Refused

VERSION = "13"
ANY = "*"
"""In the place of an origin: pages of all."""
_KEY_SIZE = 16
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def accept(headers: Mapping[str, str], subprotocol: str) -> Sequence[tuple[str, str]]:
    """Accept a handshake.

    Args:
        headers: of the request, by name in lower case.
        subprotocol: that the client must offer.

    Returns:
        The headers of the answer, whose status is 101.

    Raises:
        Refused: 426 where it is no handshake, or one of another version; 400 where the key is not one, or the client
            does not offer the subprotocol.
    """
    if "websocket" not in _tokens(headers, "upgrade") or "upgrade" not in _tokens(headers, "connection"):
        raise _upgrade_required("this path is for WebSocket")
    if headers.get("sec-websocket-version") != VERSION:
        raise _upgrade_required(f"the version of WebSocket is {VERSION}")
    key = headers.get("sec-websocket-key", "")
    if len(bytes_or_none(key) or b"") != _KEY_SIZE:
        raise _malformed("a handshake has a Sec-WebSocket-Key of 16 bytes")
    offered = [each.strip() for each in headers.get("sec-websocket-protocol", "").split(",")]
    if subprotocol not in offered:
        raise _malformed(f"the subprotocol is {subprotocol}")
    return (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", generate_accept_token(key.encode()).decode()),
        ("Sec-WebSocket-Protocol", subprotocol),
    )


def check_origin(headers: Mapping[str, str], origins: Collection[str]) -> None:
    """Refuse pages of other hosts (RFC 6455 §10.2). What is no browser tells no origin, and is let in.

    Args:
        headers: of the request.
        origins: whose pages may connect, as ``https://chat.example``; empty: those of the host that is asked;
            :data:`ANY` among them: all.

    Raises:
        Refused: 403 for a page of another one.
    """
    origin = headers.get("origin")
    if origin is None or ANY in origins:
        return
    allowed = origins or [f"{scheme}://{headers.get('host', '')}" for scheme in _DEFAULT_PORTS]
    if _plain(origin) not in {_plain(each) for each in allowed}:
        raise Refused(HTTPStatus.FORBIDDEN, Code.USER_NOT_AUTHORIZED, "pages of this origin may not connect")


def _plain(origin: str) -> str:
    """An origin as it is compared: in lower case, and without the port that its scheme has anyway."""
    origin = origin.strip().lower().rstrip("/")
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], ":"))


def _tokens(headers: Mapping[str, str], name: str) -> set[str]:
    return {each.strip().lower() for each in headers.get(name, "").split(",")}


def _upgrade_required(reason: str) -> Refused:
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", VERSION)]
    return Refused(HTTPStatus.UPGRADE_REQUIRED, Code.USER_ILLEGAL_ARGUMENT, reason, headers=headers)


def _malformed(reason: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, Code.USER_ILLEGAL_ARGUMENT, reason)
