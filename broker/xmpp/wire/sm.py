"""Stream management as plain data: counters, what is unacknowledged, when to ask, and its elements (XEP-0198)."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from broker.model.number import whole_or_none
from broker.xml.write import escape_attribute
from broker.xmpp.wire import ns

T = TypeVar("T")

MODULUS = 2**32
"""Counters wrap here (XEP-0198 §4)."""
_HALF = MODULUS // 2

MAX_WINDOW = 2**31
"""Seconds that a client may ask to be waited for; no more than anybody is."""
MAX_ID = 4000
"""Longest id of a stream in bytes (XEP-0198 §3)."""

REQUEST = f"<r xmlns='{ns.SM}'/>".encode()
FEATURE = f"<sm xmlns='{ns.SM}'/>".encode()


def serial_distance(later: int, earlier: int) -> int:
    """How far ``later`` is ahead in serial arithmetic; negative where it is behind."""
    distance = (later - earlier) % MODULUS
    return distance if distance < _HALF else distance - MODULUS


class TooHigh(Exception):
    """More stanzas are acknowledged than were sent.

    Args:
        h: as the peer gave it.
        send_count: stanzas that were sent, modulo 2^32.
    """

    def __init__(self, h: int, send_count: int) -> None:
        super().__init__(h, send_count)
        self.h = h
        self.send_count = send_count

    def __str__(self) -> str:
        return f"{self.h} stanzas are acknowledged, but {self.send_count} were sent"


class TooLow(Exception):
    """A stream cannot go on from where its client is: what the client has not got was acknowledged, and is gone.

    Args:
        h: as the client gave it.
        acked: number of the last stanza that was acknowledged before.
    """

    def __init__(self, h: int, acked: int) -> None:
        super().__init__(h, acked)
        self.h = h
        self.acked = acked

    def __str__(self) -> str:
        return f"{self.h} stanzas are acknowledged, and {self.acked} were before"


class Unacked(Generic[T]):
    """What has a number and is not acknowledged, in order: first what was sent, then what is to be sent.

    Args:
        sent: number of the last stanza that was sent before; only tests begin elsewhere than at 0.

    Attributes:
        sent: number of the last stanza that was sent, modulo 2^32.
        acked: number of the last stanza that was acknowledged.
    """

    __slots__ = ("_items", "acked", "sent")

    def __init__(self, sent: int = 0) -> None:
        self._items: list[T] = []  # an empty deque would take 700 bytes of each stream
        self.sent = sent
        self.acked = sent

    def __len__(self) -> int:
        """How many were sent and are not acknowledged."""
        return (self.sent - self.acked) % MODULUS

    @property
    def numbered(self) -> int:
        """How many have a number and are not acknowledged, sent or not."""
        return len(self._items)

    @property
    def next_number(self) -> int:
        """What :meth:`number` will give."""
        return (self.acked + len(self._items) + 1) % MODULUS

    def number(self, item: T) -> int:
        """Give a stanza that is to be sent its number, modulo 2^32."""
        self._items.append(item)
        return (self.acked + len(self._items)) % MODULUS

    def advance(self, count: int) -> None:
        """Note that the next ``count`` stanzas were sent."""
        self.sent = (self.sent + count) % MODULUS

    def rewind(self) -> None:
        """Note that all are to be sent, again or for the first time."""
        self.sent = self.acked

    def acknowledge(self, h: int, *, strict: bool = False) -> list[T]:
        """Forget what the peer has counted.

        Clients repeat themselves, and some step back now and then: that changes nothing. But when a stream is resumed
        there is nothing left of what the client says that it has not got, so it is refused.

        Args:
            h: number of the last stanza that it has counted.
            strict: refuse steps back, too.

        Returns:
            What was acknowledged now.

        Raises:
            TooHigh: it cannot have counted so many; nothing changed.
            TooLow: it steps back, and ``strict`` is set; nothing changed.
        """
        count = (h - self.acked) % MODULUS
        items = self._items
        if count > len(self):
            if count < _HALF:
                raise TooHigh(h, self.sent)
            if strict:
                raise TooLow(h, self.acked)
            return []
        self.acked = h
        acknowledged = items[:count]
        del items[:count]
        return acknowledged

    def items(self) -> list[T]:
        """What has a number and is not acknowledged, in order."""
        return list(self._items)

    def adopt(self, h: int, logged: int | None, bound: int) -> None:
        """Begin anew after a crash, where what is known is not all that was sent (spec xmpp §1.8 I2).

        Args:
            h: number of the last stanza that the peer has counted.
            logged: the highest number that is known to have been given; ``None`` if none is.
            bound: how many more may have been given.

        Raises:
            TooHigh: it cannot have counted so many; nothing changed.
        """
        if logged is not None and serial_distance(h, logged) > bound:
            raise TooHigh(h, logged)
        self._items.clear()
        self.sent = self.acked = h


class AckPolicy:
    """When to ask the peer what it has counted: one question at a time, when a burst is over (spec xmpp §1.6).

    Where nothing more may be sent before it acknowledges, it is asked in any case: peers need not acknowledge unasked
    (XEP-0198 §4).

    Args:
        ask: whether to ask before that.
        every: stanzas after which it is worth asking.
        size: bytes after which it is.

    Attributes:
        outstanding: a question is not answered yet.
    """

    __slots__ = ("_ask", "_every", "_size", "_size_limit", "_stanzas", "outstanding")

    def __init__(self, *, ask: bool = True, every: int = 1, size: int = 64 * 1024) -> None:
        self._ask = ask
        self._every = every
        self._size_limit = size
        self._stanzas = 0
        self._size = 0
        self.outstanding = False

    def sent(self, stanzas: int, size: int, *, full: bool = False) -> bool:
        """A burst was sent.

        Args:
            stanzas: of it.
            size: in bytes.
            full: nothing more may be sent before some are acknowledged.

        Returns:
            Whether to ask now.
        """
        self._stanzas += stanzas
        self._size += size
        return self._due(full=full)

    def answered(self) -> bool:
        """The peer has told its counter; returns whether to ask again."""
        self.outstanding = False
        return self._due()

    def _due(self, *, full: bool = False) -> bool:
        enough = self._ask and (self._stanzas >= self._every or self._size >= self._size_limit)
        if self.outstanding or not (full or enough):
            return False
        self._stanzas = self._size = 0
        self.outstanding = True
        return True


class Element(Protocol):
    """What is read of an element of stream management."""

    @property
    def attributes(self) -> dict[str, str]:
        """Its attributes."""


def enabled(id: str = "", window: int = 0, location: str = "") -> bytes:
    """The answer to ``<enable/>`` (XEP-0198 §3).

    Args:
        id: with which the stream may be resumed; empty where it may not.
        window: seconds that it may be resumed.
        location: where to resume it, empty for no preference.
    """
    if not id:
        return f"<enabled xmlns='{ns.SM}'/>".encode()
    where = f" location='{escape_attribute(location)}'" if location else ""
    return f"<enabled xmlns='{ns.SM}' resume='true' id='{escape_attribute(id)}' max='{window}'{where}/>".encode()


def resumed(h: int, previous_id: str) -> bytes:
    """The answer to ``<resume/>`` (XEP-0198 §5)."""
    return f"<resumed xmlns='{ns.SM}' h='{h}' previd='{escape_attribute(previous_id)}'/>".encode()


def failed(condition: str, h: int | None = None, text: str = "") -> bytes:
    """The refusal of ``<enable/>`` or ``<resume/>`` (XEP-0198 §3, §5).

    Args:
        condition: of a stanza error.
        h: stanzas that were handled of a stream that cannot be resumed any more, if that is known.
        text: for people.
    """
    counted = "" if h is None else f" h='{h}'"
    words = f"<text xmlns='{ns.STANZAS}' xml:lang='en'>{escape_attribute(text)}</text>" if text else ""
    return f"<failed xmlns='{ns.SM}'{counted}><{condition} xmlns='{ns.STANZAS}'/>{words}</failed>".encode()


def ack(h: int) -> bytes:
    """``<a/>``."""
    return b"<a xmlns='urn:xmpp:sm:3' h='%d'/>" % h


def handled_count_too_high(error: TooHigh) -> bytes:
    """What a stream error says of an acknowledgement that cannot be (XEP-0198 §4)."""
    return f"<handled-count-too-high xmlns='{ns.SM}' h='{error.h}' send-count='{error.send_count}'/>".encode()


def counter_of(element: Element) -> int | None:
    """The ``h`` of an element; ``None`` where it is missing or no counter."""
    return whole_or_none(element.attributes.get("h", ""), 0, MODULUS - 1)


def wants_resumption(element: Element) -> bool | None:
    """Whether ``<enable/>`` asks for resumption; ``None`` where it says something else than true or false."""
    return {"true": True, "1": True, "false": False, "0": False, "": False}.get(element.attributes.get("resume", ""))


def wanted_window(element: Element) -> int | None:
    """The ``max`` of ``<enable/>`` in seconds; ``None`` where it is missing, 0 where it is no positive number."""
    text = element.attributes.get("max")
    if text is None:
        return None
    return whole_or_none(text, 0, MAX_WINDOW) or 0
