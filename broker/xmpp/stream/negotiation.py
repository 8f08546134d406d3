"""From the stream header to the bound or resumed stream (RFC 6120 §5-§7, XEP-0198 §5)."""

from __future__ import annotations

import secrets
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from broker.core.dispatch import TAKEN_OVER
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.model.jid import prepare_resource
from broker.xml.stanza import Stanza, StreamStart
from broker.xmpp.routing.domain import Client
from broker.xmpp.stream import features
from broker.xmpp.stream.certificate import identities
from broker.xmpp.stream.connection import State, StreamConnection
from broker.xmpp.stream.login import Login
from broker.xmpp.wire import ns, sasl, sm
from broker.xmpp.wire.errors import Condition, StanzaError, error_reply
from broker.xmpp.wire.stanza import element, iq_result

if TYPE_CHECKING:
    from broker.xmpp.service import XmppService
    from broker.xmpp.stream.transport import StreamTransport

MAX_LOGINS = 3
"""Failed logins of one connection (spec xmpp §2.5 R3)."""
MAX_BINDS = 5
HEADER_TIMEOUT = 10
"""Seconds until a client must have sent its stream header (R3)."""
STANZAS = frozenset({"message", "presence", "iq"})


class Negotiation(StreamConnection):
    """The part of a stream in which a stranger becomes a client.

    Args:
        service: that it belongs to.
        transport: the connection.
        host: address of the client.
        loopback: the listener can be reached from this machine only.
    """

    def __init__(self, service: XmppService, transport: StreamTransport, host: str, *, loopback: bool) -> None:
        super().__init__(service, transport, host)
        self._tls_required = service.tls_required(loopback=loopback)
        self._plain_allowed = loopback and self._settings.plain_without_tls
        self._login = Login(service.security, service.permits, host)
        self._offer = sasl.Offer(self._settings.domain)
        self._user = ""
        self._anonymous = False
        self._binds = 0
        self._opened = 0.0

    def connected(self) -> None:
        """The connection is there; a direct TLS connection has finished its handshake."""
        self._opened = self._heard = self._clock.seconds()
        self._timer = self._clock.callLater(HEADER_TIMEOUT, self._header_overdue)

    def secured(self) -> None:
        """The handshake of STARTTLS has finished."""
        self._busy = False
        self._timer = self._clock.callLater(HEADER_TIMEOUT, self._header_overdue)
        self._run()

    def _begin(self, start: StreamStart) -> None:
        attributes = start.attributes
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
            certificate=identities(transport.client_certificate()) if secure else (),
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

    def _negotiate(self, stanza: Stanza) -> None:
        """An element before a resource is bound."""
        if stanza.namespace == ns.SM:
            self._early_management(stanza)
        elif self.state is State.LOGGED_IN:
            self._logged_in_element(stanza)
        elif stanza.namespace == ns.TLS and stanza.name == "starttls":
            self._start_tls()
        elif stanza.namespace == ns.SASL:
            self._sasl(stanza)
        elif stanza.namespace == ns.CLIENT and stanza.name in STANZAS:
            self._fail("not-authorized", "log in first")
        else:
            self._fail("unsupported-stanza-type", f"<{stanza.name}/> is not known before the login")

    def _start_tls(self) -> None:
        if not self._may_start_tls:
            self._transport.write(f"<failure xmlns='{ns.TLS}'/>".encode())
            self._finish()
            return
        self._transport.write(f"<proceed xmlns='{ns.TLS}'/>".encode())
        self._reader.restart(discard=True)
        self._unread.clear()
        self._unread_size = 0
        self._header_sent = False
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
                self._work(self._log_in(self._login.begin(exchange, _sasl_of(stanza))))
            elif stanza.name == "response":
                self._work(self._log_in(self._login.respond(_sasl_of(stanza) or b"")))
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
        self._anonymous = outcome.anonymous
        self._transport.write(element("success", ns.SASL, content=sasl.encode(outcome.data) if outcome.data else b""))
        reach("login answered")
        self.state = State.LOGGED_IN
        self._header_sent = False
        self._reader.restart()
        self._reader.max_stanza = self._settings.max_stanza

    def _refuse_login(self, failure: sasl.SaslFailure) -> None:
        if self._closed:
            return
        text = element("text", attributes={"xml:lang": "en"}, content=failure.text) if failure.text else b""
        self._transport.write(element("failure", ns.SASL, content=f"<{failure.condition}/>".encode() + text))
        if failure.condition != "aborted":  # as often as it likes, so the log has nothing of it
            self._service.refusals.tell(self._host, lambda: f"{self._host}: login refused: {failure}")
            self._login.attempts += 1
        if self._login.attempts >= MAX_LOGINS:
            self._fail("policy-violation", "too many failed logins")

    def _early_management(self, stanza: Stanza) -> None:
        """Stream management before a resource is bound (spec xmpp §1.3)."""
        if stanza.name == "resume" and self.state is State.LOGGED_IN:
            self._work(self._resume(stanza))
        elif stanza.name in ("resume", "enable", "r"):
            self._transport.write(sm.failed(Condition.UNEXPECTED_REQUEST))

    def _logged_in_element(self, stanza: Stanza) -> None:
        if stanza.namespace != ns.CLIENT or stanza.name not in STANZAS:
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
            await self._make_room()
            if self._closed:
                return
            session = self._domain.streams.bind(self._user, resource, guest=self._anonymous)
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
                await outbound.drain()  # what has come over the other connection comes before what comes over this one
                outbound.close(TAKEN_OVER)
            await self._broker.registry.end(
                old.session, BrokerError(Code.USER_NOT_CONNECTED, "the resource was bound by another connection")
            )

    async def _make_room(self) -> None:
        """Where the user has all sessions that it may have, the oldest that nobody is attached to gives way."""
        subject = self._domain.node.subjects.get(self._user)
        while subject is not None and 0 < subject.max_sessions <= subject.count(placeholders=False):
            away = [client for client in self._domain.clients_of(self._user) if client.dispatch.outbound is None]
            if not away:
                return
            oldest = min(away, key=lambda client: client.session.created)
            error = BrokerError(Code.USER_NOT_CONNECTED, "another login needed its place")
            await self._broker.registry.end(oldest.session, error)

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
        streams = self._domain.streams
        try:
            found = self._domain.client_of(streams.find(self._user, previous))
            if found is not None:
                outbound = found.dispatch.outbound
                if outbound is not None and outbound.is_draining:
                    await outbound.drain()
                await found.rest()
            session = await streams.resume(self._user, previous, h)
        except BrokerError:
            handled = await self._service.stale_handled(self._user, previous)
            self._transport.write(sm.failed(Condition.ITEM_NOT_FOUND, handled))
            return
        except sm.TooHigh as error:
            self._fail("undefined-condition", str(error), sm.handled_count_too_high(error))
            return
        epoch = session.epoch
        reach("resume taken over")
        await self._committed()
        reach("resume committed")
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
        reach("resume sent")
        for listener in self._domain.on_resumed:
            listener(client)

    def _take(self, client: Client) -> None:
        """This connection is that of a client from now on."""
        raise NotImplementedError

    def _header_overdue(self) -> None:
        self._timer = None
        if not self._header_sent and self.state is State.STRANGER:  # behind a login the time to bind counts
            self._service.refusals.tell(self._host, lambda: f"{self._host}: no stream header in time")
            self._fail("connection-timeout", "no stream header in time")
        else:
            rest = self._opened + self._settings.bind_timeout - self._clock.seconds()
            self._timer = self._clock.callLater(max(rest, 0), self._login_overdue)

    def _login_overdue(self) -> None:
        self._timer = None
        self._service.refusals.tell(self._host, lambda: f"{self._host}: no login in time")
        self._fail("connection-timeout", "no login in time")


def _sasl_of(stanza: Stanza) -> bytes | None:
    """The content of ``<auth/>`` or ``<response/>``.

    Raises:
        broker.xmpp.wire.sasl.SaslFailure: it cannot be read.
    """
    try:
        text = stanza.tree().text
    except BrokerError as error:
        raise sasl.SaslFailure("malformed-request", error.message) from error
    return sasl.decode(text.strip())
