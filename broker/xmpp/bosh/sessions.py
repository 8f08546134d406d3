"""All sessions over BOSH."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred

from broker.model.host import is_loopback, network_of
from broker.net.rate import Rate
from broker.net.store_pressure import StorePressure
from broker.net.turns import Turns
from broker.xmpp.bosh.channel import BoshChannel, Origin
from broker.xmpp.bosh.exchange import Reply
from broker.xmpp.bosh.session import BoshSession, terminated
from broker.xmpp.bosh.settings import BoshSettings
from broker.xmpp.service import XmppService
from broker.xmpp.wire.bosh import Body

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

    def __len__(self) -> int:
        return len(self._sessions)

    def ask(self, body: Body, origin: Origin) -> tuple[Deferred[bytes], str]:
        """Serve a request.

        Args:
            body: that it brings.
            origin: where it comes from.

        Returns:
            What fires with the answer, and is to be cancelled where the connection is lost before; and the media type.
        """
        session = self._sessions.get(body.sid) if body.sid else self._begin(body, origin)
        answered: Deferred[bytes] = Deferred(lambda _: None if session is None else session.lose(reply))
        reply: Reply = partial(_fire, answered)
        if isinstance(session, BoshSession):
            session.receive(body, reply)
            return answered, session.media_type
        reply(terminated("item-not-found" if body.sid else "policy-violation"))
        return answered, "text/xml; charset=utf-8"

    def shut_down(self) -> None:
        """The listener closes: all requests are answered; streams may be resumed at the next one."""
        for session in list(self._sessions.values()):
            session.shut_down()

    def _begin(self, body: Body, origin: Origin) -> BoshSession | None:
        """Begin a session; ``None`` where there are too many."""
        if not is_loopback(origin.host) and not self._creations.takes(network_of(origin.host)):
            return None
        strangers = sum(each.is_stranger for each in self._sessions.values())
        if strangers >= self._settings.max_strangers:
            return None
        sid = secrets.token_urlsafe(16)
        make_channel: Callable[[BoshSession], BoshChannel] = partial(self._channel, origin)
        domain = self._service.settings.domain
        session = BoshSession(
            self._settings,
            self._clock,
            sid,
            body,
            domain,
            secure=origin.secure,
            make_channel=make_channel,
            on_end=self._ended,
        )
        self._sessions[sid] = session
        return session

    def _channel(self, origin: Origin, session: BoshSession) -> BoshChannel:
        return BoshChannel(self._service, self._turns, self._pressure, origin, session, self._settings.resume_timeout)

    def _ended(self, session: BoshSession) -> None:
        self._sessions.pop(session.sid, None)


def _fire(answered: Deferred[bytes], data: bytes) -> None:
    if not answered.called:
        answered.callback(data)
