"""One connection of an XMPP client: from the stream header to the bound stream and its end (RFC 6120, XEP-0198)."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Coroutine
from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from broker.core.dispatch import TAKEN_OVER
from broker.errors import BrokerError, Code
from broker.model.jid import prepare_resource
from broker.wire.xmpp import ns, sasl, sm
from broker.wire.xmpp.errors import Condition, StanzaError, error_reply, stream_error
from broker.wire.xmpp.stanza import element, iq, iq_result
from broker.xmlio.stanza import Stanza, StreamEnd, StreamStart
from broker.xmlio.stream import Event, StreamError, StreamReader
from broker.xmpp import features
from broker.xmpp.domain import Client
from broker.xmpp.login import Login
from broker.xmpp.routing import Unloaded

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from broker.core.stream_dispatch import StreamDispatch
    from broker.xmpp.service import XmppService
    from broker.xmpp.transport import StreamTransport

log = Logger()

MAX_LOGINS = 3
"""Failed logins of one connection (spec xmpp §2.5 R3)."""
MAX_BINDS = 5
HEADER_TIMEOUT = 10
"""Seconds until a client must have sent its stream header (R3)."""
MOST_UNREAD = 65_536
"""Bytes that may wait while a stanza is being handled; then nothing is read."""
STORE_HIGH_WATER = 8 * 1024 * 1024
STORE_LOW_WATER = 4 * 1024 * 1024
_STANZAS = frozenset({"message", "presence", "iq"})


class State(Enum):
    """How far a stream is."""

    STRANGER = 1
    LOGGED_IN = 2
    BOUND = 3


class ClientStream:
    """The server's side of a client's stream.

    Args:
        service: that it belongs to.
        transport: the connection.
        host: address of the client.
        loopback: the listener can be reached from this machine only.

    Attributes:
        state: how far it is.
        writable: ``False`` while the connection's buffer is full.
    """

    def __init__(self, service: XmppService, transport: StreamTransport, host: str, *, loopback: bool) -> None:
        self.state = State.STRANGER
        self.writable = True
        self._service = service
        self._domain = service.domain
        self._settings = service.settings
        self._broker = service.domain.broker
        self._clock = service.domain.node.clock
        self._transport = transport
        self._host = host
        self._tls_required = service.tls_required(loopback=loopback)
        self._plain_allowed = loopback and self._settings.plain_without_tls
        self._reader = StreamReader(self._settings.max_stanza_before_login)
        self._login = Login(service.security, service.permits, host)
        self._binds = 0
        self._user = ""
        self._anonymous = False
        self._offer = sasl.Offer(self._settings.domain)
        self._header_sent = False  # on the present stream
        self._open = False  # the client's header has come
        self._closed = False
        self._busy = False
        self._events: deque[Event] = deque()
        self._unread: list[bytes] = []
        self._unread_size = 0
        self._client: Client | None = None
        self._policy = sm.AckPolicy()
        self._opened = 0.0
        self._heard = 0.0
        self._probed = False
        self._asked = 0.0
        self._timer: Any = None
        self._ack_timer: Any = None

    @property
    def bound(self) -> bool:
        """Whether a client is bound."""
        return self.state is State.BOUND

    def connected(self) -> None:
        """The connection is there; a direct TLS connection has finished its handshake."""
        self._opened = self._heard = self._clock.seconds()
        self._timer = self._clock.callLater(HEADER_TIMEOUT, self._header_overdue)

    def secured(self) -> None:
        """The handshake of STARTTLS has finished."""
        self._busy = False
        self._timer = self._clock.callLater(HEADER_TIMEOUT, self._header_overdue)
        self._run()

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._closed:
            return
        self._heard = self._clock.seconds()
        self._probed = False
        if self._busy or self._events or self._unread:
            self._unread.append(data)
            self._unread_size += len(data)
            if self._unread_size > MOST_UNREAD:
                self._transport.hold("busy")
            return
        self._read(data)
        self._run()

    def lost(self, reason: str) -> None:
        """The connection is gone: everything that it held is let go of."""
        self._stop_timers()
        self._closed = True
        self._events.clear()
        self._unread.clear()
        client = self._client
        if client is not None:
            client.dispatch.lost(self, BrokerError(Code.COMMUNICATION_NO_CONNECTION, reason))

    def set_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has room again."""
        self.writable = writable
        if writable and self._client is not None:
            self._client.dispatch.resume()

    def shut_down(self) -> None:
        """The listener closes: a bound stream may be resumed at the next one, others are told (I10)."""
        if self.bound:
            self.close("")
        elif not self._closed:
            self._fail("system-shutdown", "the server stops")

    # What the dispatch needs of a connection.

    def write(self, data: bytes) -> None:
        """Send stanzas."""
        self._transport.write(data)

    def after_sending(self, stanzas: int, size: int) -> bytes:
        """What goes out behind stanzas: a question how many have come (XEP-0198 §4)."""
        if not self._policy.sent(stanzas, size):
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

    # Reading.

    def _read(self, data: bytes) -> None:
        reader = self._reader
        try:
            events = reader.feed(data)
        except StreamError as error:  # it was broken before
            self._broken(error)
            return
        if self.state is State.BOUND and not self._events:
            for index, event in enumerate(events):
                self._handle(event)
                if self._busy or self._closed:
                    self._events.extend(events[index + 1 :])
                    break
        else:
            self._events.extend(events)
        if reader.error is not None and not self._events and not self._busy:
            self._broken(reader.error)

    def _run(self) -> None:
        """Go on with what waits."""
        while not self._busy and not self._closed:
            if self._events:
                self._handle(self._events.popleft())
            elif self._reader.error is not None:
                self._broken(self._reader.error)
            elif self._unread or self._reader.unread:
                data = b"".join(self._unread)
                self._unread.clear()
                self._unread_size = 0
                self._transport.release("busy")
                before = self._reader.unread
                self._read(data)
                if not self._events and not data and self._reader.unread == before:
                    return
            else:
                return

    def _broken(self, error: StreamError) -> None:
        log.info("{host}: {error}", host=self._host, error=str(error))
        self._fail(error.condition, error.text)

    def _handle(self, event: Event) -> None:
        try:
            match event:
                case Stanza():
                    self._element(event)
                case StreamStart():
                    self._begin(event)
                case StreamEnd():
                    self._end()
        except Exception:  # noqa: BLE001 - it is logged, and costs this client alone its stream
            log.failure("{host}: a stanza could not be handled", host=self._host)
            self._fail("internal-server-error", "the server failed to handle a stanza")

    def _begin(self, start: StreamStart) -> None:
        attributes = start.attributes
        self._open = True
        self._send_header(attributes.get("from", ""))
        if start.namespace != ns.CLIENT:
            self._fail("invalid-namespace", f"the content namespace is {ns.CLIENT}")
        elif attributes.get("to", self._settings.domain).lower() != self._settings.domain:
            self._fail("host-unknown", f"the domain here is {self._settings.domain}")
        elif not attributes.get("version", "").startswith("1."):
            self._fail("unsupported-version", "the version is 1.0")
        elif self.state is State.STRANGER:
            self._offer_login()
        else:
            self._transport.write(
                features.after_login(
                    stream_management=self._settings.sm_enabled,
                    max_stanza=self._settings.max_stanza,
                    idle=self._settings.idle,
                    more=self._service.stream_features,
                )
            )

    def _offer_login(self) -> None:
        settings, transport = self._settings, self._transport
        secure = transport.secure
        self._offer = sasl.Offer(
            settings.domain,
            bindings=transport.channel_bindings() if secure else {},
            plain=secure or self._plain_allowed,
            certificate=transport.client_certificate() if secure else (),
            anonymous=settings.anonymous,
        )
        self._transport.write(
            features.before_login(
                self._offer,
                tls=self._may_start_tls,
                tls_required=self._tls_required and not secure,
                max_stanza=settings.max_stanza_before_login,
                idle=settings.idle,
            )
        )

    @property
    def _may_start_tls(self) -> bool:
        return self._service.tls_available and not self._transport.secure

    def _element(self, stanza: Stanza) -> None:
        if self.state is State.BOUND:
            self._bound_element(stanza)
        elif stanza.namespace == ns.SM:
            self._early_management(stanza)
        elif self.state is State.LOGGED_IN:
            self._logged_in_element(stanza)
        elif stanza.namespace == ns.TLS and stanza.name == "starttls":
            self._start_tls()
        elif stanza.namespace == ns.SASL:
            self._sasl(stanza)
        elif stanza.namespace == ns.CLIENT and stanza.name in _STANZAS:
            self._fail("not-authorized", "log in first")
        else:
            self._fail("unsupported-stanza-type", f"<{stanza.name}/> is not known before the login")

    # TLS and SASL.

    def _start_tls(self) -> None:
        if not self._may_start_tls:
            self._transport.write(f"<failure xmlns='{ns.TLS}'/>".encode())
            self._finish()
            return
        self._transport.write(f"<proceed xmlns='{ns.TLS}'/>".encode())
        self._reader.restart(discard=True)
        self._unread.clear()
        self._unread_size = 0
        self._header_sent = self._open = False
        self._login.abort()
        self._busy = True  # until the handshake is over, which the transport does not wait for too long
        self._stop_timers()
        self._transport.start_tls()

    def _sasl(self, stanza: Stanza) -> None:
        if self._tls_required and not self._transport.secure:
            self._refuse_login(sasl.SaslFailure("encryption-required", "start TLS first"))
            return
        try:
            if stanza.name == "auth":
                exchange = sasl.begin(stanza.attributes.get("mechanism", ""), self._offer)
                self._work(self._log_in(self._login.begin(exchange, sasl.decode(stanza.tree().text.strip()))))
            elif stanza.name == "response":
                self._work(self._log_in(self._login.respond(sasl.decode(stanza.tree().text.strip()) or b"")))
            elif stanza.name == "abort":
                self._login.abort()
                self._refuse_login(sasl.SaslFailure("aborted"))
            else:
                self._fail("unsupported-stanza-type", f"<{stanza.name}/> is not known")
        except sasl.SaslFailure as failure:
            self._login.abort()
            self._refuse_login(failure)

    async def _log_in(self, step: Coroutine[Any, Any, sasl.Challenge | sasl.Success]) -> None:
        try:
            outcome = await step
        except sasl.SaslFailure as failure:
            self._refuse_login(failure)
            return
        if self._closed:
            return
        if isinstance(outcome, sasl.Challenge):
            self._transport.write(element("challenge", ns.SASL, content=sasl.encode(outcome.data)))
            return
        self._user = outcome.user
        self._anonymous = outcome.user.startswith("anonymous-") and self._settings.anonymous
        self._transport.write(element("success", ns.SASL, content=sasl.encode(outcome.data) if outcome.data else b""))
        self.state = State.LOGGED_IN
        self._header_sent = self._open = False
        self._reader.restart()
        self._reader.max_stanza = self._settings.max_stanza

    def _refuse_login(self, failure: sasl.SaslFailure) -> None:
        if self._closed:
            return
        log.info("{host}: login refused: {failure}", host=self._host, failure=str(failure))
        text = element("text", attributes={"xml:lang": "en"}, content=failure.text) if failure.text else b""
        self._transport.write(element("failure", ns.SASL, content=f"<{failure.condition}/>".encode() + text))
        if failure.condition != "aborted":
            self._login.attempts += 1
        if self._login.attempts >= MAX_LOGINS:
            self._fail("policy-violation", "too many failed logins")

    # Between login and bind.

    def _early_management(self, stanza: Stanza) -> None:
        """Stream management before a resource is bound (spec xmpp §1.3)."""
        if stanza.name == "resume" and self.state is State.LOGGED_IN:
            self._work(self._resume(stanza))
        elif stanza.name in ("resume", "enable", "r"):
            self._transport.write(sm.failed(Condition.UNEXPECTED_REQUEST))

    def _logged_in_element(self, stanza: Stanza) -> None:
        if stanza.namespace != ns.CLIENT or stanza.name not in _STANZAS:
            self._fail("unsupported-stanza-type", f"<{stanza.name}/> is not known before a resource is bound")
        elif stanza.name == "iq" and stanza.first == (ns.BIND, "bind") and stanza.attributes.get("type") == "set":
            self._work(self._bind(stanza))
        elif stanza.name == "iq" and stanza.first == (ns.SESSION, "session"):
            self._transport.write(error_reply(stanza, StanzaError(Condition.NOT_ALLOWED, "bind a resource first")))
        else:
            self._fail("not-authorized", "bind a resource first")

    async def _bind(self, stanza: Stanza) -> None:
        self._binds += 1
        try:
            wanted = stanza.tree().children[0].text_of(ns.BIND, "resource").strip()
            resource = prepare_resource(wanted) or secrets.token_urlsafe(9)
            account = await self._domain.accounts.load(self._user) or self._domain.accounts.unlisted(self._user)
            await self._make_way(resource)
            if self._closed:
                return
            session = self._broker.streams.bind(self._user, resource)
        except BrokerError as error:
            condition = {
                Code.USER_ILLEGAL_ARGUMENT: Condition.BAD_REQUEST,
                Code.COMMUNICATION_SERVER_DENY: Condition.NOT_ALLOWED,
            }.get(Code(error.code), Condition.RESOURCE_CONSTRAINT)
            self._transport.write(error_reply(stanza, StanzaError(condition, error.message)))
            if self._binds >= MAX_BINDS:
                self._fail("policy-violation", "too many resources could not be bound")
            return
        client = self._domain.bound(session, account)
        payload = element("bind", ns.BIND, content=element("jid", content=client.full))
        self._transport.write(iq_result(stanza, payload, from_="", to=""))
        self._take(client)
        client.dispatch.attach(self)
        for listener in self._domain.on_bound:
            listener(client)

    async def _make_way(self, resource: str) -> None:
        """The new one wins (RFC 6120 §7.7.2.2)."""
        while True:
            full = f"{self._user}@{self._settings.domain}/{resource}"
            old = self._domain.clients.get(full)
            if old is None:
                return
            outbound = old.dispatch.outbound
            if outbound is not None:
                outbound.close(TAKEN_OVER)
            await self._broker.registry.end(
                old.session, BrokerError(Code.USER_NOT_CONNECTED, "the resource was bound by another connection")
            )

    async def _resume(self, stanza: Stanza) -> None:
        settings = self._settings
        if not settings.sm_enabled or not settings.sm_resume:
            self._transport.write(sm.failed(Condition.FEATURE_NOT_IMPLEMENTED))
            return
        previous = stanza.attributes.get("previd", "")
        h = sm.counter_of(stanza)
        if h is None or not previous or len(previous) > sm.MAX_ID:
            self._transport.write(sm.failed(Condition.BAD_REQUEST))
            return
        try:
            session = await self._broker.streams.resume(self._user, previous, h)
        except BrokerError:
            handled = await self._service.stale_handled(self._user, previous)
            self._transport.write(sm.failed(Condition.ITEM_NOT_FOUND, handled))
            return
        except sm.TooHigh as error:
            self._fail("undefined-condition", str(error), sm.handled_count_too_high(error))
            return
        epoch = session.epoch
        await self._committed()
        client = self._domain.client_of(session)
        if client is None or session.ended or session.epoch != epoch:  # the last one to resume has it (I5)
            self._fail("conflict", "another connection has resumed the stream")
            return
        if self._closed:
            session.dispatch.start_polling()
            return
        self._take(client)
        client.active = True
        self._transport.write(sm.resumed(client.dispatch.handled, previous))
        client.dispatch.continue_on(self)
        for listener in self._domain.on_resumed:
            listener(client)

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

    # A bound stream.

    def _bound_element(self, stanza: Stanza) -> None:
        client = self._client
        assert client is not None
        if stanza.namespace == ns.CLIENT and stanza.name in _STANZAS:
            if not self._is_from(client, stanza):
                self._fail("invalid-from", "that is not your address")
                return
            self._stanza(client, stanza)
        elif stanza.namespace == ns.SM:
            self._management(client, stanza)
        elif stanza.namespace == ns.CSI:
            self._service.activity.changed(client, active=stanza.name == "active")
        elif stanza.name in _STANZAS:
            self._fail("invalid-namespace", f"stanzas are of the namespace {ns.CLIENT}")
        elif stanza.namespace == ns.STREAM and stanza.name == "error":
            self._end()

    def _is_from(self, client: Client, stanza: Stanza) -> bool:
        """RFC 6120 §8.1.2.1."""
        from_ = stanza.attributes.get("from")
        return from_ is None or from_ in (client.full, client.bare)

    def _stanza(self, client: Client, stanza: Stanza) -> None:
        router = self._service.router
        try:
            if stanza.name == "message":
                router.message(client, stanza)
            else:
                self._work(self._serve(client, stanza), client)
                return
        except Unloaded as unloaded:
            self._work(self._message_later(client, stanza, unloaded.local), client)
            return
        except StanzaError as error:
            router.refuse(client, stanza, error)
        client.dispatch.count_handled()
        if self._domain.node.store.backlog > STORE_HIGH_WATER:
            self._hold_for_store()

    async def _serve(self, client: Client, stanza: Stanza) -> None:
        try:
            if stanza.name == "iq":
                await self._service.router.iq(client, stanza)
            else:
                await self._service.presence.received(client, stanza)
        except StanzaError as error:
            self._service.router.refuse(client, stanza, error)
        except BrokerError as error:
            self._service.router.refuse(client, stanza, StanzaError.of(error))

    async def _message_later(self, client: Client, stanza: Stanza, local: str) -> None:
        router = self._service.router
        try:
            if await self._domain.accounts.load(local) is None:
                # Nobody learns from this who has an account and who is only away (RFC 6121 §8.5.1).
                raise StanzaError(Condition.SERVICE_UNAVAILABLE)
            router.message(client, stanza)
        except StanzaError as error:
            router.refuse(client, stanza, error)

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
        resumable = self._broker.streams.enable(client.session, resumable=resumable, window=window)
        if resumable:
            await self._committed()
        id = client.session.secret_id if resumable else ""
        if not self._closed:
            dispatch.write(sm.enabled(id, window, self._settings.sm_location if resumable else ""))
        dispatch.encode = encode
        dispatch.wake()

    def _acknowledge(self, then: Any = None) -> None:
        """Tell how many stanzas were handled, once their effects are on disk (I1)."""
        client = self._client
        if client is None or client.dispatch.unacked is None:
            if then is not None:
                then()
            return
        dispatch = client.dispatch
        dispatch.keep_handled()
        answer = sm.ack(dispatch.handled)
        store = self._domain.node.store

        def write() -> None:
            self._transport.write(answer)
            if then is not None:
                then()

        store.when_committed(store.position if dispatch.is_durable else 0, write)

    # The end.

    def _end(self) -> None:
        """The stream ends in good order: the session with it (RFC 6120 §4.4)."""
        if self._closed:
            return
        self._closed = True
        client = self._client
        if client is None:
            self._finish()
            return
        self._acknowledge(self._finish)
        self._end_session(client)

    def _fail(self, condition: str, text: str, extra: bytes = b"") -> None:
        """The stream ends with an error; the session, too, unless the connection is all that is wrong."""
        if self._closed:
            return
        self._closed = True
        if not self._header_sent:
            self._send_header("")
        self._transport.write(stream_error(condition, text, extra))
        client = self._client
        self._finish()
        if client is None:
            return
        if condition in ("connection-timeout", "system-shutdown"):
            client.dispatch.lost(self, BrokerError(Code.COMMUNICATION_TIMEOUT, text))
        elif condition != "conflict":
            self._end_session(client)

    def _end_session(self, client: Client) -> None:
        error = BrokerError(Code.USER_NOT_CONNECTED, "the stream has ended")
        ending = ensureDeferred(self._broker.registry.end(client.session, error, by_client=True))
        ending.addErrback(lambda failure: log.failure("{jid} did not end well", failure, jid=client.full))

    def _finish(self) -> None:
        if self._header_sent:
            self._transport.write(features.STREAM_END)
        self._leave()

    def _leave(self) -> None:
        self._stop_timers()
        self._transport.close()

    # Time.

    def _header_overdue(self) -> None:
        self._timer = None
        if not self._header_sent:
            self._fail("connection-timeout", "no stream header in time")
        else:
            rest = self._opened + self._settings.bind_timeout - self._clock.seconds()
            self._timer = self._clock.callLater(max(rest, 0), self._login_overdue)

    def _login_overdue(self) -> None:
        self._timer = None
        self._fail("connection-timeout", "no login in time")

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
        if silent >= half and not self._probed:
            self._probed = True
            if self._settings.idle_ping:
                self._probe()
        due = (idle if self._probed else half) - silent
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
        for call in (self._timer, self._ack_timer):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._ack_timer = None

    # Waiting.

    def _work(self, work: Coroutine[Any, Any, None], counted: Client | None = None) -> None:
        """Handle something that may take its time; what comes behind waits.

        Args:
            work: what to do.
            counted: the client whose stanza it is.
        """
        self._busy = True
        done = ensureDeferred(work)
        done.addErrback(self._work_failed)
        done.addBoth(self._work_done, counted)

    def _work_failed(self, failure: Failure) -> None:
        log.failure("{host}: a stanza could not be handled", failure, host=self._host)
        self._fail("internal-server-error", "the server failed to handle a stanza")

    def _work_done(self, _: object, counted: Client | None) -> None:
        self._busy = False
        if counted is not None and not counted.session.ended:
            counted.dispatch.count_handled()
        if self._events or self._unread or self._reader.unread or self._reader.error is not None:
            self._clock.callLater(0, self._run)

    def _committed(self) -> Deferred[None]:
        committed: Deferred[None] = Deferred()
        self._broker.when_committed(lambda: committed.callback(None))
        return committed

    def _hold_for_store(self) -> None:
        self._transport.hold("the store is behind")
        store = self._domain.node.store
        store.when_committed(store.position, self._store_caught_up)

    def _store_caught_up(self) -> None:
        store = self._domain.node.store
        if store.backlog <= STORE_LOW_WATER:
            self._transport.release("the store is behind")
        elif not self._closed:
            store.when_committed(store.position, self._store_caught_up)

    def _send_header(self, to: str) -> None:
        self._header_sent = True
        self._transport.write(features.header(secrets.token_hex(8), self._settings.domain, to[:1024]))
