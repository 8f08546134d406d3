"""All sessions over BOSH."""

from __future__ import annotations

import secrets
from functools import partial

from twisted.internet.defer import Deferred, fail

from broker.errors import BrokerError, Code
from broker.model.host import is_loopback, network_of
from broker.net.rate import Rate
from broker.net.store_pressure import StorePressure
from broker.net.turns import Turns
from broker.xmpp.bosh.channel import BoshChannel, Origin
from broker.xmpp.bosh.exchange import UNSERVED, Reply
from broker.xmpp.bosh.records import Record, Records
from broker.xmpp.bosh.session import BoshSession, terminated
from broker.xmpp.bosh.settings import BoshSettings
from broker.xmpp.service import XmppService
from broker.xmpp.stream.message_framing import END_OF_MESSAGE
from broker.xmpp.wire import ns
from broker.xmpp.wire.bosh import Body
from broker.xmpp.wire.frame_values import Resume

CREATIONS_A_SECOND, CREATIONS_AT_ONCE = 10 / 60, 10
"""Sessions that one address may begin."""


class BoshSessions:
    """Begins sessions, and finds them by their ids.

    Args:
        service: that their streams belong to.
        settings: of all of them.
        turns: that their streams take.
        pressure: of the store.
    """

    def __init__(
        self, service: XmppService, settings: BoshSettings, turns: Turns, pressure: StorePressure | None = None
    ) -> None:
        clock = service.domain.node.clock
        self._service = service
        self._settings = settings
        self._turns = turns
        self._pressure = pressure
        self._clock = clock
        self._creations = Rate(clock, CREATIONS_A_SECOND, CREATIONS_AT_ONCE)
        self._sessions: dict[str, BoshSession] = {}
        self._is_closing = False
        self._records = Records(service.domain.broker.documents)

    def __len__(self) -> int:
        return len(self._sessions)

    def limit_of(self, sid: str) -> int:
        """The most bytes that a body of a session may have.

        Args:
            sid: of the session; empty, or one that nobody has, for a stranger.
        """
        session, settings = self._sessions.get(sid), self._settings
        is_stranger = sid not in self._records and (session is None or session.is_stranger)
        return settings.max_body_before_login if is_stranger else settings.max_body

    def ask(self, body: Body, origin: Origin) -> tuple[Deferred[bytes], str]:
        """Serve a request.

        Args:
            body: that it brings.
            origin: where it comes from.

        Returns:
            What fires with the answer, and is to be cancelled where the connection is lost before; and the media type.
            It fails with ``resource.unavailable`` for a request that is to be sent again: the broker ends, or its store
            cannot work.
        """
        if self._is_closing and body.sid not in self._sessions:  # it goes on with the next broker
            return fail(_not_now()), "text/xml; charset=utf-8"
        session = self._find(body.sid, origin) if body.sid else self._begin(body, origin)
        answered: Deferred[bytes] = Deferred(lambda _: None if session is None else session.lose(reply))
        reply: Reply = partial(_fire, answered)
        if isinstance(session, BoshSession):
            session.receive(body, reply)
            return answered, session.media_type
        reply(terminated("item-not-found" if body.sid else "policy-violation"))
        return answered, "text/xml; charset=utf-8"

    async def recover(self) -> None:
        """Find the sessions of the last broker, whose streams go on when their clients ask."""
        await self._records.recover()
        self._records.drop(self._service.domain.node.sessions)

    def shut_down(self) -> None:
        """The listener closes: all requests are answered; streams may be resumed at the next one."""
        self._is_closing = True
        for session in list(self._sessions.values()):
            session.shut_down()

    def _find(self, sid: str, origin: Origin) -> BoshSession | None:
        """A session; one of the last broker goes on here."""
        session = self._sessions.get(sid)
        if session is not None:
            return session
        record = self._records.take(sid)
        if record is None:
            return None
        header = f"<open xmlns='{ns.FRAMING}' version='1.0'/>".encode() + END_OF_MESSAGE
        resume = Resume(record.user, record.stream, record.acknowledged, header.decode())
        return self._make(sid, record, origin, resume)

    def _begin(self, body: Body, origin: Origin) -> BoshSession | None:
        """Begin a session; ``None`` where there are too many."""
        if not is_loopback(origin.host) and not self._creations.takes(network_of(origin.host)):
            return None
        strangers = sum(each.is_stranger for each in self._sessions.values())
        if strangers >= self._settings.max_strangers:
            return None
        sid = secrets.token_urlsafe(16)
        return self._make(sid, body, origin, None)

    def _make(self, sid: str, begun: Body | Record, origin: Origin, resume: Resume | None) -> BoshSession:
        session = BoshSession(
            self._settings,
            self._clock,
            sid,
            begun,
            self._service.settings.domain,
            secure=origin.secure,
            make_channel=partial(self._channel, origin, resume),
            records=self._records,
            on_end=self._ended,
        )
        self._sessions[sid] = session
        session.begin()
        return session

    def _channel(self, origin: Origin, resume: Resume | None, session: BoshSession) -> BoshChannel:
        window = self._settings.resume_timeout
        return BoshChannel(self._service, self._turns, self._pressure, origin, session, window, resume)

    def _ended(self, session: BoshSession) -> None:
        self._sessions.pop(session.sid, None)


def _fire(answered: Deferred[bytes], data: bytes) -> None:
    if answered.called:
        return
    if data == UNSERVED:
        answered.errback(_not_now())
    else:
        answered.callback(data)


def _not_now() -> BrokerError:
    return BrokerError(Code.RESOURCE_UNAVAILABLE, "this cannot be served now; send it again")
