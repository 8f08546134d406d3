"""The native protocol as bytes, written out once more, so that the broker's own code measures nothing of itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from bench.drive.lane import MARKER, Counter
from bench.drive.loop import DriveError, Link, Script

_HEADER = 10
_KIND = 12
_ID = 16
_INVOKE = ord("I")
_RESPONSE = ord("R")
_OK = b"<qos><state id='OK'/></qos>\0\0" + b"0\0"


def frame(kind: bytes, request_id: bytes, method: bytes, session: bytes, body: bytes = b"") -> bytes:
    """A frame."""
    rest = b"\0\0" + kind + b"\0\x001" + request_id + b"\0" + method + b"\0" + session + b"\0\0" + body
    return b"%10d" % (len(rest) + _HEADER) + rest


def unit(qos: bytes, key: bytes = b"", content: bytes = b"") -> bytes:
    """A message unit."""
    return qos + b"\0" + key + b"\0" + b"%d" % len(content) + b"\0" + content


def whole_frame(buffer: bytearray) -> int:
    """Wait for a frame."""
    if len(buffer) < _HEADER:
        return 0
    size = int(buffer[:_HEADER])
    return size if len(buffer) >= size else 0


def call(link: Link, method: bytes, session: bytes, body: bytes) -> Script[tuple[bytes, bytes]]:
    """Call a method; returns session and body of the answer.

    Raises:
        DriveError: it was refused.
    """
    link.send(frame(b"I", b"call", method, session, body))
    answer = yield whole_frame
    request_id, _, found, _, rest = answer[_ID:].split(b"\0", 4)
    if answer[_KIND] != _RESPONSE or request_id != b"call":
        raise DriveError(f"{method.decode()} got {answer[_KIND : _KIND + 1]!r}: {rest[:300]!r}")
    return found, rest


def connect_qos(user: str, password: str, *, number: int = 0, bulk: int = 1, persistent: bool = False) -> bytes:
    """What a client logs in with.

    Args:
        user: its account.
        password: of the account.
        number: of its session, above 0; 0 lets the broker choose.
        bulk: messages in one update.
        persistent: whether its session survives the broker.
    """
    name = f"{user}/{number}" if number else user
    return (
        f"<qos><securityService type='htpasswd' version='1.0'><![CDATA[<user>{user}</user><passwd>{password}</passwd>"
        f"]]></securityService><session name='{name}' timeout='0' maxSessions='100000'/>"
        f"<queue relating='callback' maxEntries='100000000' maxBytes='400000000000'>"
        f"<callback type='SOCKET' retries='-1' delay='1000' pingInterval='0'>socket://127.0.0.1:1"
        f"<burstMode collectTime='0' maxEntries='{bulk}' maxBytes='-1'/></callback></queue>"
        f"{'<persistent/>' if persistent else ''}</qos>"
    ).encode()


def to_session(name: str) -> bytes:
    """The part of a publish's QoS that sends it to one session alone, which may be away."""
    return (
        f"<destination queryType='EXACT' forceQueuing='true'>{name}</destination><subscribable>false</subscribable>"
    ).encode()


def log_in(link: Link, qos: bytes) -> Script[bytes]:
    """Log in; returns the secret session id."""
    session, _ = yield from call(link, b"connect", b"", unit(qos))
    return session


class NativeSender:
    """Publishes.

    Args:
        link: of the publisher.
        session: its secret session id.
        chunks: requests, so many in one write that they have ``batch`` messages.
        batch: messages in one write.
        array: messages in one request.
        oneway: whether there are no answers.
    """

    def __init__(
        self, link: Link, session: bytes, chunks: Sequence[bytes], *, batch: int, array: int, oneway: bool = False
    ) -> None:
        self.link = link
        self.chunks = chunks
        self.batch = batch
        self.acknowledged: int | None = None if oneway else 0
        self._session = session
        self._array = array
        self._buffer = bytearray()
        link.on_data = self._received

    @classmethod
    def of_message(
        cls, link: Link, session: bytes, message: bytes, *, oneway: bool, array: int, batch: int, window: int
    ) -> NativeSender:
        """Who publishes one message again and again; requests that are on their way have different ids."""
        numbers = itertools.count()
        method = b"publishOneway" if oneway else b"publish"
        body = message * array
        chunks = [
            b"".join(frame(b"I", b"p%d" % next(numbers), method, session, body) for _ in range(batch // array))
            for _ in range(window // batch + 2)
        ]
        return cls(link, session, chunks, batch=batch, array=array, oneway=oneway)

    @classmethod
    def of_bodies(cls, link: Link, session: bytes, bodies: Sequence[bytes], *, array: int) -> NativeSender:
        """Who publishes requests of so many messages each, in turn."""
        chunks = [frame(b"I", b"p%d" % number, b"publish", session, body) for number, body in enumerate(bodies)]
        return cls(link, session, chunks, batch=array, array=array)

    def _received(self, data: bytes) -> None:
        """Count answers; the broker may ask for a sign of life."""
        assert self.acknowledged is not None, "an answer to a oneway request"
        buffer = self._buffer
        buffer += data
        position, end = 0, len(buffer)
        while end - position >= _HEADER and position + (size := int(buffer[position : position + _HEADER])) <= end:
            kind = buffer[position + _KIND]
            if kind == _RESPONSE:
                self.acknowledged += self._array
            elif kind == _INVOKE:
                _answer_other(self.link, bytes(buffer[position : position + size]), self._session)
            else:
                raise DriveError(f"refused: {bytes(buffer[position : position + min(size, 500)])!r}")
            position += size
        del buffer[:position]


class NativeReceiver:
    """Takes updates and answers them.

    Args:
        link: of the subscriber.
        session: its secret session id.
        rest: bytes that have come already.
    """

    def __init__(self, link: Link, session: bytes, rest: bytes = b"") -> None:
        self.link = link
        self.got = 0
        self._session = session
        self._buffer = bytearray()
        self._need = _HEADER
        link.on_data = self._received
        if rest:
            self._received(rest)

    def _received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        end = len(buffer)
        if end < self._need:
            return
        position = 0
        answers: list[bytes] = []
        while end - position >= _HEADER:
            size = int(buffer[position : position + _HEADER])
            if position + size > end:
                break
            count = buffer.count(MARKER, position, position + size)
            id_end = buffer.index(0, position + _ID)
            name_end = buffer.index(0, id_end + 1)
            method = buffer[id_end + 1 : name_end]
            if method == b"update":
                request_id = bytes(buffer[position + _ID : id_end])
                answers.append(frame(b"R", request_id, b"update", self._session, _OK * count))
            elif method != b"updateOneway":
                _answer_other(self.link, bytes(buffer[position : position + size]), self._session)
            self.got += count
            position += size
        del buffer[:position]
        self._need = int(buffer[:_HEADER]) if len(buffer) >= _HEADER else _HEADER
        if answers:
            self.link.send(b"".join(answers))


class OnewayReceiver:
    """Counts updates that want no answer.

    Args:
        link: of the subscriber.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self._counter = Counter(MARKER)
        link.on_data = self._received

    @property
    def got(self) -> int:
        """Messages that have come."""
        return self._counter.count

    def _received(self, data: bytes) -> None:
        self._counter.feed(data)


def _answer_other(link: Link, request: bytes, session: bytes) -> None:
    request_id, method, _ = request[_ID:].split(b"\0", 2)
    if method != b"ping":
        raise DriveError(f"unexpected {method!r}")
    link.send(frame(b"R", request_id, method, session, _OK))
