"""XML-RPC as clients of the native protocol speak it: calls as values, values as answers (spec doors §1.1).

Text is kept as it was sent, also of numbers and dates: libraries of languages without types turn a text of digits into
an ``int``, and ``007`` must stay ``007``.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from broker.model.base64_text import bytes_or_none
from broker.xml.parse import ExpatReader, refusal
from broker.xml.write import escape

Value: TypeAlias = str | bytes | list["Value"] | dict[str, "Value"] | None
"""A value: text, bytes that came as base64, an array, a struct, nil."""

MEDIA_TYPE = "text/xml; charset=utf-8"
MAX_DEPTH = 64
"""Elements that may be nested: three for each array in an array, four for each struct."""
MAX_ELEMENTS = 200_000
PIECE = 1 << 18
"""Bytes of a call that are parsed at once."""

_SCALARS = frozenset(["string", "int", "i1", "i2", "i4", "i8", "boolean", "double", "dateTime.iso8601", "dateTime"])
_TYPES = _SCALARS | {"base64", "nil", "array", "struct"}
_CHILDREN = {
    "methodCall": frozenset(["methodName", "params"]),
    "methodResponse": frozenset(["params", "fault"]),
    "fault": frozenset(["value"]),
    "params": frozenset(["param"]),
    "param": frozenset(["value"]),
    "value": _TYPES,
    "array": frozenset(["data"]),
    "data": frozenset(["value"]),
    "struct": frozenset(["member"]),
    "member": frozenset(["name", "value"]),
}
"""What may stand in what."""
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<methodResponse xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions">'
)
_FIRST_TEXT = re.compile(rb"<params>\s*<param>\s*<value>\s*(?:<string>)?([^<>&\s]{1,256})(?:</string>)?\s*</value>")


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A call.

    Args:
        method: its name.
        params: in order.
    """

    method: str
    params: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer to a call that has not done what it should.

    Args:
        text: the ``faultString``.
    """

    text: str


class _Reader(ExpatReader):
    """Reads the values of a document.

    Args:
        what: it is, for errors.
        root: its outermost element.
        limit: most bytes that it may have.
    """

    max_depth = MAX_DEPTH
    max_elements = MAX_ELEMENTS

    def __init__(self, what: str, root: str, limit: int) -> None:
        super().__init__(what, limit)
        self._root = frozenset([root])
        self._path: list[str] = [""]
        self._text: list[str] = []
        self._method: str | None = None
        self._params: list[Value] = []
        self._fault: Value = None
        self._open: list[_Container] = []
        self._values: list[_Scalar] = []

    def started(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        local = name.rpartition(":")[2]
        parent = self._path[-1]
        if local not in (_CHILDREN.get(parent, ()) if parent else self._root):
            raise refusal(f"{self.what} has <{name[:64]}> in <{parent}>")
        self._path.append(local)
        if local == "value":
            self._values.append(_Scalar())
        elif parent == "value":
            scalar = self._values[-1]
            if scalar.type:
                raise refusal(f"{self.what} has a value of two types")
            scalar.type = local
            if local in ("array", "struct"):
                self._open.append(_Container({} if local == "struct" else []))
        self._text = []

    def text(self, data: str) -> None:
        """Character data."""
        self._text.append(data)

    def ended(self) -> None:
        """The innermost element ends."""
        match self._path.pop():
            case "methodName":
                self._method = "".join(self._text).strip()
            case "name":
                self._open[-1].name = "".join(self._text)
            case "value":
                self._end_value()
            case name if name in _TYPES:
                self._end_type(name)

    def _end_type(self, name: str) -> None:
        scalar = self._values[-1]
        text = "".join(self._text)
        self._text = []
        if name == "base64":
            scalar.value = bytes_or_none(text, wrapped=True)
            if scalar.value is None:
                raise refusal(f"{self.what} has a base64 that is none")
        elif name == "nil":
            scalar.value = None
        elif name in ("array", "struct"):
            scalar.value = self._open.pop().value
        else:
            scalar.value = text if name == "string" else text.strip()

    def _end_value(self) -> None:
        scalar = self._values.pop()
        value = scalar.value if scalar.type else "".join(self._text)
        self._text = []
        if self._path[-1] == "param":
            self._params.append(value)
            return
        if self._path[-1] == "fault":
            self._fault = value
            return
        container = self._open[-1]
        if isinstance(container.value, dict):
            container.value[container.name] = value
        elif isinstance(container.value, list):
            container.value.append(value)


class CallReader(_Reader):
    """Reads one call, at once or in parts.

    Args:
        limit: most bytes that it may have.
    """

    def __init__(self, limit: int) -> None:
        super().__init__("the call", "methodCall", limit)

    @property
    def call(self) -> MethodCall:
        """The call, which is complete.

        Raises:
            BrokerError: ``user.illegalArgument``: it names no method.
        """
        if not self._method:
            raise refusal("the call names no method")
        return MethodCall(self._method, tuple(self._params))


class _ResponseReader(_Reader):
    """Reads one answer.

    Args:
        limit: most bytes that it may have.
    """

    def __init__(self, limit: int) -> None:
        super().__init__("the answer", "methodResponse", limit)

    @property
    def outcome(self) -> Value | Fault:
        """What it says; a fault without a text is one all the same."""
        if self._fault is None:
            return self._params[0] if self._params else None
        text = self._fault.get("faultString") if isinstance(self._fault, dict) else None
        return Fault(text if isinstance(text, str) else "")


@dataclass(slots=True)
class _Scalar:
    """A value that is not complete.

    Args:
        type: the element in it; empty while there is none.
        value: what that has said.
    """

    type: str = ""
    value: Value = None


@dataclass(slots=True)
class _Container:
    """An array or struct that is not complete.

    Args:
        value: what it has.
        name: of the member of a struct that is being read.
    """

    value: list[Value] | dict[str, Value]
    name: str = ""


def read_call(data: bytes, limit: int) -> MethodCall:
    """Read a call that is complete.

    Args:
        data: all of it.
        limit: most bytes that it may have.

    Raises:
        BrokerError: ``user.illegalArgument`` for anything malformed or refused.
    """
    reader = CallReader(limit)
    try:
        for piece, last in pieces_of(data):
            reader.feed(piece, last=last)
    finally:
        reader.close()
    return reader.call


def read_response(data: bytes, limit: int) -> Value | Fault:
    """Read an answer that is complete.

    Args:
        data: all of it.
        limit: most bytes that it may have.

    Raises:
        BrokerError: ``user.illegalArgument`` for anything malformed or refused.
    """
    reader = _ResponseReader(limit)
    reader.read(data)
    return reader.outcome


def pieces_of(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """The parts in which a long call is parsed, and whether each is the last."""
    for start in range(0, max(1, len(data)), PIECE):
        yield data[start : start + PIECE], start + PIECE >= len(data)


def first_text(beginning: bytes) -> str:
    """The first parameter of a call whose end has not come yet; empty where it is no text, or has not come either."""
    match = _FIRST_TEXT.search(beginning)
    return "" if match is None else match[1].decode("utf-8", "replace")


def write_response(value: Value) -> bytes:
    """The answer to a call that has done what it should."""
    return b"".join((_HEAD, b"<params><param>", *_written(value), b"</param></params></methodResponse>"))


def write_fault(code: int, text: str) -> bytes:
    """The answer to a call that has not."""
    number = f"<member><name>faultCode</name><value><int>{code}</int></value></member>"
    words = b"".join(_written(_UNWRITABLE.sub("?", text)))
    return b"".join(
        (
            _HEAD,
            b"<fault><value><struct>",
            number.encode(),
            b"<member><name>faultString</name>",
            words,
            b"</member></struct></value></fault></methodResponse>",
        )
    )


def write_call(method: str, params: tuple[Value, ...]) -> bytes:
    """A call, as one to a client's own server is."""
    written = b"".join(b"".join((b"<param>", *_written(each), b"</param>")) for each in params)
    head = f'<?xml version="1.0" encoding="UTF-8"?><methodCall><methodName>{escape(method)}</methodName><params>'
    return b"".join((head.encode(), written, b"</params></methodCall>"))


def _written(value: Value) -> Iterator[bytes]:
    match value:
        case None:
            yield b"<value><ex:nil/></value>"
        case str() if _UNWRITABLE.search(value):  # XML cannot hold it
            yield from _written(value.encode("utf-8", "surrogatepass"))
        case str():
            yield f"<value><string>{escape(value)}</string></value>".encode()
        case bytes():
            yield b"<value><base64>"
            yield binascii.b2a_base64(value, newline=False)
            yield b"</base64></value>"
        case list():
            yield b"<value><array><data>"
            for each in value:
                yield from _written(each)
            yield b"</data></array></value>"
        case dict():
            yield b"<value><struct>"
            for name, member in value.items():
                yield f"<member><name>{escape(name)}</name>".encode()
                yield from _written(member)
                yield b"</member>"
            yield b"</struct></value>"
