"""Presence: who is there, and who is told (RFC 6121 §4; spec xmpp §2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from broker.model.jid import JID, parse_jid
from broker.model.number import whole_or_none
from broker.xml.stanza import Stanza
from broker.xml.write import escape_attribute
from broker.xmpp.accounts import Account, RosterItem
from broker.xmpp.features.approvals import TYPES, Subscriptions, is_seen, sees
from broker.xmpp.features.departed import DepartedResources
from broker.xmpp.features.last_activity import LastActivity
from broker.xmpp.routing.domain import Client, Domain
from broker.xmpp.routing.router import BLOCKED, address
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import delayed, element, presence, route

log = Logger()

MAX_DIRECTED = 1000
"""Addresses that one client's directed presence is remembered for."""
_PRIORITY = (ns.CLIENT, "priority")
_HEAD = "<presence"
_GONE = "<presence type='unavailable'/>"


class Presence:
    """Takes presence of clients and shows it to those who may see it.

    Args:
        domain: the service.
        subscriptions: who may see whom.
        last: remembers when accounts were last available.
        present: remembers whose presence was shown that would not come back after a crash.
    """

    def __init__(
        self, domain: Domain, subscriptions: Subscriptions, last: LastActivity, present: DepartedResources
    ) -> None:
        self._domain = domain
        self._subscriptions = subscriptions
        self._last = last
        self._uncertain: dict[Client, set[str]] = {}  # streams that came back: of whose resources they were told
        self._present = present

    async def received(self, client: Client, stanza: Stanza) -> None:
        """Take a ``<presence/>``.

        Raises:
            StanzaError: the sender is to be told.
        """
        type = stanza.attributes.get("type", "")
        text = stanza.attributes.get("to")
        to = None if text is None else address(text)
        if to is None:
            if type not in ("", "unavailable"):
                raise StanzaError(Condition.BAD_REQUEST, f"presence of type '{type[:32]}' needs an address")
            if type:
                self._unavailable(client, _written(stanza), client)
            else:
                self._available(client, stanza)
            return
        if client.account.blocked and self._domain.blocks(client.account, to) and type != "unavailable":
            raise StanzaError(Condition.NOT_ACCEPTABLE, "you block this address", extra=BLOCKED)
        if to.bare != client.bare and not self._domain.delivery.may_send(client.session):
            raise StanzaError(Condition.FORBIDDEN, "you may not send anything to others")
        if type in TYPES:
            await self._subscriptions.received(client, stanza, to)
        elif type == "probe":
            await self._probed(client, to)
        elif type in ("", "unavailable", "error"):
            self._directed(client, stanza, to, type)
        else:
            raise StanzaError(Condition.BAD_REQUEST, f"presence of type '{type[:32]}' is not known")

    def _available(self, client: Client, stanza: Stanza) -> None:
        """RFC 6121 §4.2, §4.4."""
        stream = client.stream
        priority = _priority(stanza) if stanza.children else 0
        first, took = not stream.available, stream.takes_messages
        stream.presence, stream.priority = _written(stanza), priority
        stream.presence_time = self._domain.node.now()
        client.save()
        self._broadcast(client, stream.presence, client)
        if first:
            self._present.resource_online(client)
            self._initialise(client)
        if stream.takes_messages and not took:
            self._domain.broker.direct.deliver_waiting(client.session)

    def _initialise(self, client: Client) -> None:
        """What a resource gets once, when it becomes available (RFC 6121 §4.2.2, §4.3.2)."""
        for request in self._subscriptions.requests(client.account):
            client.send(request, durable=True)
        self._last.account_online(client.account)
        absent = self._show_all(client)
        if absent:
            telling = ensureDeferred(self._tell_absent(client, [contact.local for contact in absent]))
            telling.addErrback(lambda failure: log.failure("{jid}: contacts cannot be read", failure, jid=client.full))

    def _show_all(self, client: Client) -> list[JID]:
        """Tell a client of all available resources that it may see; returns the contacts that have none."""
        account = client.account
        for other in self._domain.clients_of(account.local):
            if other is not client and other.stream.available:
                self._tell(client, self._last_presence(other, client.full))
        absent: list[JID] = []
        for contact in self._contacts(account, is_seen):
            if not self._show_resources(contact.local, client):
                absent.append(contact)
        return absent

    def _contacts(self, account: Account, chosen: Callable[[RosterItem], bool]) -> Iterator[JID]:
        """The contacts of an account that are chosen, have an account here, and are not blocked."""
        for item in account.roster.values():
            if chosen(item):
                contact = parse_jid(item.jid)
                if self._domain.is_local(contact) and not (account.blocked and self._domain.blocks(account, contact)):
                    yield contact

    def _show_resources(self, local: str, client: Client, resource: str = "") -> bool:
        """Tell a client of a contact's available resources, or of one of them; tells whether there is one."""
        found = False
        for other in self._domain.clients_of(local):
            if other.stream.available and resource in ("", other.jid.resource):
                found = True
                if not (other.account.blocked and self._domain.blocks(other.account, client.jid)):
                    self._tell(client, self._last_presence(other, client.full))
        return found

    def _last_presence(self, of: Client, to: str) -> _Told:
        """The presence of an available client for somebody who was not there to be told (RFC 6121 §4.3.2)."""
        return self._late(_Told.of(of.jid, of.stream.presence, to), of.stream.presence_time)

    def _late(self, told: _Told, when: int) -> _Told:
        """The same with the time when it was said, where that is known (XEP-0203)."""
        return replace(told, data=delayed(told.data, self._domain.settings.domain, when)) if when else told

    async def _tell_absent(self, client: Client, contacts: list[str]) -> None:
        for local in contacts:
            account = await self._domain.accounts.load(local)
            if account is None or client.session.ended or not client.stream.available:
                continue
            if not (account.blocked and self._domain.blocks(account, client.jid)):
                await self._tell_last(client, account)

    async def _tell_last(self, client: Client, account: Account) -> None:
        seen = await self._last.of(account)
        if seen is not None and seen.presence and not self._is_available(account.local):
            jid = JID(account.local, self._domain.settings.domain)
            self._tell(client, self._late(_Told.of(jid, seen.presence, client.full), seen.when))

    def _unavailable(self, client: Client, written: str, itself: Client | None = None) -> None:
        """RFC 6121 §4.5: broadcast, then state, then last activity (seed 002).

        Args:
            client: that is not available any more.
            written: the presence that says so, without addresses.
            itself: the client, if it is still there to be told as well.
        """
        stream = client.stream
        if not stream.available and not stream.directed:
            return
        was_available = stream.available
        if was_available:
            self._broadcast(client, written, itself)
        for jid in stream.directed:  # strangers are not shown anew after a crash who is there
            self._tell_jid(client, parse_jid(jid), written, durable=True)
        stream.directed.clear()
        stream.presence, stream.priority = "", 0
        self._present.resource_offline(client.full)
        if not client.session.ended:
            client.save()
        if was_available and not self._is_available(client.jid.local):
            self._last.account_offline(client.account, written)

    def recovered(self, client: Client) -> None:
        """A stream came back from the store: tell it who went with the last broker (R5)."""
        told: set[str] = set()
        gone: set[str] = set()
        left = self._present.left
        if left and client.stream.available:
            for contact in (client.jid, *self._contacts(client.account, is_seen)):
                for jid in left.get(contact.local, ()):
                    self._tell(client, _gone(jid, client), durable=True)
                    told.add(contact.local)
                    gone.add(jid.full)
        for jid in self._present.directed_to(client):
            if jid.full not in gone:
                gone.add(jid.full)
                self._tell(client, _gone(jid, client), durable=True)
        self._uncertain[client] = told
        if not client.dispatch.recovered:  # it was resumed before its account was read
            self.resumed(client)

    def resumed(self, client: Client) -> None:
        """After a crash: presence that was on its way is lost, also that somebody is not there any more."""
        told = self._uncertain.pop(client, None)
        if told is not None and client.stream.available:
            for contact in self._show_all(client):
                if contact.local not in told:
                    self._tell(client, _gone(contact.to_bare(), client))

    def ended(self, client: Client) -> None:
        """The session ends without a word of its client (P4, R5)."""
        self._uncertain.pop(client, None)
        self._unavailable(client, _GONE)

    def _broadcast(self, client: Client, written: str, itself: Client | None) -> None:
        """Tell contacts and own resources, also the one that says it (RFC 6121 §4.2.2, §4.4.2, §4.5.2).

        What is broadcast is addressed to accounts, and that stays so on its way to their resources (§8.5.2).
        """
        if self._domain.delivery.may_send(client.session):
            for contact in self._contacts(client.account, sees):
                self._tell_jid(client, contact, written)
        told = _Told.of(client.jid, written, client.bare)
        for other in self._domain.clients_of(client.account.local):
            if (other is not client or itself is client) and other.stream.available:
                self._tell(other, told)

    def _tell_jid(self, client: Client, jid: JID, written: str, *, durable: bool = False, when: int = 0) -> None:
        if jid.resource:
            found = self._domain.clients.get(jid.full)
            others = [found] if found is not None else []
        elif self._domain.is_local(jid):
            others = [each for each in self._domain.clients_of(jid.local) if each.stream.available]
        else:
            others = []
        if others:
            told = self._late(_Told.of(client.jid, written, jid.full), when)
            for other in others:
                if other is not client:
                    self._tell(other, told, durable=durable)

    def _tell(self, client: Client, told: _Told, *, durable: bool = False) -> None:
        if client.account.blocked and self._domain.blocks(client.account, told.from_):
            return
        client.send(told.data, "" if durable else f"presence {told.from_.full}", durable=durable)

    def show_to_contact(self, account: Account, jid: JID, available: bool) -> None:
        """A contact sees an account from now on, or no longer (RFC 6121 §3.1.5, §3.2.2, §3.3.3; XEP-0191 §3).

        Args:
            account: whose presence.
            jid: of the contact.
            available: whether it sees it.
        """
        for client in self._domain.clients_of(account.local):
            stream = client.stream
            if not stream.available:
                continue
            if available:
                self._tell_jid(client, jid, stream.presence, when=stream.presence_time)
            else:  # that it is not seen any more is not told again after a crash
                self._tell_jid(client, jid, _GONE, durable=True)

    def _directed(self, client: Client, stanza: Stanza, to: JID, type: str) -> None:
        """RFC 6121 §4.6."""
        if not self._domain.is_local(to) or not to.local:
            return
        other = self._domain.clients.get(to.full) if to.resource else None
        targets = [other] if other is not None else []
        if not to.resource:
            targets = [each for each in self._domain.clients_of(to.local) if each.stream.available]
        data = route(stanza, client.from_)
        directed = client.stream.directed
        leaves = type == "unavailable" and to.full in directed  # nobody would tell it again
        for target in targets:
            if not (target.account.blocked and self._domain.blocks(target.account, client.jid)):
                target.send(data, "" if leaves else f"presence {client.full}", durable=leaves)
        if type == "error":
            return
        if type == "unavailable":
            if to.full in directed:
                directed.remove(to.full)
                client.save()
                self._present.directed(client)
        elif not sees(client.account.roster.get(to.bare)) and to.full not in directed:
            if len(directed) >= MAX_DIRECTED:
                raise StanzaError(Condition.RESOURCE_CONSTRAINT, f"more than {MAX_DIRECTED} directed presences")
            directed.append(to.full)
            client.save()
            self._present.directed(client)

    async def _probed(self, client: Client, to: JID) -> None:
        """RFC 6121 §4.3.2."""
        account = await self._domain.accounts.load(to.local) if self._domain.is_local(to) and to.local else None
        own = account is client.account
        if account is not None and account.blocked and self._domain.blocks(account, client.jid):
            return  # XEP-0191 §3.3: no answer, and no error
        if account is None or not (own or sees(account.roster.get(client.bare))):
            client.send(presence(to.bare, client.full, type="unsubscribed"))
        elif not self._show_resources(to.local, client, to.resource):
            if to.resource:
                self._tell(client, _gone(to, client))
            else:
                await self._tell_last(client, account)

    def _is_available(self, local: str) -> bool:
        return any(client.stream.available for client in self._domain.clients_of(local))


@dataclass(frozen=True, slots=True)
class _Told:
    """Presence that somebody is told.

    Args:
        from_: whose it is.
        data: the stanza.
    """

    from_: JID
    data: bytes

    @classmethod
    def of(cls, from_: JID, written: str, to: str) -> _Told:
        """Make one of presence without addresses."""
        head = f"{_HEAD} from='{escape_attribute(from_.full)}' to='{escape_attribute(to)}'"
        return cls(from_, (head + written[len(_HEAD) :]).encode())


def _gone(jid: JID, client: Client) -> _Told:
    return _Told.of(jid, _GONE, client.full)


def _written(stanza: Stanza) -> str:
    """A presence stanza without addresses, as it is kept and broadcast."""
    kept = {name: stanza.attributes.get(name) for name in ("type", "id", "xml:lang")}
    written = element("presence", attributes=kept, content=stanza.inner.strip()).decode()
    return f"{_HEAD}{stanza.language.decode()}{written[len(_HEAD) :]}"


def _priority(stanza: Stanza) -> int:
    """RFC 6121 §4.7.2.3."""
    if _PRIORITY not in stanza.children:
        return 0
    text = stanza.tree().text_of(*_PRIORITY).strip()
    value = whole_or_none(text, -128, 127)
    if value is None:
        raise StanzaError(Condition.BAD_REQUEST, "a priority is a number from -128 to 127")
    return value
