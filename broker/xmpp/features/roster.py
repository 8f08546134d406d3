"""Rosters: the contacts of an account (RFC 6121 §2)."""

from __future__ import annotations

import hashlib

from broker.errors import BrokerError
from broker.model.jid import parse_jid
from broker.xml.tree import Tree
from broker.xmpp.accounts import Account, RosterItem, size_of
from broker.xmpp.routing.domain import AT_ACCOUNT, Domain, Iq
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element

MAX_NAME = 1023
"""Longest name of a contact or group in characters."""
MAX_GROUPS = 100
REMOVE = "remove"


def item_element(item: RosterItem) -> bytes:
    """A contact as clients read it (RFC 6121 §2.1.2)."""
    attributes = {
        "jid": item.jid,
        "name": item.name or None,
        "subscription": item.subscription,
        "ask": "subscribe" if item.ask else None,
        "approved": "true" if item.approved else None,
    }
    groups = b"".join(element("group", content=group) for group in item.groups)
    return element("item", attributes=attributes, content=groups)


class Roster:
    """Serves rosters.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        domain.serve("get", ns.ROSTER, "query", self._get, AT_ACCOUNT)
        domain.serve("set", ns.ROSTER, "query", self._set, AT_ACCOUNT)

    def push(self, account: Account, item: bytes) -> None:
        """Tell all interested resources of a change (RFC 6121 §2.1.6).

        Args:
            account: whose roster has changed.
            item: the ``<item/>``.
        """
        interested = [client for client in self._domain.clients_of(account.local) if client.stream.interested]
        if not interested:  # the version is worked out of the whole roster
            return
        query = element("query", ns.ROSTER, {"ver": _version(account)}, item)
        for client in interested:
            client.push(query)

    def changed(self, account: Account, item: RosterItem) -> None:
        """A contact has another state: store it, and tell."""
        if item.listed or item.pending_in:
            self._domain.accounts.put_item(account, item)
        else:
            self._domain.accounts.remove_item(account, item.jid)
        if item.listed:
            self.push(account, item_element(item))

    async def _get(self, request: Iq) -> bytes | None:
        self._check_own(request)
        client = request.client
        if not client.stream.interested:
            client.stream.interested = True
            client.save()
        version = _version(client.account)
        known = request.payload.attributes.get("ver")
        if known == version:
            return None  # §2.6.3: it has not changed
        items = b"".join(item_element(item) for item in client.account.roster.values() if item.listed)
        attributes = {"ver": version} if known is not None else {}
        return element("query", ns.ROSTER, attributes, items)

    async def _set(self, request: Iq) -> bytes | None:
        """RFC 6121 §2.3, §2.4, §2.5."""
        self._check_own(request)
        given = _only_item(request.payload)
        account = request.client.account
        jid = _contact(given)
        known = account.roster.get(jid)
        listed = known is not None and known.listed
        if given.attributes.get("subscription") == REMOVE:
            contact = parse_jid(jid)
            if self._domain.is_local(contact) and contact.local:
                # its side of the subscription ends, too
                await self._domain.accounts.load_patiently(contact.local, lambda: not request.client.session.ended)
            if known is None or not listed:
                raise StanzaError(Condition.ITEM_NOT_FOUND, "this contact is not in your roster")
            self._domain.hooks.contact_removed(account, known)
            self._domain.accounts.remove_item(account, jid)
            self.push(account, element("item", attributes={"jid": jid, "subscription": REMOVE}))
            return None
        if not listed and len(account.roster) >= self._domain.settings.max_contacts:
            raise StanzaError(Condition.RESOURCE_CONSTRAINT, "your roster is full")
        name, groups = _name(given.attributes.get("name", "")), _groups(given)  # what may refuse comes first
        size = account.roster_bytes + size_of(name, groups) - (0 if known is None else known.size)
        if size > max(self._domain.settings.max_roster_bytes, account.roster_bytes):  # one that is full may shrink
            raise StanzaError(
                Condition.RESOURCE_CONSTRAINT, "the names and groups in your roster are too long together"
            )
        account.roster_bytes = size
        item = known or RosterItem(jid)
        item.name = name
        item.groups = groups
        item.listed = True
        self.changed(account, item)
        return None

    def _check_own(self, request: Iq) -> None:
        if not request.is_own:
            raise StanzaError(Condition.FORBIDDEN, "that is not your roster")


def _version(account: Account) -> str:
    """A name of the roster's present state (RFC 6121 §2.6)."""
    digest = hashlib.sha256()
    for jid in sorted(account.roster):
        item = account.roster[jid]
        if item.listed:
            digest.update(item_element(item))
    return digest.hexdigest()[:16]


def _only_item(query: Tree) -> Tree:
    items = query.children
    if len(items) != 1 or (items[0].namespace, items[0].name) != (ns.ROSTER, "item"):
        raise StanzaError(Condition.BAD_REQUEST, "a roster set has exactly one item")
    return items[0]


def _contact(item: Tree) -> str:
    text = item.attributes.get("jid")
    if not text:
        raise StanzaError(Condition.BAD_REQUEST, "an item has a jid")
    try:
        return parse_jid(text).bare
    except BrokerError as error:
        raise StanzaError(Condition.JID_MALFORMED, error.message) from error


def _name(text: str) -> str:
    if len(text) > MAX_NAME:
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"a name is longer than {MAX_NAME} characters")
    return text


def _groups(item: Tree) -> list[str]:
    groups = [group.text for group in item.find_all(ns.ROSTER, "group")]
    if len(groups) > MAX_GROUPS or any(not group for group in groups):
        raise StanzaError(Condition.NOT_ACCEPTABLE, f"a contact has at most {MAX_GROUPS} groups, each with a name")
    if len(set(groups)) != len(groups):
        raise StanzaError(Condition.BAD_REQUEST, "a group is named twice")
    return [_name(group) for group in groups]
