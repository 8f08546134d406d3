"""Which resources a message would reach, and why the others would not (RFC 6121 §8.5); nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.model.jid import JID, parse_jid
from broker.xmpp.routing.domain import Client, Domain
from broker.xmpp.routing.router import MESSAGE_TYPES


class RouteOutcome(StrEnum):
    """What becomes of a message."""

    DELIVERED = "delivered"
    WAITS = "waits"
    """For the account, until one of its resources takes it."""
    REFUSED = "refused"
    """Its sender is told."""
    DROPPED = "dropped"
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class ResourceRoute:
    """One resource of the receiver.

    Args:
        jid: of it.
        gets: it gets the message.
        carbon: it gets a copy (XEP-0280), where the message is one that is copied.
        reason: why, or why not.
    """

    jid: str
    gets: bool
    carbon: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RouteExplanation:
    """Where a message would go.

    Args:
        outcome: of it.
        reason: one sentence.
        resources: of the receiver.
    """

    outcome: RouteOutcome
    reason: str
    resources: list[ResourceRoute]


class RouteExplainer:
    """Explains the routes of messages; what decides is asked of what decides for real.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    async def explain(self, sender: str, receiver: str, type: str = "normal") -> RouteExplanation:
        """Where a message with a body would go.

        Args:
            sender: a JID; without a resource any client of the account.
            receiver: a JID.
            type: of the message.

        Raises:
            BrokerError: ``user.illegalArgument`` for what is no JID; as :meth:`broker.xmpp.accounts.Accounts.load`.
        """
        domain, from_, to = self._domain, parse_jid(sender), parse_jid(receiver)
        kind = type if type in MESSAGE_TYPES else "normal"
        if not domain.is_local(to) or not to.local:
            return _ends(RouteOutcome.REFUSED, f"{to.domain} is not served here, or takes no messages")
        mine = await domain.accounts.load(from_.local) if domain.is_local(from_) and from_.local else None
        theirs = await domain.accounts.load(to.local)
        if mine is not None and mine.blocked and domain.blocks(mine, to):
            return _ends(RouteOutcome.REFUSED, "the sender blocks the receiver (XEP-0191)")
        if theirs is not None and theirs.blocked and domain.blocks(theirs, from_):
            return _ends(RouteOutcome.REFUSED, "the receiver blocks the sender (XEP-0191)")
        client = self._client(from_)
        if client is not None and not domain.delivery.may_send(client.session):
            return _ends(RouteOutcome.REFUSED, "the sender may not publish")
        clients = domain.clients_of(to.local)
        if to.resource:
            return self._to_resource(clients, to, kind, exists=theirs is not None)
        return self._to_account(clients, to, kind, exists=theirs is not None)

    def _client(self, jid: JID) -> Client | None:
        if jid.resource:
            return self._domain.clients.get(jid.full)
        return next(iter(self._domain.clients_of(jid.local)), None)

    def _to_resource(self, clients: list[Client], to: JID, type: str, *, exists: bool) -> RouteExplanation:
        found = self._domain.clients.get(to.full)
        if found is not None:
            if found.session.queue.is_full_now:
                return RouteExplanation(
                    RouteOutcome.REFUSED, "the queue of the resource is full", self._resources(clients, [])
                )
            why = "it is addressed to this resource, whatever its priority"
            return RouteExplanation(RouteOutcome.DELIVERED, why, self._resources(clients, [found]))
        resources = self._resources(clients, [])
        if type in ("normal", "groupchat"):
            return RouteExplanation(RouteOutcome.REFUSED, "this resource is not online", resources)
        if type != "chat":
            return RouteExplanation(RouteOutcome.DROPPED, "this resource is not online", resources)
        return self._to_account(clients, to, type, exists=exists)

    def _to_account(self, clients: list[Client], to: JID, type: str, *, exists: bool) -> RouteExplanation:
        subject = self._domain.node.subjects.get(to.local)
        receivers = [] if subject is None else subject.receivers
        takers = [each for each in clients if each.session in receivers]
        resources = self._resources(clients, takers)
        if type == "error":
            return RouteExplanation(RouteOutcome.DROPPED, "errors are for full JIDs", self._resources(clients, []))
        if type == "groupchat":
            reason = "only a resource can be in a room"
            return RouteExplanation(RouteOutcome.REFUSED, reason, self._resources(clients, []))
        if not receivers:
            if type == "headline":
                return RouteExplanation(RouteOutcome.DROPPED, "nobody is online, and headlines do not wait", resources)
            if not exists:
                return RouteExplanation(RouteOutcome.REFUSED, "there is no such account", resources)
            if subject is not None and subject.queue.is_full_now:
                return RouteExplanation(RouteOutcome.REFUSED, "too many messages wait for the account", resources)
            return RouteExplanation(RouteOutcome.WAITS, "no resource takes messages to the account now", resources)
        if subject is not None and subject.queue.entries and type != "headline":
            waiting = f"behind {subject.queue.entries} messages that wait for the account already"
            return RouteExplanation(RouteOutcome.WAITS, waiting, resources)
        if all(session.queue.is_full_now for session in receivers):
            return RouteExplanation(RouteOutcome.REFUSED, "the queues of all its resources are full", resources)
        return RouteExplanation(RouteOutcome.DELIVERED, "all resources that take messages get it", resources)

    def _resources(self, clients: list[Client], takers: list[Client]) -> list[ResourceRoute]:
        return [self._resource(each, takers) for each in clients]

    def _resource(self, client: Client, takers: list[Client]) -> ResourceRoute:
        session, stream = client.session, client.stream
        priority = f"priority {stream.priority}"
        if client in takers:
            full = session.queue.is_full_now
            return ResourceRoute(client.full, not full, False, "its queue is full" if full else priority)
        copied = bool(takers) and stream.carbons
        if not stream.available:
            reason = "it is unavailable"
        elif stream.priority < 0:
            reason = f"{priority}: it takes messages to its full JID only"
        else:
            reason = f"{priority}; the message is not for it"
        return ResourceRoute(client.full, False, copied, f"{reason}; carbons are on" if copied else reason)


def _ends(outcome: RouteOutcome, reason: str) -> RouteExplanation:
    return RouteExplanation(outcome, reason, [])
