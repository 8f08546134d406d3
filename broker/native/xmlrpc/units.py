"""Units of the native protocol as the values of XML-RPC, which has no zero bytes between them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from broker.errors import BrokerError, Code, code_of
from broker.native.wire.frames import Frame, Kind, Unit
from broker.native.wire.methods import MAX_CODE, MAX_TEXT
from broker.native.wire.xmlrpc import Value

_EXCEPTION = re.compile(r"errorCode=(\S*)(?: message=(.*))?", re.DOTALL)


def units_of(encoded: Iterable[bytes]) -> Iterator[tuple[str, str, bytes]]:
    """QoS, key and content of units that were written for a frame."""
    for unit in Frame(Kind.RESPONSE, b"", b"", b"", b"".join(encoded)).units():
        yield unit.qos.decode(), unit.key.decode(), unit.content


def status_of(encoded: bytes) -> str:
    """The QoS of one unit of an answer."""
    return encoded[: encoded.index(0)].decode()


def text_of(value: Value, what: str) -> str:
    """A parameter that is text.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is something else.
    """
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            value = None
    if not isinstance(value, str):
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{what} must be text")
    return value


def unit_from(value: Value) -> Unit:
    """The message that an array of key, content and QoS is.

    Raises:
        BrokerError: ``user.illegalArgument`` for anything else.
    """
    if not isinstance(value, list) or len(value) != 3:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "a message must be an array of key, content and QoS")
    key, content, qos = value
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, bytes):
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the content of a message must be text or base64")
    return Unit(text_of(qos, "the QoS").encode(), text_of(key, "the key").encode(), content)


def error_of(text: str) -> BrokerError:
    """The error that a client tells, as ``errorCode=… message=…``."""
    match = _EXCEPTION.search(text)
    if match is None:
        return BrokerError(Code.USER_UPDATE_ERROR, text[:MAX_TEXT])
    return BrokerError(code_of(match[1][:MAX_CODE]), (match[2] or "")[:MAX_TEXT])
