"""What the frames of the native protocol mean: methods, request ids, exceptions (spec xmlblaster §20.1, §24)."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from broker.errors import BrokerError, Code, code_of
from broker.native.wire.frames import Frame, Kind, encode_frame, encode_unit

MAX_CODE = 128
"""Bytes of a peer's error code that are kept."""
MAX_TEXT = 4096
"""Bytes of any other text of a peer's exception that are kept."""
_SHOWN = 64
_LANGUAGE = "en"
_NO_TRANSACTION = "<transaction/>"

T = TypeVar("T")


class Method(NamedTuple):
    """A method and the units of its request (spec xmlblaster §20.1, Methods).

    Args:
        name: as it is on the wire.
        min_units: fewest units that a request has.
        max_units: most units that a request has; ``None`` where only the size of the frame counts.
        answered: whether there is an answer; a oneway method gets none, not even an exception.
    """

    name: bytes
    min_units: int
    max_units: int | None
    answered: bool = True


_PING = Method(b"ping", 0, 1)

SERVER_METHODS: dict[bytes, Method] = {
    method.name: method
    for method in (
        Method(b"connect", 0, 1),
        Method(b"disconnect", 0, 1),
        Method(b"publish", 1, None),
        Method(b"publishOneway", 1, None, answered=False),
        Method(b"subscribe", 1, 1),
        Method(b"unSubscribe", 1, 1),
        Method(b"get", 1, 1),
        Method(b"erase", 1, 1),
        _PING,
    )
}
"""What a client may call at the server. Arrays of messages go in ``publish``: ``publishArr`` is no method here."""

CLIENT_METHODS: dict[bytes, Method] = {
    method.name: method
    for method in (
        Method(b"update", 1, None),
        Method(b"updateOneway", 1, None, answered=False),
        _PING,
    )
}
"""What the server may call at a client."""


def find_method(methods: dict[bytes, Method], name: bytes) -> Method:
    """Find a method by its exact name, or by its name in lower case (so ``PUBLISH``, but not ``unsubscribe``).

    Args:
        methods: :data:`SERVER_METHODS` or :data:`CLIENT_METHODS`.
        name: from the frame.

    Raises:
        BrokerError: ``internal.notImplemented``, there is no such method in this direction.
    """
    method = methods.get(name) or methods.get(name.lower())
    if method is None:
        raise BrokerError(Code.INTERNAL_NOT_IMPLEMENTED, f"There is no method '{_text(name, _SHOWN)}'")
    return method


def check_units(method: Method, count: int) -> None:
    """Check how many units a request has.

    Raises:
        BrokerError: ``internal.illegalArgument``, it has too few or too many for its method.
    """
    most = method.max_units
    if count < method.min_units or (most is not None and count > most):
        name = method.name.decode()
        expected = f"at least {method.min_units}" if most is None else f"{method.min_units} to {most}"
        raise BrokerError(
            Code.INTERNAL_ILLEGAL_ARGUMENT, f"{name} takes {expected} message units, but there are {count}", name
        )


class RequestIds:
    """Ids for the requests of this side of one connection, like ``client/joe/1:update:17`` (§24 fact 7).

    Args:
        name: who is on the other side, e.g. ``client/joe/1``; empty as long as nobody knows. May be set later.
    """

    __slots__ = ("_last", "name")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._last = 0

    def next(self, method: bytes) -> bytes:
        """An id that this connection has not seen."""
        self._last += 1
        prefix = f"{self.name}:".encode() if self.name else b""
        return b"%b%b:%d" % (prefix, method, self._last)

    def several(self, method: bytes, count: int) -> tuple[bytes, int]:
        """Several ids: what they begin with, and the number of the first that follows there."""
        first = self._last + 1
        self._last += count
        return (f"{self.name}:".encode() if self.name else b"") + method + b":", first

    def for_answer(self, request: Frame) -> bytes:
        """The id to answer a request with: its own, or a new one where it has none (the bare ping)."""
        return request.request_id or self.next(request.method)


class Requests(Generic[T]):
    """The requests of this side of one connection that wait for their answer.

    Args:
        limit: how many there may be.
    """

    __slots__ = ("_limit", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[bytes, T] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request_id: bytes, request: T) -> None:
        """Note a request under its id; ``request`` is whatever the caller wants back with the answer, but not ``None``.

        Raises:
            BrokerError: ``resource.exhaust``, too many wait.
            ValueError: the id waits already.
        """
        if request_id in self._waiting:
            raise ValueError(f"request id {request_id!r} waits already")
        if len(self._waiting) >= self._limit:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"{self._limit} requests wait for an answer of the peer already")
        self._waiting[request_id] = request

    def take(self, request_id: bytes) -> T | None:
        """Hand out the request that this answer is for; ``None`` for an unknown id, which the caller ignores."""
        return self._waiting.pop(request_id, None)

    def clear(self) -> list[T]:
        """Hand out all that wait, oldest first, because no more answers will come."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        return waiting


def encode_exception(
    request_id: bytes,
    method: bytes,
    session: bytes,
    error: BrokerError,
    node: str,
    version: str,
    timestamp: str,
    *,
    server_side: bool = True,
) -> bytes:
    """Write the exception that answers a request. There is never a stack trace in it (§24 fact 11).

    Args:
        request_id: of the request.
        method: of the request.
        session: secret session id of the request.
        error: what went wrong; a NUL in its texts becomes U+FFFD, so that any error can be told.
        node: id of the node that tells it.
        version: of the program that tells it.
        timestamp: when, for people.
        server_side: whether the server tells it.

    Raises:
        ValueError: a header field has a NUL.
    """
    code, message, location = str(error.code), error.message, error.location
    side = "true" if server_side else "false"
    where = f"errorCode=[{code}] serverSideException={side} location=[{location}]"
    text = f"XmlBlasterException {where} message=[{message} : ]"
    stack_trace = embedded_message = ""
    fields = (
        code,
        node,
        location,
        _LANGUAGE,
        message,
        version,
        timestamp,
        stack_trace,
        embedded_message,
        _NO_TRANSACTION,
        side,
    )
    content = b"".join([_bytes(field) + b"\0" for field in fields])
    return encode_frame(Kind.EXCEPTION, request_id, method, session, encode_unit(_bytes(code), _bytes(text), content))


def decode_exception(frame: Frame) -> BrokerError:
    """Read a peer's exception: from the content, or from QoS and key where the content has nothing.

    Foreign codes are kept, a missing one is ``internal.unknown``; texts are cut to :data:`MAX_TEXT` bytes.

    Raises:
        FrameError: the body is no sequence of units.
    """
    units = frame.units()
    if not units:
        return BrokerError(Code.INTERNAL_UNKNOWN, "")
    qos, key, content = units[0]
    code, _, location, _, message = [*content.split(b"\0", 5), b"", b"", b"", b"", b""][:5]
    known = _text(code or qos, MAX_CODE).strip()
    return BrokerError(
        code_of(known) if known else Code.INTERNAL_UNKNOWN, _text(message or key, MAX_TEXT), _text(location, MAX_TEXT)
    )


def _bytes(text: str) -> bytes:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")


def _text(data: bytes, limit: int) -> str:
    return data[:limit].decode("utf-8", "replace")
