"""Units of the native protocol as the values of XML-RPC, which has no zero bytes between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from broker.core.entries import Entry
from broker.core.node import Node
from broker.core.sessions import Session
from broker.errors import BrokerError, Code, code_of
from broker.native.updates import encode_units
from broker.native.wire.frames import Frame, Kind, Unit
from broker.native.wire.methods import MAX_CODE, MAX_TEXT
from broker.native.wire.xmlrpc import Value

_EXCEPTION = re.compile(r"errorCode=(\S*)(?: message=(.*))?", re.DOTALL)


def units_of(entries: Sequence[Entry], session: Session, node: Node, *, alone: bool = False) -> list[Unit]:
    """What entries of a session's queue are on their way to its client.

    Args:
        entries: in order of delivery.
        session: whose they are.
        node: of the core.
        alone: each of them is sent by itself.
    """
    encoded = encode_units(entries, session.queue.entries, node.now(), alone=alone)
    return Frame(Kind.RESPONSE, b"", b"", b"", b"".join(encoded)).units()


def message_of(unit: Unit, *, as_text: bool) -> Value:
    """A message as an array of key, content and QoS.

    Args:
        unit: the message.
        as_text: its content is to be text, where XML can hold it.
    """
    content: Value = unit.content
    if as_text:
        with suppress(UnicodeDecodeError):
            content = unit.content.decode()
    return [unit.key.decode(), content, unit.qos.decode()]


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
