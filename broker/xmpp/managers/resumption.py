"""A stream that goes on with this process of the server, without its client's noticing (manager-links.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from twisted.internet.task import deferLater

from broker.errors import BrokerError, Code
from broker.model.jid import prepare_local
from broker.xml.stanza import Stanza, StreamStart
from broker.xml.stream import StreamError
from broker.xmpp.service import XmppService
from broker.xmpp.stream.authentication import PROTOCOL
from broker.xmpp.stream.binding import Binding
from broker.xmpp.stream.bound import BoundStream
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.wire import sm
from broker.xmpp.wire.frame_values import Resume

BEGIN_ANEW = "reset"
"""The stream error of a client that has to log in again (RFC 6120 §4.9.3.16)."""
PATIENCE = 30.0
"""Seconds for which a stream is looked for while the store cannot work."""
AGAIN = 0.5
"""Seconds between two attempts."""
MECHANISM = "resume"
"""How the audit says by what a client was let in: the id of its stream, told by a manager that knows the secret."""

_Found = TypeVar("_Found")


class Answer(Protocol):
    """Takes what becomes of it."""

    def opened(self, handled: int | None = None) -> None:
        """The stream goes on; so many stanzas of the client were handled."""

    def refuse(self, condition: str, text: str) -> None:
        """It cannot go on, for the reason that a stream error with this condition tells."""

    def postpone(self, condition: str, text: str) -> None:
        """It cannot go on now, and may be later: the store cannot work, or a limit is reached."""


class Resumption:
    """The phase in which a stream is looked for that a manager goes on with.

    Args:
        service: that the stream belongs to.
        stream: that is to go on with it.
        answer: takes the outcome.
        wanted: which stream.
        manager: name of the manager, for the audit.
    """

    __slots__ = ("_answer", "_binding", "_manager", "_service", "_stream", "_wanted")

    client = None
    is_behind = False
    finishes = True

    def __init__(
        self, service: XmppService, stream: StreamConnection, answer: Answer, wanted: Resume, manager: str
    ) -> None:
        self._service = service
        self._stream = stream
        self._answer = answer
        self._wanted = wanted
        self._manager = manager
        self._binding = Binding(service.domain)

    def start(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self._stream.work(self._resume())

    def secured(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`; no handshake begins in this one."""

    def opened(self, start: StreamStart) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""
        self._stream.fail("policy-violation", "the stream is open already")

    def element(self, stanza: Stanza) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`: nothing is handled before the stream goes on."""

    def set_writable(self, writable: bool) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""

    def shut_down(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`: the manager tries again with the next server."""
        self._stream.ending.leave()

    def lost(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""

    def let_go(self, reason: str) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`."""

    def stop(self) -> None:
        """See :class:`broker.xmpp.stream.phase.Phase`; it has no timers."""

    async def _resume(self) -> None:
        service, stream, wanted = self._service, self._stream, self._wanted
        try:
            user = await self._patiently(lambda: self._admitted(wanted))
            self._open()
            session = await self._patiently(lambda: self._binding.resume(user, wanted.previd, wanted.h))
        except BrokerError as error:
            self._refuse(BEGIN_ANEW, error.message, error.code, is_final=not error.is_resource)
            return
        except (sm.TooHigh, sm.TooLow, StreamError) as error:
            self._refuse("undefined-condition" if isinstance(error, sm.TooHigh) else BEGIN_ANEW, str(error))
            return
        client = await self._binding.confirm(session)
        if client is None:
            self._refuse("conflict", "another connection has resumed the stream")
            return
        if stream.ending.is_closed:
            client.dispatch.start_polling()
            return
        details = stream.transport.tls_details()
        fields = {} if details is None else details.fields()
        service.logins.admitted(user, PROTOCOL, stream.host, mechanism=MECHANISM, manager=self._manager, **fields)
        bound = BoundStream(service, stream, client, resumable=True)
        self._answer.opened(client.dispatch.handled)
        stream.enter(bound)
        service.go_on(client, bound)

    async def _patiently(self, look: Callable[[], Awaitable[_Found]]) -> _Found:
        """Look for something, and once more while the store cannot work, for the client knows nothing of it.

        Raises:
            BrokerError: it is not there; or the store has not worked for :data:`PATIENCE` seconds.
        """
        clock = self._service.domain.node.clock
        until = clock.seconds() + PATIENCE
        while True:
            try:
                return await look()
            except BrokerError as error:
                if not error.is_resource or clock.seconds() >= until:
                    raise
                await deferLater(clock, AGAIN)
                if self._stream.ending.is_closed or self._stream.ending.is_lost:  # it may have resumed elsewhere
                    raise

    async def _admitted(self, wanted: Resume) -> str:
        """The localpart of a client that may still log in.

        Raises:
            BrokerError: it may not, or nothing is resumed here.
        """
        service = self._service
        if not service.settings.sm_enabled or not service.settings.sm_resume or len(wanted.previd) > sm.MAX_ID:
            raise BrokerError(Code.USER_OID_UNKNOWN, "there is no such stream to resume")
        user = prepare_local(wanted.account)
        broker = service.domain.broker
        while True:
            since = broker.account_changes.seen
            if not await service.security.exists(user):
                raise BrokerError(Code.USER_ACCESS_DENIED, "there is no such account")
            if await broker.admit(user, since):
                return user

    def _open(self) -> None:
        """Have the stream as it was: opened by both sides.

        Raises:
            StreamError: the client's header cannot be read.
        """
        framing = self._stream.framing
        framing.allow(self._service.settings.max_stanza)
        events = framing.feed(self._wanted.header.encode())
        if framing.error is not None:
            raise framing.error
        if len(events) != 1 or not isinstance(events[0], StreamStart) or framing.has_more:
            raise StreamError("bad-format", "that is not a stream's header")
        framing.open()

    def _refuse(self, condition: str, text: str, code: str = "", *, is_final: bool = True) -> None:
        self._service.logins.refused(
            self._wanted.account, PROTOCOL, self._stream.host, text, mechanism=MECHANISM, code=code or condition
        )
        if not self._stream.ending.is_closed:
            tell = self._answer.refuse if is_final else self._answer.postpone
            tell(condition, text)
