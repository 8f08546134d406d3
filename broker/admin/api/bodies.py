"""Bodies of requests: JSON of one type each, where nothing is unknown."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TypeVar

import msgspec

from broker.errors import Code
from broker.net.http.exchange import JSON_TYPE, Call
from broker.net.http.problem import Detail, Refused

T = TypeVar("T", bound=msgspec.Struct)

_PLACE = re.compile(r"(?P<reason>.*) - at `(?P<key>key in )?\$(?P<path>.*)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]*)\]")


def read_body(call: Call, type: type[T]) -> T:
    """The body of a request.

    Args:
        call: the request.
        type: of the body; it forbids unknown members.

    Raises:
        Refused: 415 where it is not said to be JSON; 400 where it is none, or not of the type, with the place.
    """
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON_TYPE:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Code.USER_ILLEGAL_ARGUMENT, f"send {JSON_TYPE}")
    try:
        return msgspec.json.decode(call.body, type=type)
    except msgspec.ValidationError as error:
        raise wrong_member(*_place_of(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(
            HTTPStatus.BAD_REQUEST,
            Code.USER_ILLEGAL_ARGUMENT,
            f"the body is no JSON: {error}",
            [Detail("", str(error))],
        ) from error


def wrong_member(pointer: str, reason: str) -> Refused:
    """The error for a member of the body that cannot be used.

    Args:
        pointer: to the member, ``/to/owner``.
        reason: one sentence.
    """
    text = f"{pointer}: {reason}" if pointer else reason
    return Refused(HTTPStatus.BAD_REQUEST, Code.USER_ILLEGAL_ARGUMENT, text, [Detail(pointer, reason)])


def _place_of(text: str) -> tuple[str, str]:
    """Pointer (RFC 6901) and reason in what ``msgspec`` says."""
    match = _PLACE.fullmatch(text)
    if match is None:
        return "", text
    steps = [name or index for name, index in _STEP.findall(match["path"])]
    return "".join(f"/{step}" for step in steps), match["reason"]
