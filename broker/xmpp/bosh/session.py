"""One session over BOSH: when requests are answered, and with what (XEP-0124)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.failpoints import ARMED, reach
from broker.model.number import whole_or_none
from broker.timers import cancel
from broker.xml.write import escape_attribute
from broker.xmpp.bosh.channel import BoshChannel, Mark, is_stanza
from broker.xmpp.bosh.exchange import EMPTY, UNSERVED, Exchange, Reply, Request, Violation
from broker.xmpp.bosh.keys import KeySequence
from broker.xmpp.bosh.records import Record, Records
from broker.xmpp.bosh.restoring import id_of, place, sort_again
from broker.xmpp.bosh.settings import BoshSettings
from broker.xmpp.stream.message_framing import CLOSE
from broker.xmpp.wire import ns
from broker.xmpp.wire.bosh import Body, write_body
from broker.xmpp.wire.sm import MODULUS
from broker.xmpp.wire.stanza import standalone

VERSION = (1, 11)
MAX_ANSWER = 1 << 20
"""Bytes of stanzas in one answer, unless one has more."""
GATHERING = 0.5
"""Seconds for which requests are gathered that a client sends again after a crash."""
MAX_DELAYED = 4
_DEFAULT_WAIT = 60
_MAX_VERSION = 1000


class BoshSession:
    """Answers the requests of one client.

    Args:
        settings: of all sessions.
        clock: of its deadlines.
        sid: its id.
        begun: the body of the request that begins it, or what is known of it after a crash.
        domain: that is served.
        secure: the client has TLS.
        make_channel: makes what is below its stream.
        records: keep what survives a crash.
        on_end: told when it is over.

    Attributes:
        sid: as above.
        channel: what is below its stream.
    """

    def __init__(
        self,
        settings: BoshSettings,
        clock: IReactorTime,
        sid: str,
        begun: Body | Record,
        domain: str,
        *,
        secure: bool,
        make_channel: Callable[[BoshSession], BoshChannel],
        records: Records,
        on_end: Callable[[BoshSession], None],
    ) -> None:
        self.sid = sid
        self._settings = settings
        self._clock = clock
        self._domain = domain
        self._is_secure = secure
        self._on_end = on_end
        self._records = records
        terms = begun if isinstance(begun, Record) else _terms(begun, settings)
        self._wait = terms.wait
        self._hold = terms.hold
        self._requests = self._hold + 1
        self._acknowledges = terms.acknowledges
        self._content = terms.content
        self._keys = KeySequence(terms.key)
        self._exchange = Exchange(terms.rid, self._requests)
        self._first = None if isinstance(begun, Record) else self._attributes(begun)
        self._restored = begun if isinstance(begun, Record) else None
        self._handled = 0  # stanzas of the client, before a crash
        self._delayed: list[Request] | None = [] if isinstance(begun, Record) else None
        self._last = (terms.rid, terms.start)  # the last request with stanzas, and how many there were before
        self._acknowledged = terms.acknowledged
        self._answered = terms.answered
        self._ids: dict[int, list[str]] = {}  # of stanzas, by the rid of the answer that has brought them
        self._is_storing = False  # what the next answer brings
        self._is_restored = False  # the stream goes on after a crash
        self._placing: IDelayedCall | None = None
        self._output: list[tuple[bytes, int]] = []
        self._number = 0  # of the last stanza that an answer has brought
        self._pause = 0
        self._polled = 0.0
        self._answering: IDelayedCall | None = None
        self._overdue: IDelayedCall | None = None
        self._inactive: IDelayedCall | None = None
        self.is_over = False
        self.channel = make_channel(self)

    @property
    def media_type(self) -> str:
        """Of the answers (XEP-0124 §7.1)."""
        text = self._content
        is_usable = text.isascii() and text.isprintable() and "/" in text and len(text) < 100
        return text if is_usable else "text/xml; charset=utf-8"

    @property
    def is_stranger(self) -> bool:
        """Whether the client has not logged in."""
        return not self.channel.is_bound

    def begin(self) -> None:
        """Begin its stream, which may end the session at once."""
        self.channel.begin()

    def receive(self, body: Body, reply: Reply) -> None:
        """A request has come.

        Args:
            body: that it brings.
            reply: answers it.
        """
        if self.is_over:
            reply(UNSERVED if self.sid in self._records else terminated("item-not-found"))
            return
        request = Request(body, reply, self._clock.seconds())
        if self._delayed is not None:
            self._delay(self._delayed, request)
            return
        if body.size > self._settings.max_body_before_login and self.is_stranger:
            reply(terminated("policy-violation"))
            self._terminate("policy-violation")
            return
        self._stop_inactivity()
        self._pause = 0
        try:
            ready = self._exchange.receive(request)
            for each in ready:
                self._take(each)
        except Violation as violation:
            self._exchange.lose(reply)
            reply(terminated(violation.condition))
            if violation.ends:
                self._terminate(violation.condition)
                return
        self._answer_soon()

    def lose(self, reply: Reply) -> None:
        """The connection of a request is lost before it was answered."""
        for each in self._delayed or ():
            if each.reply is reply:
                each.reply = None
        self._exchange.lose(reply)
        self._answer_soon()

    def shut_down(self) -> None:
        """The listener closes."""
        self.channel.shut_down()

    def written(self, element: bytes, number: int) -> None:
        """See :class:`broker.xmpp.bosh.channel.Output`."""
        self._output.append((element, number))
        self._answer_soon()

    def counted(self) -> None:
        """See :class:`broker.xmpp.bosh.channel.Output`."""
        self._last = (self._exchange.next - 1, self.channel.inbound)
        self._acknowledged = self._number = self.channel.number
        self._keep()

    def restored(self, handled: int) -> None:
        """See :class:`broker.xmpp.bosh.channel.Output`."""
        record = self._restored
        assert record is not None
        self._handled = handled
        sent_again, self._output = self._output, []
        kept, self._output = sort_again(record, sent_again)
        self._exchange.keep(kept)
        self._ids = {rid: list(ids) for rid, ids in record.answers().items()}
        self._number = max([record.acknowledged, *[number for _, number in kept.values()]])
        self._placing = self._clock.callLater(GATHERING, self._place)
        self._is_restored = True

    def refused(self) -> None:
        """See :class:`broker.xmpp.bosh.channel.Output`."""
        self._end(terminated("item-not-found"))

    def closed(self, *, ended: bool, error: bytes) -> None:
        """See :class:`broker.xmpp.bosh.channel.Output`."""
        if self.is_over:
            return
        # What has a number and did not leave is the session's, whose messages wait for the next one.
        payload = b"".join([element for element, number in self._output if not number])
        if error:
            self._end(terminated("remote-stream-error", payload + error))
        elif ended:
            self._end(write_body({"type": "terminate"}, payload))
        elif self._restored is not None and not self._is_restored:
            self._records.give_back(self.sid, self._restored)
            self._end(UNSERVED, keep=True)
        else:
            self._end(EMPTY, keep=True)

    def _attributes(self, body: Body) -> Mapping[str, object]:
        """What the first answer tells of the session (XEP-0124 §7.2, XEP-0206 §4)."""
        settings = self._settings
        attributes: dict[str, object] = {
            "sid": self.sid,
            "wait": self._wait,
            "requests": self._requests,
            "hold": self._hold,
            "inactivity": settings.inactivity,
            "polling": settings.polling,
            "maxpause": settings.max_pause,
            "ver": _version(body.attributes.get("ver", "")),
            "from": self._domain,
            "ack": body.rid,
            "xmpp:version": "1.0",
            "xmpp:restartlogic": "true",
        }
        if self._is_secure:
            attributes["secure"] = "true"
        return attributes

    def _take(self, request: Request) -> None:
        """Have the stream handle a body, whose turn it is.

        Raises:
            Violation: the client may not send it.
        """
        body, channel = request.body, self.channel
        if not self._keys.admits(body.attributes):
            raise Violation("item-not-found")
        self._prove(body)
        is_first = self._first is not None and body.rid == self._exchange.answered + 1 and not body.sid
        if is_first or body.is_restart:
            channel.feed(self._opening(body))
        elif not (body.payloads or body.is_end or body.pause is not None):
            self._check_polling()
        payloads = () if is_first else self._unhandled(body)
        if payloads:
            channel.feed(Mark(partial(self._begin_body, body.rid), is_stored=False))
        for each in payloads:
            channel.payload(standalone(each))
        if body.is_end:
            channel.feed(CLOSE)
            return
        pause = body.pause
        if pause is not None:
            if pause > self._settings.max_pause:
                raise Violation("policy-violation")
            self._pause = pause
            for each_waiting in self._exchange.waiting:
                each_waiting.is_released = True

        def handled() -> None:
            request.is_handled = True
            self._answer_soon()

        channel.feed(Mark(handled, is_stored=True))

    def _unhandled(self, body: Body) -> Sequence[bytes]:
        """What of a body has had no effect before a crash."""
        restored = self._restored
        if restored is None or body.rid > restored.rid:
            return body.payloads
        if body.rid < restored.rid:
            return ()
        done = (self._handled - restored.start) % MODULUS
        rest = []
        for each in body.payloads:
            if done and is_stanza(each):
                done -= 1
            else:
                rest.append(each)
        return rest

    def _begin_body(self, rid: int) -> None:
        """The stanzas of a body are handled from here on."""
        self._last = (rid, self.channel.inbound)
        if self.channel.is_durable:
            self._keep()

    def _keep(self) -> None:
        """Have in the store what a crash must not lose, before what follows."""
        channel = self.channel
        if not channel.is_durable:
            return
        record = Record(
            user=channel.account,
            stream=channel.id,
            rid=self._last[0],
            start=self._last[1] % MODULUS,
            acknowledged=self._acknowledged % MODULUS,
            answered=self._answered,
            kept=[" ".join([str(rid), *ids]) for rid, ids in self._ids.items()],
            wait=self._wait,
            hold=self._hold,
            acknowledges=self._acknowledges,
            content=self._content if self._content.isascii() and self._content.isprintable() else "",
            key=self._keys.last,
        )
        self._records.put(self.sid, record)

    def _delay(self, delayed: list[Request], request: Request) -> None:
        """Have a request wait until the stream goes on."""
        for each in delayed:
            if each.body.rid == request.body.rid:
                former, each.reply = each.reply, request.reply
                if former is not None:
                    former(EMPTY)
                return
        if len(delayed) > MAX_DELAYED:
            self._terminate("policy-violation")
            return
        delayed.append(request)
        if self._is_restored and self._placing is None:
            self._placing = self._clock.callLater(GATHERING, self._place)

    def _place(self) -> None:
        """Find out where the client goes on, once what it sends again has come."""
        record, delayed = self._restored, self._delayed
        self._placing = None
        if self.is_over or record is None or delayed is None:
            return
        kept = [each for each in delayed if self._exchange.keeps(each.body.rid)]
        if len(kept) < len(delayed):
            self._delayed = None
            place(self._exchange, delayed, record.answered + 1)
        else:  # where it goes on is not known yet
            delayed.clear()
        for each in kept:
            self._exchange.receive(each)
        if self._delayed is None:
            for each in sorted(delayed, key=lambda request: request.body.rid):
                if each not in kept and each.reply is not None:
                    self.receive(each.body, each.reply)

    def _opening(self, body: Body) -> bytes:
        attributes = body.attributes
        to = attributes.get("to", self._domain)
        language = attributes.get("xml:lang", "")
        lang = f" xml:lang='{escape_attribute(language)}'" if language else ""
        version = attributes.get("xmpp:version", "1.0")
        return (
            f"<open xmlns='{ns.FRAMING}' to='{escape_attribute(to)}' version='{escape_attribute(version)}'{lang}/>"
        ).encode()

    def _prove(self, body: Body) -> None:
        """Settle what the client has got (XEP-0124 §9.2).

        Without ``ack`` a request proves answers that the window no more allows to be missing, but for one: a page that
        was loaded again goes on with a request of which the last answers were never read.
        """
        if body.rid != self._exchange.next - 1:
            return
        told = body.number("ack") if body.sid else None
        if body.is_end:
            told = body.rid - 1
        elif told is None:
            told = body.rid - 1 if self._acknowledges else body.rid - self._requests - 1
        number = self._exchange.prove(min(told, self._exchange.answered))
        for each in [each for each in self._ids if each <= min(told, self._exchange.answered)]:
            del self._ids[each]
        if number is not None and number > self._acknowledged:
            self._acknowledged = number
            self.channel.acknowledge(number)

    def _check_polling(self) -> None:
        """Refuse a client that asks too often, though its requests are answered at once (XEP-0124 §12)."""
        if self._hold:
            return
        now = self._clock.seconds()
        if self._polled and now - self._polled < self._settings.polling:
            raise Violation("policy-violation")
        self._polled = now

    def _answer_soon(self) -> None:
        """Answer in another turn, so that what is written in this one goes together."""
        if self._answering is None and not self.is_over:
            self._answering = self._clock.callLater(0, self._answer)

    def _answer(self) -> None:
        self._answering = None
        exchange = self._exchange
        now = self._clock.seconds()
        while exchange.waiting and not self.is_over and not self._is_storing:
            oldest = exchange.waiting[0]
            if not oldest.is_handled or (self._first is not None and not self._output):
                break
            is_followed = len(exchange.waiting) > 1
            if oldest.reply is None and not is_followed:
                break  # it will come again
            is_due = oldest.is_released or now - oldest.came >= self._wait or len(exchange.waiting) > self._hold
            if oldest.reply is not None and self._output and not oldest.is_released:
                self._send(self._gathered())
            elif is_due:
                self._send(b"")
            else:
                break
        self._watch(now)

    def _gathered(self) -> bytes:
        """Stanzas for one answer."""
        size = count = 0
        for element, _ in self._output:
            size += len(element)
            if count and size > MAX_ANSWER:
                break
            count += 1
        taken, self._output = self._output[:count], self._output[count:]
        self._number = max(self._number, taken[-1][1])
        if self.channel.is_durable and any(number for _, number in taken):
            self._answered = rid = self._exchange.waiting[0].body.rid
            self._ids[rid] = [id for id in map(id_of, [element for element, _ in taken]) if id]
            self._keep()
            self._is_storing = True
        return b"".join([element for element, _ in taken])

    def _send(self, payload: bytes) -> None:
        exchange = self._exchange
        rid = exchange.waiting[0].body.rid
        attributes: dict[str, object] = {}
        if self._first is not None:
            attributes, self._first = dict(self._first), None
        elif exchange.next - 1 != rid:
            attributes["ack"] = exchange.next - 1
        answer = partial(self._give, write_body(attributes, payload), self._number)
        if self._is_storing:
            self.channel.when_stored(answer)
        else:
            answer()

    def _give(self, data: bytes, number: int) -> None:
        if self.is_over:
            return
        if ARMED:
            reach("answer over BOSH")
        if self._is_storing:
            self._is_storing = False
            self._answer_soon()
        self._exchange.answer(data, number)

    def _watch(self, now: float) -> None:
        """Set the deadlines anew."""
        self._stop_timers()
        if self.is_over:
            return
        exchange = self._exchange
        if exchange.is_inactive:
            patience = self._pause or self._settings.inactivity
            if not self.is_stranger:
                patience += self._settings.resume_timeout
            self._inactive = self._clock.callLater(patience, self._silent)
        elif exchange.waiting and exchange.waiting[0].is_handled:
            rest = max(0.0, exchange.waiting[0].came + self._wait - now)
            self._overdue = self._clock.callLater(rest, self._answer)

    def _silent(self) -> None:
        """The client has not come back (XEP-0124 §10)."""
        self._inactive = None
        if self.is_stranger:
            self._terminate("item-not-found")
        else:
            self.channel.feed(CLOSE)

    def _terminate(self, condition: str) -> None:
        """End the session, and leave the stream to whoever can resume it (XEP-0124 §17.2)."""
        self._end(terminated(condition))
        self.channel.lose(f"the session over BOSH has ended: {condition}")

    def _end(self, data: bytes, *, keep: bool = False) -> None:
        """It is over.

        Args:
            data: the last answer.
            keep: another process may go on with it.
        """
        if self.is_over:
            return
        self.is_over = True
        delayed, self._delayed = self._delayed, None
        for each in delayed or ():
            if each.reply is not None:
                each.reply(data)
        if not keep and self.channel.id:
            self._records.delete(self.sid)
        self._stop_timers()
        cancel(self._answering)
        cancel(self._placing)
        self._answering = self._placing = None
        self._output.clear()
        self._exchange.end(data)
        self._on_end(self)

    def _stop_timers(self) -> None:
        self._stop_inactivity()
        timer, self._overdue = self._overdue, None
        cancel(timer)

    def _stop_inactivity(self) -> None:
        timer, self._inactive = self._inactive, None
        cancel(timer)


def _terms(body: Body, settings: BoshSettings) -> Record:
    """The terms of a session that begins (XEP-0124 §7.2)."""
    wanted = body.number("wait")
    wait = min(_DEFAULT_WAIT if wanted is None else wanted, settings.max_wait)
    return Record(
        user="",
        stream="",
        rid=body.rid,
        start=0,
        acknowledged=0,
        answered=body.rid - 1,
        wait=wait,
        hold=0 if body.number("hold") == 0 or not wait else 1,
        acknowledges="ack" in body.attributes,
        content=body.attributes.get("content", ""),
    )


def terminated(condition: str, payload: bytes = b"") -> bytes:
    """The answer that ends a session because of an error.

    Args:
        condition: of XEP-0124 §17.2.
        payload: elements.
    """
    return write_body({"type": "terminate", "condition": condition}, payload)


def _version(text: str) -> str:
    """The version of BOSH: the lower one of the client's and ours."""
    numbers = [whole_or_none(each, 0, _MAX_VERSION) for each in text.split(".")]
    client = tuple([each for each in numbers if each is not None])
    is_known = len(client) == len(numbers) == len(VERSION)
    return ".".join([str(each) for each in (min(VERSION, client) if is_known else VERSION)])
