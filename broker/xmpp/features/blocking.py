"""Blocking of addresses (XEP-0191)."""

from __future__ import annotations

from broker.errors import BrokerError
from broker.model.jid import JID, parse_jid
from broker.xml.tree import Tree
from broker.xmpp.accounts import Account
from broker.xmpp.features.approvals import sees
from broker.xmpp.routing.domain import AT_ACCOUNT, AT_DOMAIN, Client, Domain, Iq
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element, presence


class Blocking:
    """Keeps block lists.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        domain.serve("get", ns.BLOCKING, "blocklist", self._list, AT_ACCOUNT)
        domain.serve("set", ns.BLOCKING, "block", self._block, AT_ACCOUNT)
        domain.serve("set", ns.BLOCKING, "unblock", self._unblock, AT_ACCOUNT)
        domain.add_feature(ns.BLOCKING, AT_DOMAIN)

    def blocks(self, account: Account, jid: JID) -> bool:
        """Whether an account blocks a JID, by full or bare JID, domain, or resource of a domain (XEP-0191 §7).

        The account itself and its server are never blocked, whatever the list says: who blocked the domain could ask
        for nothing any more, not even to unblock it.
        """
        blocked = account.blocked
        if not blocked or (jid.local in ("", account.local) and self._domain.is_local(jid)):
            return False
        return (
            jid.full in blocked
            or jid.bare in blocked
            or jid.domain in blocked
            or (bool(jid.resource) and f"{jid.domain}/{jid.resource}" in blocked)
        )

    async def _list(self, request: Iq) -> bytes | None:
        """XEP-0191 §3.2."""
        client = _owner(request)
        if not client.stream.watches_blocking:
            client.stream.watches_blocking = True
            client.save()
        items = b"".join(_item(jid) for jid in sorted(client.account.blocked))
        return element("blocklist", ns.BLOCKING, content=items)

    async def _block(self, request: Iq) -> bytes | None:
        """XEP-0191 §3.3."""
        account = _owner(request).account
        jids = _jids(request.payload)
        if not jids:
            raise StanzaError(Condition.BAD_REQUEST, "nobody is named")
        added = {jid.full for jid in jids} - account.blocked
        if len(account.blocked) + len(added) > self._domain.settings.max_blocked:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, "your block list is full")
        before = self._observers(account, jids)
        if added:
            self._domain.accounts.block(account, sorted(added))
        for full in sorted(before - self._observers(account, jids)):
            self._domain.hooks.show_to_contact(account, parse_jid(full), False)
        self._withdraw(account)
        self._push(account, "block", jids)
        return None

    async def _unblock(self, request: Iq) -> bytes | None:
        """XEP-0191 §3.4, §3.5."""
        account = _owner(request).account
        named = _jids(request.payload)
        jids = named or [parse_jid(jid) for jid in account.blocked]
        before = self._observers(account, jids)
        removed = {jid.full for jid in jids} & account.blocked
        if removed:
            self._domain.accounts.unblock(account, sorted(removed))
        for full in sorted(self._observers(account, jids) - before):
            self._domain.hooks.show_to_contact(account, parse_jid(full), True)
        self._push(account, "unblock", named)
        return None

    def _observers(self, account: Account, jids: list[JID]) -> set[str]:
        """Which available resources, of those that these addresses stand for, see the account's presence."""
        domain = self._domain
        contacts = {jid.bare for jid in jids if jid.local}
        if any(not jid.local and domain.is_local(jid) for jid in jids):
            contacts.update(account.roster)
        return {
            client.full
            for contact in map(parse_jid, contacts)
            if domain.is_local(contact) and sees(account.roster.get(contact.bare))
            for client in domain.clients_of(contact.local)
            if client.stream.available and not self.blocks(account, client.jid)
        }

    def _withdraw(self, account: Account) -> None:
        """Who is blocked loses the presence that was directed to it, too (RFC 6121 §4.6)."""
        for client in self._domain.clients_of(account.local):
            directed = client.stream.directed
            blocked = [jid for jid in map(parse_jid, directed) if self.blocks(account, jid)]
            for jid in blocked:
                directed.remove(jid.full)
                for other in self._domain.clients_of(jid.local) if self._domain.is_local(jid) else ():
                    if jid.resource in ("", other.jid.resource):
                        gone = presence(client.full, jid.full, type="unavailable")
                        other.send(gone, durable=True)
            if blocked:
                client.save()

    def _push(self, account: Account, name: str, jids: list[JID]) -> None:
        payload = element(name, ns.BLOCKING, content=b"".join(_item(jid.full) for jid in jids))
        for client in self._domain.clients_of(account.local):
            if client.stream.watches_blocking:
                client.push(payload)


def _owner(request: Iq) -> Client:
    if not request.is_own:
        raise StanzaError(Condition.FORBIDDEN, "that is not your block list")
    return request.client


def _item(jid: str) -> bytes:
    return element("item", attributes={"jid": jid})


def _jids(payload: Tree) -> list[JID]:
    items = payload.children
    if any((item.namespace, item.name) != (ns.BLOCKING, "item") for item in items):
        raise StanzaError(Condition.BAD_REQUEST, "only items are named")  # else a slip would unblock everybody
    try:
        return [parse_jid(item.attributes.get("jid", "")) for item in items]
    except BrokerError as error:
        raise StanzaError(Condition.JID_MALFORMED, error.message) from error
