"""A session for a client that has logged in: a new one, or that which it had (RFC 6120 §7, XEP-0198 §5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from broker.core.dispatch import TAKEN_OVER
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.failpoints import reach
from broker.model.jid import prepare_resource
from broker.xmpp.routing.domain import Client, Domain
from broker.xmpp.stream.acknowledgements import committed


class Binding:
    """Makes and finds the sessions of clients.

    Args:
        domain: the service.
    """

    __slots__ = ("_broker", "_domain", "_streams")

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._broker = domain.broker
        self._streams = domain.streams

    async def bind(
        self, user: str, wanted: str, is_wanted: Callable[[], bool], *, guest: bool = False
    ) -> Client | None:
        """Make a session; who has the resource loses it (RFC 6120 §7.7.2.2).

        Args:
            user: a localpart.
            wanted: the resource, or empty for any.
            is_wanted: whether the client is still there.
            guest: the user has no account.

        Returns:
            The client; ``None`` where it has gone meanwhile.

        Raises:
            BrokerError: the resource, or one more session, cannot be had.
        """
        domain = self._domain
        resource = prepare_resource(wanted) or secrets.token_urlsafe(9)
        account = await domain.accounts.load(user) or domain.accounts.unlisted(user)
        await self._make_way(user, resource)
        await self._make_room(user)
        if not is_wanted():
            return None
        return domain.bound(self._streams.bind(user, resource, guest=guest), account)

    async def resume(self, user: str, previous: str, h: int) -> Session:
        """Take over a session; nothing is sent until its dispatch is told to continue.

        Args:
            user: a localpart.
            previous: the id of the stream.
            h: stanzas that the client has handled.

        Raises:
            BrokerError: there is no such stream of this user.
            broker.xmpp.wire.sm.TooHigh: it cannot have handled so many; nothing changed.
            broker.xmpp.wire.sm.TooLow: it had handled more before; nothing changed.
        """
        session = self._streams.find(user, previous)
        found = self._domain.client_of(session)
        if found is not None:
            outbound = found.dispatch.outbound
            if outbound is not None and outbound.is_draining:
                await outbound.drain()
            await found.until_handled()
        await self._streams.resume(session, h)
        return session

    async def confirm(self, session: Session) -> Client | None:
        """Wait until it is on disk that a session is resumed.

        Returns:
            Its client; ``None`` where another connection has resumed it meanwhile: the last one has it (I5).
        """
        epoch = session.epoch
        reach("resume taken over")
        await committed(self._domain.node.store)
        reach("resume committed")
        return None if session.ended or session.epoch != epoch else self._domain.client_of(session)

    async def _make_way(self, user: str, resource: str) -> None:
        full = f"{user}@{self._domain.settings.domain}/{resource}"
        while (old := self._domain.clients.get(full)) is not None:
            outbound = old.dispatch.outbound
            if outbound is not None:
                await outbound.drain()  # what has come over the other connection comes before what comes over this one
                outbound.close(TAKEN_OVER)
            error = BrokerError(Code.USER_NOT_CONNECTED, "the resource was bound by another connection")
            await self._broker.registry.end(old.session, error)

    async def _make_room(self, user: str) -> None:
        """Where the user has all sessions that it may have, the oldest that nobody is attached to gives way."""
        subject = self._domain.node.subjects.get(user)
        while subject is not None and not subject.has_room(subject.max_sessions, placeholders=False):
            away = [client for client in self._domain.clients_of(user) if client.dispatch.outbound is None]
            if not away:
                return
            oldest = min(away, key=lambda client: client.session.created)
            error = BrokerError(Code.USER_NOT_CONNECTED, "another login needed its place")
            await self._broker.registry.end(oldest.session, error)
