"""SASL on a stream (RFC 6120 §6)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from broker.errors import BrokerError
from broker.failpoints import reach
from broker.xml.stanza import Stanza
from broker.xmpp.service import XmppService
from broker.xmpp.stream.certificate import identities
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.login import Login
from broker.xmpp.stream.transitions import Progress, Step
from broker.xmpp.wire import ns, sasl
from broker.xmpp.wire.stanza import element

MAX_LOGINS = 3
"""Failed logins of one connection (spec xmpp §2.5 R3)."""
PROTOCOL = "xmpp"
"""How the audit calls the protocol."""


class Authentication:
    """Exchanges SASL elements with a client until it is admitted.

    Args:
        service: that checks credentials.
        stream: that they come over.
        progress: of the client.
        loopback: the listener can be reached from this machine only.

    Attributes:
        user: the client's localpart; empty until it is admitted.
        is_anonymous: whether the client has no account, so that nobody could resume its stream.
    """

    __slots__ = (
        "_login",
        "_loopback",
        "_mechanism",
        "_offer",
        "_progress",
        "_service",
        "_settings",
        "_stream",
        "is_anonymous",
        "user",
    )

    def __init__(self, service: XmppService, stream: StreamConnection, progress: Progress, *, loopback: bool) -> None:
        self._service = service
        self._settings = service.settings
        self._stream = stream
        self._progress = progress
        self._loopback = loopback
        self._login = Login(service.security, service.domain.broker, stream.host)
        self._offer = sasl.Offer(service.settings.domain)
        self._mechanism = ""
        self.user = ""
        self.is_anonymous = False

    @property
    def must_start_tls(self) -> bool:
        """Whether TLS comes first."""
        return not self._stream.transport.secure and self._service.tls_required(loopback=self._loopback)

    def offer(self) -> sasl.Offer:
        """What the client may choose from, as the connection is now."""
        settings, transport = self._settings, self._stream.transport
        secure = transport.secure
        self._offer = sasl.Offer(
            settings.domain,
            bindings=transport.channel_bindings() if secure else {},
            plain=secure or (self._loopback and settings.plain_without_tls),
            scram=self._service.security.offers_scram,
            certificate=identities(transport.client_certificate()) if secure else (),
            anonymous=settings.anonymous,
        )
        return self._offer

    def abort(self) -> None:
        """What was exchanged counts no more (RFC 6120 §5.4.3.3)."""
        self._login.abort()

    def element(self, step: Step, stanza: Stanza) -> None:
        """Take an element.

        Args:
            step: what it asks for.
            stanza: the element.
        """
        login = self._login
        if self.must_start_tls:
            self._refuse_login(sasl.SaslFailure("encryption-required", "start TLS first"))
            return
        try:
            match step:
                case Step.AUTHENTICATE:
                    self._mechanism = stanza.attributes.get("mechanism", "")
                    exchange = sasl.begin(self._mechanism, self._offer)
                    self._begin(step, self._log_in(login.begin(exchange, _content(stanza))))
                case Step.RESPOND:
                    self._begin(step, self._log_in(login.respond(_content(stanza) or b"")))
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
            self._login.abort()
            return
        if isinstance(outcome, sasl.Challenge):
            progress.advance(Step.CHALLENGED)
            stream.write(element("challenge", ns.SASL, content=sasl.encode(outcome.data)))
            return
        self.user = outcome.user
        self.is_anonymous = outcome.anonymous
        details = stream.transport.tls_details()
        fields = {} if details is None else details.fields()
        self._service.logins.admitted(self.user, PROTOCOL, stream.host, mechanism=self._mechanism, **fields)
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
        if failure.condition != "aborted":  # the log has it where it matters
            self._service.logins.refused(
                self._login.user, PROTOCOL, stream.host, str(failure), mechanism=self._mechanism, code=failure.condition
            )
            self._login.attempts += 1
        if self._login.attempts >= MAX_LOGINS:
            stream.fail("policy-violation", "too many failed logins")

    def _begin(self, step: Step, work: Coroutine[Any, Any, None]) -> None:
        self._progress.advance(step)
        self._stream.work(work)


def _content(stanza: Stanza) -> bytes | None:
    """The content of ``<auth/>`` or ``<response/>``.

    Raises:
        broker.xmpp.wire.sasl.SaslFailure: it cannot be read.
    """
    try:
        text = stanza.text
    except BrokerError as error:
        raise sasl.SaslFailure("malformed-request", error.message) from error
    return sasl.decode(text.strip())
