"""One connection of an XMPP client, from the stream header to the end (RFC 6120, XEP-0198)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from broker.core.dispatch import TAKEN_OVER
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.xml.stanza import Stanza
from broker.xmpp.routing.domain import Client
from broker.xmpp.routing.router import Unloaded
from broker.xmpp.stream.connection import State
from broker.xmpp.stream.negotiation import STANZAS, Negotiation
from broker.xmpp.wire import ns, sm
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element, iq

if TYPE_CHECKING:
    from broker.xmpp.service import XmppService
    from broker.xmpp.session.dispatch import StreamDispatch
    from broker.xmpp.stream.transport import StreamTransport

log = Logger()


class ClientStream(Negotiation):
    """The server's side of a client's stream; the core writes to it what the client is to get.

    Args:
        service: that it belongs to.
        transport: the connection.
        host: address of the client.
        loopback: the listener can be reached from this machine only.

    Attributes:
        writable: ``False`` while the connection's buffer is full.
    """

    def __init__(self, service: XmppService, transport: StreamTransport, host: str, *, loopback: bool) -> None:
        super().__init__(service, transport, host, loopback=loopback)
        self.writable = True
        self._policy = sm.AckPolicy()
        self._probed = -1.0  # the last sign of life before the client was asked for another one
        self._asked = 0.0
        self._ack_timer: Any = None

    @property
    def bound(self) -> bool:
        """Whether a client is bound."""
        return self.state is State.BOUND

    def lost(self, reason: str) -> None:
        """The connection is gone: what came over it is handled, then everything that it held is let go of."""
        self._stop_timers()
        self._lost = reason
        self.writable = False
        self._draining = True
        if self.state is State.STRANGER:
            self._drained()
            return
        if self._client is not None:
            self._client.dispatch.hang_up(self)
        self._run()

    def _drained(self) -> None:
        if self._lost:
            self._let_go()
        super()._drained()

    def _let_go(self) -> None:
        self._stop_timers()
        self._closed = True
        self._events.clear()
        self._unread.clear()
        client = self._client
        if client is not None:
            client.dispatch.lost(self, BrokerError(Code.COMMUNICATION_NO_CONNECTION, self._lost))

    def set_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has room again."""
        if self._lost:
            return
        self.writable = writable
        if writable and self._client is not None:
            self._client.dispatch.resume()
            self.go_on()

    @property
    def _is_behind(self) -> bool:
        client = self._client
        return client is not None and not self._draining and (not self.writable or client.dispatch.has_enough)

    def _wait_for_reader(self) -> None:
        if self.writable:  # its answers are written at the end of this turn; then it will be seen whether it reads
            self.go_on()

    def shut_down(self) -> None:
        """The listener closes: a bound stream may be resumed at the next one, others are told (I10)."""
        if self.bound and self._has_unhandled:
            self.drain().addCallback(lambda _: self.close(""))
        elif self.bound:
            self.close("")
        elif not self._closed:
            self._fail("system-shutdown", "the server stops")

    def write(self, data: bytes) -> None:
        """Send stanzas."""
        self._transport.write(data)

    def after_sending(self, stanzas: int, size: int, *, full: bool) -> bytes:
        """What goes out behind stanzas: a question how many have come (XEP-0198 §4).

        Args:
            stanzas: how many.
            size: in bytes.
            full: no more may be sent before some are acknowledged.
        """
        if self._closed or not self._policy.sent(stanzas, size, full=full):
            return b""
        self._watch_answer()
        return sm.REQUEST

    def close(self, reason: str) -> None:
        """Let go of the connection: another one has the session now, the session has ended, or the broker pauses.

        Args:
            reason: :data:`broker.core.dispatch.TAKEN_OVER`, empty where the broker pauses, or anything else.
        """
        if self._closed:
            return
        if reason == TAKEN_OVER:
            self._fail("conflict", "another connection has this resource now")
        elif reason:
            self._end()
        else:
            self._closed = True
            self._acknowledge(self._leave)

    def _element(self, stanza: Stanza) -> None:
        client = self._client
        if self.state is not State.BOUND or client is None:
            self._negotiate(stanza)
        elif stanza.namespace == ns.CLIENT and stanza.name in STANZAS:
            from_ = stanza.attributes.get("from")
            if from_ is not None and from_ not in (client.full, client.bare):  # RFC 6120 §8.1.2.1
                self._fail("invalid-from", "that is not your address")
            elif stanza.name == "message":
                self._message(client, stanza)
            else:
                self._work(self._serve(client, stanza), client)
        elif stanza.namespace == ns.SM:
            self._management(client, stanza)
        elif stanza.namespace == ns.CSI:
            self._service.activity.changed(client, active=stanza.name == "active")
        elif stanza.name in STANZAS:
            self._fail("invalid-namespace", f"stanzas are of the namespace {ns.CLIENT}")
        elif stanza.namespace == ns.STREAM and stanza.name == "error":
            self._end()

    def _take(self, client: Client) -> None:
        """This connection is that of a client from now on."""
        settings = self._settings
        self._client = client
        self.state = State.BOUND
        self._reader.stepwise = False
        self._policy = sm.AckPolicy(ask=settings.sm_ask, every=settings.sm_ack_every)
        self._service.prepare(client)
        self._transport.logged_in()
        self._stop_timers()
        self._watch_silence()

    def _message(self, client: Client, stanza: Stanza) -> None:
        try:
            self._service.router.message(client, stanza)
        except (Unloaded, Pending) as reason:
            self._work(self._message_later(client, stanza, reason), client)
            return
        except StanzaError as error:
            self._refuse(client, stanza, error)
        except BrokerError as error:
            self._refuse(client, stanza, StanzaError.of(error))
        if not client.session.ended:
            client.dispatch.count_handled()

    def _refuse(self, client: Client, stanza: Stanza, error: StanzaError) -> None:
        """Refuse a stanza; a client that cannot be told loses its stream, and the stanza is not counted as handled."""
        if not self._service.router.refuse(client, stanza, error):
            self._fail("resource-constraint", "too many stanzas wait for you")

    async def _serve(self, client: Client, stanza: Stanza) -> None:
        try:
            if stanza.name == "iq":
                await self._service.router.iq(client, stanza)
            else:
                await self._service.presence.received(client, stanza)
        except StanzaError as error:
            self._refuse(client, stanza, error)
        except BrokerError as error:
            self._refuse(client, stanza, StanzaError.of(error))

    async def _message_later(self, client: Client, stanza: Stanza, reason: Unloaded | Pending) -> None:
        try:
            while True:
                if isinstance(reason, Pending):
                    await reason.wait()
                else:
                    await self._load(client, reason.local)
                try:
                    self._service.router.message(client, stanza)
                    return
                except (Unloaded, Pending) as more:
                    reason = more
        except StanzaError as error:
            self._refuse(client, stanza, error)
        except BrokerError as error:
            self._refuse(client, stanza, StanzaError.of(error))

    async def _load(self, client: Client, local: str) -> None:
        if await self._domain.accounts.load_patiently(local, lambda: not client.session.ended) is None:
            # Nobody learns from this who has an account and who is only away (RFC 6121 §8.5.1).
            raise StanzaError(Condition.SERVICE_UNAVAILABLE)

    def _management(self, client: Client, stanza: Stanza) -> None:
        dispatch = client.dispatch
        on = dispatch.unacked is not None
        match stanza.name:
            case "r" if on:
                self._acknowledge()
            case "a" if on:
                self._acknowledged(dispatch, stanza)
            case "enable":
                self._enable(client, stanza)
            case "r" | "resume":
                self._transport.write(sm.failed(Condition.UNEXPECTED_REQUEST))

    def _acknowledged(self, dispatch: StreamDispatch, stanza: Stanza) -> None:
        h = sm.counter_of(stanza)
        if h is None:
            self._fail("policy-violation", "an acknowledgement has the attribute h, a number")
            return
        try:
            dispatch.acknowledge(h)
        except sm.TooHigh as error:
            self._fail("undefined-condition", str(error), sm.handled_count_too_high(error))
            return
        if self._policy.answered():
            self._watch_answer()
            dispatch.write(sm.REQUEST)

    def _enable(self, client: Client, stanza: Stanza) -> None:
        settings, dispatch = self._settings, client.dispatch
        if not settings.sm_enabled:
            self._transport.write(sm.failed(Condition.FEATURE_NOT_IMPLEMENTED))
            return
        if dispatch.unacked is not None:
            self._transport.write(sm.failed(Condition.UNEXPECTED_REQUEST))
            self._end()
            return
        resumable = sm.wants_resumption(stanza)
        wanted = sm.wanted_window(stanza)
        if resumable is None or wanted == 0:
            self._transport.write(sm.failed(Condition.BAD_REQUEST))
            return
        resumable = resumable and settings.sm_resume and not self._anonymous
        window = settings.sm_resume_timeout if wanted is None else min(wanted, settings.sm_max_resume_timeout)
        self._work(self._enabled(client, resumable=resumable, window=window))

    async def _enabled(self, client: Client, *, resumable: bool, window: int) -> None:
        """The client counts from ``<enabled/>`` on, so nothing may come between (XEP-0198 §3)."""
        dispatch = client.dispatch
        encode, dispatch.encode = dispatch.encode, None
        resumable = self._domain.streams.enable(client.session, resumable=resumable, window=window)
        if resumable:
            await self._committed()
        id = client.session.secret_id if resumable else ""
        if not self._closed:
            dispatch.write(sm.enabled(id, window, self._settings.sm_location if resumable else ""))
        dispatch.encode = encode
        dispatch.wake()

    def _watch_silence(self) -> None:
        idle = self._settings.idle
        if idle > 0:
            self._heard = self._clock.seconds()
            self._timer = self._clock.callLater(idle / 2, self._check_silence)

    def _check_silence(self) -> None:
        """Ask a silent client for a sign of life at half of the time, and let it go at the end (R1, R2)."""
        self._timer = None
        idle = self._settings.idle
        silent = self._clock.seconds() - self._heard
        if silent >= idle:
            self._fail("connection-timeout", "nothing was heard of you for too long")
            return
        half = idle / 2
        if silent >= half and self._probed != self._heard:
            self._probed = self._heard
            if self._settings.idle_ping:
                self._probe()
        due = (idle if self._probed == self._heard else half) - silent
        self._timer = self._clock.callLater(max(due, 0.001), self._check_silence)

    def _probe(self) -> None:
        client = self._client
        assert client is not None
        unacked = client.dispatch.unacked
        if unacked is not None and len(unacked):
            client.dispatch.write(sm.REQUEST)
        else:
            ping = element("ping", ns.PING)
            id = f"ping-{secrets.token_hex(4)}"
            client.send(iq("get", id, ping, from_=self._settings.domain, to=client.full))

    def _watch_answer(self) -> None:
        """An acknowledgement that does not come tells of a connection that is dead (spec xmpp §1.6)."""
        self._asked = self._clock.seconds()
        if self._ack_timer is None:
            self._ack_timer = self._clock.callLater(self._settings.sm_ack_timeout, self._check_answer)

    def _check_answer(self) -> None:
        self._ack_timer = None
        if not self._policy.outstanding or self._closed:
            return
        waited = self._clock.seconds() - self._asked
        if waited >= self._settings.sm_ack_timeout:
            self._fail("connection-timeout", "you did not answer how many stanzas have come")
        else:
            self._ack_timer = self._clock.callLater(self._settings.sm_ack_timeout - waited, self._check_answer)

    def _stop_timers(self) -> None:
        super()._stop_timers()
        timer, self._ack_timer = self._ack_timer, None
        if timer is not None and timer.active():
            timer.cancel()
