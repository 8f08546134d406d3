"""The requests of one session: in their order, each answered once, and answered the same when it comes again.

It knows no clock and no stream (XEP-0124 §8, §9, §11, §14).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.xmpp.wire.bosh import Body, write_body

Reply = Callable[[bytes], None]
UNSERVED = b""
"""Instead of an answer: the request was not looked at, and whoever sent it is to send it again."""
"""Answers a request."""
EMPTY = write_body({})
MAX_KEPT = 8
"""Answers that are kept for a client that has not proved to have them, beside those that the window allows."""


class Violation(Exception):
    """What ends the session.

    Args:
        condition: of XEP-0124 §17.2.
        ends: it ends the session; else it is the request's alone.
    """

    def __init__(self, condition: str, *, ends: bool = True) -> None:
        super().__init__(condition)
        self.condition = condition
        self.ends = ends


@dataclass(slots=True, eq=False)
class Request:
    """A request that is not answered.

    Args:
        body: that it has brought.
        reply: answers it; ``None`` where its connection is lost.
        came: when it came, in seconds.
        is_handled: the effects of its body are on disk.
        is_released: it is answered as soon as it is handled, with what there is.
    """

    body: Body
    reply: Reply | None
    came: float
    is_handled: bool = False
    is_released: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    number: int


class Exchange:
    """Puts the requests of a session in order, and keeps their answers.

    Args:
        rid: of the first request.
        requests: that the client may have open at once.

    Attributes:
        waiting: that have come in order and are not answered, the oldest first.
        next: rid of the next request in order.
        answered: rid of the last one that was answered.
    """

    __slots__ = ("_early", "_kept", "_requests", "answered", "next", "waiting")

    def __init__(self, rid: int, requests: int) -> None:
        self.waiting: deque[Request] = deque()
        self.next = rid
        self.answered = rid - 1
        self._requests = requests
        self._early: dict[int, Request] = {}
        self._kept: OrderedDict[int, _Kept] = OrderedDict()

    @property
    def is_inactive(self) -> bool:
        """Whether the client has no request that could be answered."""
        return not any(each.reply is not None for each in (*self.waiting, *self._early.values()))

    def receive(self, request: Request) -> list[Request]:
        """Take a request.

        Returns:
            Those that are in order now.

        Raises:
            Violation: ``item-not-found`` for one out of the window, which ends the session only where it is above it,
                as another page with the same session may be behind; ``policy-violation`` where too many are open.
        """
        body = request.body
        kept = self._kept.get(body.rid)
        if kept is not None:
            if request.reply is not None:
                request.reply(kept.data)
            return []
        for each in (*self.waiting, *self._early.values()):
            if each.body.rid == body.rid:  # it comes again: its connection may be lost, though nobody has noticed
                former, each.reply = each.reply, request.reply
                if former is not None:
                    former(EMPTY)
                return []
        room = self._requests + (body.is_end or body.pause is not None)
        if not self.next <= body.rid < self.next + room:
            raise Violation("item-not-found", ends=body.rid >= self.next)
        if len(self.waiting) + len(self._early) >= room:
            raise Violation("policy-violation")
        self._early[body.rid] = request
        ready: list[Request] = []
        while (found := self._early.pop(self.next, None)) is not None:
            self.next += 1
            self.waiting.append(found)
            ready.append(found)
        return ready

    def keeps(self, rid: int) -> bool:
        """Whether the answer to a request is kept."""
        return rid in self._kept

    def keep(self, answers: Mapping[int, tuple[bytes, int]]) -> None:
        """Keep answers that were given before a crash.

        Args:
            answers: by rid, with the number of the last stanza; see :meth:`answer`.
        """
        for rid, (data, number) in sorted(answers.items()):
            self._kept[rid] = _Kept(data, number)

    def lose(self, reply: Reply) -> None:
        """The connection of a request is lost before it was answered."""
        for each in (*self.waiting, *self._early.values()):
            if each.reply is reply:
                each.reply = None

    def answer(self, data: bytes, number: int) -> None:
        """Answer the oldest request.

        Args:
            data: the answer.
            number: of the last stanza that was sent with it, or before.
        """
        request = self.waiting.popleft()
        self.answered = request.body.rid
        self._kept[self.answered] = _Kept(data, number)
        while len(self._kept) > MAX_KEPT + self._requests:
            self._kept.popitem(last=False)
        if request.reply is not None:
            request.reply(data)

    def prove(self, rid: int) -> int | None:
        """The client has got all answers up to that of a request.

        Returns:
            The number of the last stanza that it has got with them; ``None`` where nothing is known anew.
        """
        number = None
        while self._kept and next(iter(self._kept)) <= rid:
            number = max(number or 0, self._kept.popitem(last=False)[1].number)
        return number

    def end(self, data: bytes) -> None:
        """Answer all requests: the last one whose connection is there with the end of the session."""
        replies = [each.reply for each in (*self.waiting, *self._early.values()) if each.reply is not None]
        self.waiting.clear()
        self._early.clear()
        for number, reply in enumerate(replies, 1):
            reply(data if number == len(replies) else EMPTY)
