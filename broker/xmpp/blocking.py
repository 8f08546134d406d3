"""Blocking of addresses (XEP-0191)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from broker.errors import BrokerError
from broker.model.jid import JID, parse_jid
from broker.wire.xmpp import ns
from broker.wire.xmpp.errors import Condition, StanzaError
from broker.wire.xmpp.stanza import element, iq
from broker.xmlio.tree import Tree
from broker.xmpp.accounts import Account
from broker.xmpp.domain import AT_ACCOUNT, AT_DOMAIN, Client, Domain, Iq
from broker.xmpp.subscriptions import sees


def blocks(account: Account, jid: JID) -> bool:
    """Whether an account blocks a JID, by full or bare JID, domain, or resource of a domain (XEP-0191 §2)."""
    blocked = account.blocked
    if not blocked:
        return False
    return (
        jid.full in blocked
        or jid.bare in blocked
        or jid.domain in blocked
        or (bool(jid.resource) and f"{jid.domain}/{jid.resource}" in blocked)
    )


class Blocking:
    """Keeps block lists.

    Args:
        domain: the service.

    Attributes:
        show: called where an account's presence must be hidden from a JID or shown again:
            ``show(account, jid, available)``.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self.show: Callable[[Account, JID, bool], None] = lambda account, jid, available: None
        domain.blocks = blocks
        domain.serve("get", ns.BLOCKING, "blocklist", self._list, AT_ACCOUNT)
        domain.serve("set", ns.BLOCKING, "block", self._block, AT_ACCOUNT)
        domain.serve("set", ns.BLOCKING, "unblock", self._unblock, AT_ACCOUNT)
        domain.add_feature(ns.BLOCKING, AT_DOMAIN)

    async def _list(self, request: Iq) -> bytes | None:
        client = _owner(request)
        if not client.stream.watches_blocking:
            client.stream.watches_blocking = True
            client.keep()
        items = b"".join(_item(jid) for jid in sorted(client.account.blocked))
        return element("blocklist", ns.BLOCKING, content=items)

    async def _block(self, request: Iq) -> bytes | None:
        client = _owner(request)
        account = client.account
        jids = _jids(request.payload)
        if not jids:
            raise StanzaError(Condition.BAD_REQUEST, "nobody is named")
        if len(account.blocked) + len(jids) > self._domain.settings.max_blocked:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, "your block list is full")
        for jid in jids:
            if jid.full not in account.blocked:
                self._show(account, jid, available=False)
                self._domain.accounts.block(account, jid.full)
        self._push(account, "block", jids)
        return None

    async def _unblock(self, request: Iq) -> bytes | None:
        client = _owner(request)
        account = client.account
        named = _jids(request.payload)
        jids = named or [parse_jid(jid) for jid in sorted(account.blocked)]
        for jid in jids:
            if jid.full in account.blocked:
                self._domain.accounts.unblock(account, jid.full)
                self._show(account, jid, available=True)
        self._push(account, "unblock", named)
        return None

    def _show(self, account: Account, jid: JID, *, available: bool) -> None:
        if jid.local and sees(account.roster.get(jid.bare)):  # nobody else is to learn that the account is online
            self.show(account, jid, available)

    def _push(self, account: Account, name: str, jids: list[JID]) -> None:
        payload = element(name, ns.BLOCKING, content=b"".join(_item(jid.full) for jid in jids))
        for client in self._domain.clients_of(account.local):
            if client.stream.watches_blocking:
                client.send(iq("set", f"push-{secrets.token_hex(4)}", payload, from_=client.bare, to=client.full))


def _owner(request: Iq) -> Client:
    if not request.is_own:
        raise StanzaError(Condition.FORBIDDEN, "that is not your block list")
    return request.client


def _item(jid: str) -> bytes:
    return element("item", attributes={"jid": jid})


def _jids(payload: Tree) -> list[JID]:
    try:
        return [parse_jid(item.attributes.get("jid", "")) for item in payload.find_all(ns.BLOCKING, "item")]
    except BrokerError as error:
        raise StanzaError(Condition.JID_MALFORMED, error.message) from error
