"""From the opened stream to the bound or resumed one (RFC 6120 §5-§7, XEP-0198 §5)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from broker.errors import BrokerError, Code
from broker.model.jid import prepare_domain
from broker.xml.stanza import Stanza, StreamStart
from broker.xmpp.routing.domain import Client
from broker.xmpp.service import XmppService
from broker.xmpp.session.sessions import Resumption
from broker.xmpp.stream import features
from broker.xmpp.stream.authentication import Authentication
from broker.xmpp.stream.binding import Binding
from broker.xmpp.stream.bound import BoundStream
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.deadlines import Deadlines
from broker.xmpp.stream.transitions import Progress, Step, Violation, asked
from broker.xmpp.wire import ns, sm
from broker.xmpp.wire.errors import Condition, StanzaError, error_reply
from broker.xmpp.wire.stanza import element, iq_result

MAX_BINDS = 5
_CONTENT_NAMESPACES = (ns.CLIENT, ns.STREAM, "")
"""Default namespaces of a stream: stanzas of the last two declare their own (RFC 6120 §4.8.2)."""
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
        "_authentication",
        "_binding",
        "_binds",
        "_deadlines",
        "_progress",
        "_service",
        "_settings",
        "_stream",
    )

    client = None
    is_behind = False

    def __init__(self, service: XmppService, stream: StreamConnection, *, loopback: bool) -> None:
        self._service = service
        self._settings = settings = service.settings
        self._stream = stream
        self._progress = progress = Progress()
        self._authentication = Authentication(service, stream, progress, loopback=loopback)
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
        self._authentication.abort()

    def opened(self, start: StreamStart) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        stream, domain, attributes = self._stream, self._settings.domain, start.attributes
        stream.transport.write(stream.framing.open(attributes.get("from", "")))
        if start.namespace not in _CONTENT_NAMESPACES:
            stream.fail("invalid-namespace", f"the content namespace is {ns.CLIENT}")
        elif (to := attributes.get("to", domain)) != domain and _domain(to) != domain:
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
                self._authentication.element(step, stanza)
            case Step.BIND:
                self._begin(step, self._bind(stanza))
            case Step.RESUME:
                self._begin(step, self._resume(stanza))
            case Step.REFUSE_MANAGEMENT:
                self._stream.write(sm.failed(Condition.UNEXPECTED_REQUEST))
            case Step.REFUSE_BIND:
                error = StanzaError(Condition.BAD_REQUEST, "a resource is bound by an iq of type set, with an id")
                self._stream.write(error_reply(stanza, error))
            case Step.REFUSE_SESSION:
                error = StanzaError(Condition.NOT_ALLOWED, "bind a resource first")
                self._stream.write(error_reply(stanza, error))

    def _begin(self, step: Step, work: Coroutine[Any, Any, None]) -> None:
        self._progress.advance(step)
        self._stream.work(work)

    def _before_login(self) -> bytes:
        settings = self._settings
        return features.before_login(
            self._authentication.offer(),
            tls=self._may_start_tls,
            tls_required=self._authentication.must_start_tls,
            max_stanza=settings.max_stanza_before_login,
            idle=self._stream.idle,
        )

    def _after_login(self) -> bytes:
        settings = self._settings
        return features.after_login(
            stream_management=settings.sm_enabled,
            max_stanza=settings.max_stanza,
            idle=self._stream.idle,
            more=tuple(self._service.stream_features),
        )

    @property
    def _may_start_tls(self) -> bool:
        return self._service.tls_available and self._stream.transport.can_start_tls

    def _start_tls(self) -> None:
        stream = self._stream
        if not self._may_start_tls:
            self.stop()
            stream.write(element("failure", ns.TLS))
            stream.ending.finish()
            return
        self._progress.advance(Step.START_TLS)
        stream.write(element("proceed", ns.TLS))
        self.stop()
        stream.start_tls()

    async def _bind(self, stanza: Stanza) -> None:
        stream = self._stream
        self._binds += 1
        try:
            wanted = stanza.tree().children[0].text_of(ns.BIND, "resource").strip()
            login = self._authentication
            client = await self._binding.bind(
                login.user, wanted, lambda: not stream.ending.is_closed, guest=login.is_anonymous
            )
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
        resumptions = self._service.domain.streams.resumptions
        previous, h = stanza.attributes.get("previd", ""), sm.counter_of(stanza)
        if not settings.sm_enabled or not settings.sm_resume:
            self._refuse_resumption(Condition.FEATURE_NOT_IMPLEMENTED)
            return
        if h is None or not previous or len(previous) > sm.MAX_ID:
            self._refuse_resumption(Condition.BAD_REQUEST)
            return
        try:
            session = await self._binding.resume(self._authentication.user, previous, h)
        except BrokerError as error:
            if error.is_resource:  # the stream is there: the client has to try again, and not to bind anew
                stream.fail("internal-server-error", error.message)
                return
            handled = await self._service.stale_handled(self._authentication.user, previous)
            resumptions[Resumption.UNKNOWN if handled is None else Resumption.EXPIRED] += 1
            self._refuse_resumption(Condition.ITEM_NOT_FOUND, handled)
            return
        except sm.TooHigh as error:
            resumptions[Resumption.TOO_HIGH] += 1
            stream.fail("undefined-condition", str(error), sm.handled_count_too_high(error))
            return
        except sm.TooLow as error:
            resumptions[Resumption.TOO_LOW] += 1
            self._refuse_resumption(Condition.ITEM_NOT_FOUND, text=str(error))
            return
        client = await self._binding.confirm(session)
        if client is None:
            stream.fail("conflict", "another connection has resumed the stream")
            return
        if stream.ending.is_closed:
            client.dispatch.start_polling()
            return
        bound = self._become(client)
        resumptions[Resumption.OK] += 1
        stream.write(sm.resumed(client.dispatch.handled, previous))
        self._service.go_on(client, bound)

    def _refuse_resumption(self, condition: Condition, handled: int | None = None, text: str = "") -> None:
        self._progress.advance(Step.NOT_BOUND)
        self._stream.write(sm.failed(condition, handled, text))

    def _become(self, client: Client) -> BoundStream:
        """This connection is that of a client from now on."""
        self._progress.advance(Step.BOUND)
        bound = BoundStream(self._service, self._stream, client, resumable=not self._authentication.is_anonymous)
        self._stream.enter(bound)
        return bound

    def _overdue(self, reason: str) -> None:
        self._stream.note(reason)
        self._stream.fail("connection-timeout", reason)


def _domain(text: str) -> str:
    """A domain in the form that domains are compared in (RFC 7622 §3.2); empty for none."""
    try:
        return prepare_domain(text)
    except BrokerError:
        return ""
