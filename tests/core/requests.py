"""Requests to the core with keys and QoS as XML, as tests write them."""

from __future__ import annotations

from twisted.internet.defer import succeed

from broker.core.administration import Answer
from broker.core.broker import Broker
from broker.core.codec import Encoded
from broker.core.publishing import Published
from broker.core.querying import Subscribed
from broker.core.sessions import Plan, Session
from broker.core.waiting import Pending
from broker.model.key import REFRESH_OID, is_administrative
from broker.native.codec import read_key, read_publish_qos, read_query_key, read_query_qos

COMMAND = Pending(lambda: succeed(None))
"""The message is an administrative command, which is not served at once."""


class Requests:
    """Reads requests and serves them by the core.

    Everything here raises BrokerError where a request cannot be read or is refused; then nothing changed.

    Args:
        broker: the core.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def publish(self, session: Session, key: bytes, qos: bytes, content: bytes) -> Published | Pending:
        """Publish one message (spec xmlblaster §2.3).

        Returns:
            The outcome, or what it has to wait for, which :meth:`publish_when_possible` does. Nothing changed then.
        """
        plan = session.plans.get((key, qos)) or self._plan(session, key, qos)
        return COMMAND if plan is None else self._broker.publish(session, plan, content)

    async def publish_when_possible(
        self, session: Session, key: bytes, qos: bytes, content: bytes, pending: Pending | None = None
    ) -> Published:
        """Publish one message, or run the administrative command that it is, however long that takes.

        ``pending`` is what :meth:`publish` returned, if it was tried before.
        """
        plan = session.plans.get((key, qos)) or self._plan(session, key, qos)
        if plan is not None:
            return await self._broker.publish_when_possible(session, plan, content, pending)
        return await self._broker.run_command(session, read_key(key).oid, content, read_publish_qos(qos))

    async def subscribe(self, session: Session, key: bytes, qos: bytes) -> Subscribed:
        """Subscribe (spec xmlblaster §2.4)."""
        return await self._broker.subscribe(session, read_query_key(key), read_query_qos(qos), Encoded(key, qos))

    async def unsubscribe(self, session: Session, key: bytes) -> list[str]:
        """Unsubscribe (spec xmlblaster §2.5); returns the ids of the subscriptions that ended."""
        return await self._broker.unsubscribe(session, read_query_key(key))

    async def get(self, session: Session, key: bytes, qos: bytes) -> Answer:
        """Read messages, or what an administrative message tells (spec xmlblaster §2.6, §16.2)."""
        query, options = read_query_key(key), read_query_qos(qos)
        if query.oid == REFRESH_OID:  # it was asked only to keep the session from timing out
            return []
        if is_administrative(query.oid):
            return await self._broker.read_command(session, query.oid, options)
        return await self._broker.get(session, query, options)

    async def erase(self, session: Session, key: bytes, qos: bytes) -> list[str]:
        """Erase topics (spec xmlblaster §2.7); returns their oids."""
        return await self._broker.erase(session, read_query_key(key), read_query_qos(qos), Encoded(key, qos))

    def _plan(self, session: Session, key: bytes, qos: bytes) -> Plan | None:
        """The plan of these bytes, kept for the next message; ``None`` for an administrative command."""
        read = read_key(key)
        if is_administrative(read.oid):
            return None
        plan = self._broker.prepare(session, read, read_publish_qos(qos), Encoded(key, qos))
        if plan.reusable:
            session.remember((key, qos), plan)
        return plan
