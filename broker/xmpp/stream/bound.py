"""A bound stream: stanzas of its client in; what the core writes, out (RFC 6120 §8, XEP-0198)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from broker.core.dispatch import TAKEN_OVER
from broker.core.session_control import DISCONNECTED
from broker.core.waiting import Pending
from broker.errors import BrokerError, Code
from broker.model.jid import prepared_or_empty
from broker.net.silence import Silence
from broker.xml.stanza import Stanza, StreamStart
from broker.xmpp.routing.domain import Client
from broker.xmpp.service import XmppService
from broker.xmpp.stream.acknowledgements import Acknowledgements, acknowledge
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.stream.management import StreamManagement
from broker.xmpp.stream.transitions import STANZAS
from broker.xmpp.wire import ns, sm
from broker.xmpp.wire.errors import StanzaError
from broker.xmpp.wire.stanza import element, iq


class BoundStream:
    """The phase in which a client sends and gets stanzas; the core's side of the connection, too.

    Args:
        service: that the stream belongs to.
        stream: the stream.
        client: whose stream it is.
        resumable: whether the client may be let resume.

    Attributes:
        client: as above.
        writable: ``False`` while the connection's buffer is full, or it is gone.
        write: sends stanzas.
        on_stop: called when the phase is over; ``None`` for nothing.
    """

    __slots__ = (
        "_acknowledgements",
        "_management",
        "_router",
        "_service",
        "_silence",
        "_stream",
        "client",
        "on_stop",
        "writable",
        "write",
    )

    finishes = True

    def __init__(self, service: XmppService, stream: StreamConnection, client: Client, *, resumable: bool) -> None:
        settings, clock = service.settings, service.domain.node.clock
        self._service = service
        self._router = service.router
        self._stream = stream
        self.client = client
        self.writable = stream.writable
        self.write = stream.write
        self.on_stop: Callable[[], None] | None = None
        policy = sm.AckPolicy(ask=settings.sm_ask, every=settings.sm_ack_every)
        self._acknowledgements = Acknowledgements(clock, settings.sm_ack_timeout, policy, self._unanswered)
        self._silence = Silence(clock, stream.idle, lambda: stream.heard, self._probe, self._silent)
        self._management = StreamManagement(service.domain, stream, client, self._acknowledgements, resumable=resumable)

    def start(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        stream = self._stream
        stream.framing.read_ahead()
        self._service.prepare(self.client)
        subject = self.client.session.subject
        stream.transport.logged_in(subject.name, subject.usage)
        self._silence.watch()

    def secured(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`; no handshake begins in this one."""

    def opened(self, start: StreamStart) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self._stream.fail("policy-violation", "the stream is open already")

    @property
    def is_behind(self) -> bool:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        return not self.writable or self.client.dispatch.has_enough

    def set_writable(self, writable: bool) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self.writable = writable
        if writable:
            self.client.dispatch.resume()
            self._stream.go_on()

    def shut_down(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`: the client may resume (I10)."""
        if self._stream.has_unhandled:
            self.drain().addCallback(lambda _: self.close(""))
        else:
            self.close("")

    def lost(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self.writable = False
        self.client.dispatch.hang_up(self)

    def let_go(self, reason: str) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self.client.dispatch.lost(self, BrokerError(Code.COMMUNICATION_NO_CONNECTION, reason))

    def stop(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self._silence.stop()
        self._acknowledgements.stop()
        if self.on_stop is not None:
            self.on_stop()

    @property
    def is_draining(self) -> bool:
        """Whether no more bytes are taken, and what came before is handled to its end."""
        return self._stream.ending.is_draining

    def drain(self) -> Deferred[None]:
        """See :meth:`StreamConnection.drain`."""
        return self._stream.drain()

    def follow(self, came: Callable[[Stanza], None] | None, sent: Callable[[bytes], None] | None) -> None:
        """Show somebody what comes and goes; nothing of the negotiation, which is over.

        Args:
            came: is given each stanza of the client; ``None`` for nobody any more.
            sent: is given what is written to it, one or several elements; likewise.
        """
        stream = self._stream
        write = stream.framing.sender(stream.transport.write)

        def write_and_tell(data: bytes) -> None:
            if sent is not None:
                sent(data)
            write(data)

        stream.tap = came
        stream.write = self.write = write if sent is None else write_and_tell

    def after_sending(self, stanzas: int, size: int, *, full: bool) -> bytes:
        """See :meth:`Acknowledgements.after_sending`."""
        if self._stream.ending.is_closed or not self._stream.asks:
            return b""
        return self._acknowledgements.after_sending(stanzas, size, full=full)

    def close(self, reason: str) -> None:
        """Let go of the connection: another one has the session now, the session has ended, or the broker pauses.

        Args:
            reason: :data:`broker.core.dispatch.TAKEN_OVER`; :data:`broker.core.session_control.DISCONNECTED`, when the
                client may resume; empty where the broker pauses; or anything else.
        """
        stream, ending = self._stream, self._stream.ending
        if ending.is_closed:
            return
        if reason == TAKEN_OVER:
            stream.fail("conflict", "another connection has this resource now")
        elif reason == DISCONNECTED:
            stream.fail("policy-violation", reason)
        elif reason:
            stream.end()
        else:
            self.stop()
            ending.close()
            self._acknowledge_and_leave()

    def element(self, stanza: Stanza) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        name, client = stanza.name, self.client
        if stanza.namespace == ns.CLIENT and name in STANZAS:
            from_ = stanza.attributes.get("from")
            if from_ is not None and not _is_of(from_, client):
                self._stream.fail("invalid-from", "that is not your address")
            elif name == "message":
                self._message(client, stanza)
            else:
                self._work(self._serve(client, stanza))
        elif stanza.namespace == ns.SM:
            self._management.element(stanza)
        elif stanza.namespace == ns.CSI:
            self._service.activity.changed(client, active=name == "active")
        elif name in STANZAS:
            self._stream.fail("invalid-namespace", f"stanzas are of the namespace {ns.CLIENT}")
        elif stanza.namespace == ns.STREAM and name == "error":
            self._stream.end()

    def _message(self, client: Client, stanza: Stanza) -> None:
        try:
            obstacle = self._router.message(client, stanza)
        except (StanzaError, BrokerError) as error:
            self._refuse(client, stanza, error)
        else:
            if obstacle is not None:
                self._work(self._message_later(client, stanza, obstacle))
                return
        if not client.session.ended:
            client.dispatch.count_handled()

    async def _message_later(self, client: Client, stanza: Stanza, obstacle: str | Pending | None) -> None:
        """Route a message once the receiver's account is read (it may be out of use again) and its turn comes."""
        accounts = self._service.domain.accounts
        try:
            while obstacle is not None:
                if isinstance(obstacle, Pending):
                    await obstacle.wait()
                    missing = False
                else:
                    account = await accounts.load_patiently(obstacle, lambda: not client.session.ended)
                    missing = account is None
                obstacle = self._router.message(client, stanza, no_account=missing)
        except (StanzaError, BrokerError) as error:
            self._refuse(client, stanza, error)

    async def _serve(self, client: Client, stanza: Stanza) -> None:
        try:
            if stanza.name == "iq":
                await self._router.iq(client, stanza)
            else:
                await self._service.presence.received(client, stanza)
        except (StanzaError, BrokerError) as error:
            self._refuse(client, stanza, error)

    def _refuse(self, client: Client, stanza: Stanza, error: StanzaError | BrokerError) -> None:
        """Refuse a stanza; a client that cannot be told loses its stream, and the stanza is not counted as handled."""
        refusal = StanzaError.of(error) if isinstance(error, BrokerError) else error
        self.client.session.kind.traffic.refused(
            error.code if isinstance(error, BrokerError) else refusal.failure_class
        )
        if not self._router.refuse(client, stanza, refusal):
            self._stream.fail("resource-constraint", "too many stanzas wait for you")

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        """Handle a stanza that may take its time; it counts when that is done."""
        self.client.begin_work()
        self._stream.work(work, self._worked)

    def _worked(self) -> None:
        client = self.client
        if not client.session.ended:
            client.dispatch.count_handled()
        client.end_work()

    def _acknowledge_and_leave(self) -> None:
        dispatch, stream = self.client.dispatch, self._stream
        if dispatch.unacked is None:
            stream.ending.leave()
            return

        def write(answer: bytes) -> None:
            stream.write(answer)
            stream.ending.leave()

        acknowledge(dispatch, self._service.domain.node.store, write)

    def _probe(self) -> None:
        settings, client = self._service.settings, self.client
        if self._stream.transport.probe() or not settings.idle_ping:
            return
        unacked = client.dispatch.unacked
        if unacked is not None and len(unacked):
            client.dispatch.write(sm.REQUEST)
        else:
            ping = element("ping", ns.PING)
            id = f"ping-{secrets.token_hex(4)}"
            client.send(iq("get", id, ping, from_=settings.domain, to=client.full))

    def _silent(self) -> None:
        self._stream.fail("connection-timeout", "nothing was heard of you for too long")

    def _unanswered(self) -> None:
        self._stream.fail("connection-timeout", "you did not answer how many stanzas have come")


def _is_of(address: str, client: Client) -> bool:
    """Whether an address is the client's, however it is written (RFC 6120 §8.1.2.1)."""
    own = (client.full, client.bare)
    return address in own or prepared_or_empty(address) in own
