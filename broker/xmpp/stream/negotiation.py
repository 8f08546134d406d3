"""From the opened stream to the bound or resumed one (RFC 6120 §5-§7, XEP-0198 §5)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.xml.stanza import Stanza, StreamStart
from broker.xmpp.routing.domain import Client
from broker.xmpp.service import XmppService
from broker.xmpp.stream import features
from broker.xmpp.stream.binding import Binding
from broker.xmpp.stream.bound import BoundStream
from broker.xmpp.stream.certificate import identities
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.deadlines import Deadlines
from broker.xmpp.stream.login import ANONYMOUS_PREFIX, Login
from broker.xmpp.stream.transitions import Progress, Step, Violation, asked
from broker.xmpp.wire import ns, sasl, sm
from broker.xmpp.wire.errors import Condition, StanzaError, error_reply
from broker.xmpp.wire.stanza import element, iq_result

MAX_LOGINS = 3
"""Failed logins of one connection (spec xmpp §2.5 R3)."""
MAX_BINDS = 5
_BIND_ERRORS = {
    Code.USER_ILLEGAL_ARGUMENT: Condition.BAD_REQUEST,
    Code.COMMUNICATION_SERVER_DENY: Condition.NOT_ALLOWED,
}


class Negotiation:
    """The phase in which a stranger becomes a client.

    Args:
        service: that the stream belongs to.
        stream: the stream.
        loopback: the listener can be reached from this machine only.
    """

    __slots__ = (
        "_binding",
        "_binds",
        "_deadlines",
        "_login",
        "_loopback",
        "_offer",
        "_progress",
        "_service",
        "_settings",
        "_stream",
        "_user",
    )

    client = None
    is_behind = False

    def __init__(self, service: XmppService, stream: StreamConnection, *, loopback: bool) -> None:
        self._service = service
        self._settings = settings = service.settings
        self._stream = stream
        self._loopback = loopback
        self._progress = progress = Progress()
        self._login = Login(service.security, service.permits, stream.host)
        self._offer = sasl.Offer(settings.domain)
        self._user = ""
        self._binding = Binding(service.domain)
        self._binds = 0
        clock, framing = service.domain.node.clock, stream.framing
        # Behind a login the time to bind counts.
        has_opened = lambda: framing.is_open or progress.is_admitted  # noqa: E731
        self._deadlines = Deadlines(clock, settings.bind_timeout, has_opened, self._overdue)

    @property
    def finishes(self) -> bool:
        """See :class:`broker.xmpp.stream.phase.Phase`: what strangers have sent has no effect."""
        return self._progress.is_admitted

    def start(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self._deadlines.start()

    def secured(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self._progress.advance(Step.SECURED)
        self._deadlines.await_opening()

    def set_writable(self, writable: bool) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""

    def shut_down(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self._stream.fail("system-shutdown", "the server stops")

    def lost(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""

    def let_go(self, reason: str) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""

    def stop(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self._deadlines.stop()

    def opened(self, start: StreamStart) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        stream, domain, attributes = self._stream, self._settings.domain, start.attributes
        stream.transport.write(stream.framing.open(attributes.get("from", "")))
        if start.namespace != ns.CLIENT:
            stream.fail("invalid-namespace", f"the content namespace is {ns.CLIENT}")
        elif attributes.get("to", domain).lower() != domain:
            stream.fail("host-unknown", f"the domain here is {domain}")
        elif not attributes.get("version", "").startswith("1."):
            stream.fail("unsupported-version", "the version is 1.0")
        else:
            offered = self._after_login() if self._progress.is_admitted else self._before_login()
            stream.transport.write(stream.framing.features(offered))

    def element(self, stanza: Stanza) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        step = self._progress.answer(asked(stanza))
        if isinstance(step, Violation):
            self._stream.fail(step.condition, step.text.format(name=stanza.name))
            return
        match step:
            case Step.START_TLS:
                self._start_tls()
            case Step.AUTHENTICATE | Step.RESPOND | Step.ABORT | Step.REFUSE_SASL:
                self._sasl(step, stanza)
            case Step.BIND:
                self._begin(step, self._bind(stanza))
            case Step.RESUME:
                self._begin(step, self._resume(stanza))
            case Step.REFUSE_MANAGEMENT:
                self._stream.write(sm.failed(Condition.UNEXPECTED_REQUEST))
            case Step.REFUSE_SESSION:
                error = StanzaError(Condition.NOT_ALLOWED, "bind a resource first")
                self._stream.write(error_reply(stanza, error))

    def _begin(self, step: Step, work: Coroutine[Any, Any, None]) -> None:
        self._progress.advance(step)
        self._stream.work(work)

    def _before_login(self) -> bytes:
        settings, transport = self._settings, self._stream.transport
        secure = transport.secure
        self._offer = sasl.Offer(
            settings.domain,
            bindings=transport.channel_bindings() if secure else {},
            plain=secure or (self._loopback and settings.plain_without_tls),
            certificate=identities(transport.client_certificate()) if secure else (),
            anonymous=settings.anonymous,
        )
        return features.before_login(
            self._offer,
            tls=self._may_start_tls,
            tls_required=self._must_start_tls,
            max_stanza=settings.max_stanza_before_login,
            idle=settings.idle,
        )

    def _after_login(self) -> bytes:
        settings = self._settings
        return features.after_login(
            stream_management=settings.sm_enabled,
            max_stanza=settings.max_stanza,
            idle=settings.idle,
            more=self._service.stream_features,
        )

    @property
    def _may_start_tls(self) -> bool:
        return self._service.tls_available and not self._stream.transport.secure

    @property
    def _must_start_tls(self) -> bool:
        return not self._stream.transport.secure and self._service.tls_required(loopback=self._loopback)

    def _start_tls(self) -> None:
        stream = self._stream
        if not self._may_start_tls:
            self.stop()
            stream.write(element("failure", ns.TLS))
            stream.ending.finish()
            return
        self._progress.advance(Step.START_TLS)
        stream.write(element("proceed", ns.TLS))
        self._login.abort()
        self.stop()
        stream.start_tls()

    def _sasl(self, step: Step, stanza: Stanza) -> None:
        login = self._login
        if self._must_start_tls:
            self._refuse_login(sasl.SaslFailure("encryption-required", "start TLS first"))
            return
        try:
            match step:
                case Step.AUTHENTICATE:
                    exchange = sasl.begin(stanza.attributes.get("mechanism", ""), self._offer)
                    data = sasl.decode(stanza.tree().text.strip())
                    self._begin(step, self._log_in(login.begin(exchange, data)))
                case Step.RESPOND:
                    data = sasl.decode(stanza.tree().text.strip())
                    self._begin(step, self._log_in(login.respond(data or b"")))
                case Step.ABORT:
                    login.abort()
                    self._refuse_login(sasl.SaslFailure("aborted"))
                case _:
                    self._stream.fail("unsupported-stanza-type", f"<{stanza.name}/> is not known")
        except sasl.SaslFailure as failure:
            login.abort()
            self._refuse_login(failure)

    async def _log_in(self, step: Coroutine[Any, Any, sasl.Challenge | sasl.Success]) -> None:
        stream, progress = self._stream, self._progress
        try:
            outcome = await step
        except sasl.SaslFailure as failure:
            progress.advance(Step.REFUSE_SASL)
            self._refuse_login(failure)
            return
        if stream.ending.is_closed:
            return
        if isinstance(outcome, sasl.Challenge):
            progress.advance(Step.CHALLENGED)
            stream.write(element("challenge", ns.SASL, content=sasl.encode(outcome.data)))
            return
        self._user = outcome.user
        stream.write(element("success", ns.SASL, content=sasl.encode(outcome.data) if outcome.data else b""))
        reach("login answered")
        progress.advance(Step.ADMITTED)
        stream.framing.restart()
        stream.framing.allow(self._settings.max_stanza)

    def _refuse_login(self, failure: sasl.SaslFailure) -> None:
        stream = self._stream
        if stream.ending.is_closed:
            return
        text = element("text", attributes={"xml:lang": "en"}, content=failure.text) if failure.text else b""
        stream.write(element("failure", ns.SASL, content=element(failure.condition) + text))
        if failure.condition != "aborted":  # as often as it likes, so the log has nothing of it
            stream.note(f"login refused: {failure}")
            self._login.attempts += 1
        if self._login.attempts >= MAX_LOGINS:
            stream.fail("policy-violation", "too many failed logins")

    async def _bind(self, stanza: Stanza) -> None:
        stream = self._stream
        self._binds += 1
        try:
            wanted = stanza.tree().children[0].text_of(ns.BIND, "resource").strip()
            client = await self._binding.bind(self._user, wanted, lambda: not stream.ending.is_closed)
        except BrokerError as error:
            condition = _BIND_ERRORS.get(Code(error.code), Condition.RESOURCE_CONSTRAINT)
            self._progress.advance(Step.NOT_BOUND)
            stream.write(error_reply(stanza, StanzaError(condition, error.message)))
            if self._binds >= MAX_BINDS:
                stream.fail("policy-violation", "too many resources could not be bound")
            return
        if client is None:
            return
        payload = element("bind", ns.BIND, content=element("jid", content=client.full))
        stream.write(iq_result(stanza, payload, from_="", to=""))
        client.dispatch.attach(self._become(client))

    async def _resume(self, stanza: Stanza) -> None:
        settings, stream = self._settings, self._stream
        previous, h = stanza.attributes.get("previd", ""), sm.counter_of(stanza)
        if not settings.sm_enabled or not settings.sm_resume:
            self._refuse_resumption(Condition.FEATURE_NOT_IMPLEMENTED)
            return
        if h is None or not previous or len(previous) > sm.MAX_ID:
            self._refuse_resumption(Condition.BAD_REQUEST)
            return
        try:
            session = await self._binding.resume(self._user, previous, h)
        except BrokerError:
            handled = await self._service.stale_handled(self._user, previous)
            self._refuse_resumption(Condition.ITEM_NOT_FOUND, handled)
            return
        except sm.TooHigh as error:
            stream.fail("undefined-condition", str(error), sm.handled_count_too_high(error))
            return
        client = await self._binding.confirm(session)
        if client is None:
            stream.fail("conflict", "another connection has resumed the stream")
            return
        if stream.ending.is_closed:
            client.dispatch.start_polling()
            return
        bound = self._become(client)
        client.active = True
        stream.write(sm.resumed(client.dispatch.handled, previous))
        client.dispatch.continue_on(bound)
        reach("resume sent")
        for listener in self._service.domain.hooks.resumed:
            listener(client)

    def _refuse_resumption(self, condition: Condition, handled: int | None = None) -> None:
        self._progress.advance(Step.NOT_BOUND)
        self._stream.write(sm.failed(condition, handled))

    def _become(self, client: Client) -> BoundStream:
        """This connection is that of a client from now on."""
        self._progress.advance(Step.BOUND)
        anonymous = self._settings.anonymous and self._user.startswith(ANONYMOUS_PREFIX)
        bound = BoundStream(self._service, self._stream, client, resumable=not anonymous)
        self._stream.enter(bound)
        return bound

    def _overdue(self, reason: str) -> None:
        self._stream.note(reason)
        self._stream.fail("connection-timeout", reason)
