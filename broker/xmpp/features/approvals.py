"""Who may see whose presence: requests, approvals, refusals (RFC 6121 §3, Appendix A)."""

from __future__ import annotations

from broker.model.jid import JID, parse_jid
from broker.xml.stanza import Stanza
from broker.xmpp.accounts import Account, RosterItem
from broker.xmpp.features.roster import Roster
from broker.xmpp.routing.domain import Client, Domain
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import from_attribute, presence, route

TYPES = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})

_WITH_TO = {"none": "to", "from": "both", "to": "to", "both": "both"}
_WITH_FROM = {"none": "from", "to": "both", "from": "from", "both": "both"}
_WITHOUT_TO = {"to": "none", "both": "from", "none": "none", "from": "from"}
_WITHOUT_FROM = {"from": "none", "both": "to", "none": "none", "to": "to"}


def sees(item: RosterItem | None) -> bool:
    """Whether the contact sees the owner's presence."""
    return item is not None and item.subscription in ("from", "both")


def is_seen(item: RosterItem | None) -> bool:
    """Whether the owner sees the contact's presence."""
    return item is not None and item.subscription in ("to", "both")


class Subscriptions:
    """Keeps both sides of subscriptions between accounts of this server.

    Args:
        domain: the service.
        roster: keeps the contacts.
    """

    def __init__(self, domain: Domain, roster: Roster) -> None:
        self._domain = domain
        self._roster = roster

    async def received(self, client: Client, stanza: Stanza, to: JID) -> None:
        """A client sends a presence stanza that manages subscriptions.

        Args:
            client: the sender.
            stanza: of a type of :data:`TYPES`.
            to: the contact.

        Raises:
            StanzaError: the address is not of an account of this server, whether there is one or not; or the request
                is longer than may be kept.
        """
        contact = to.to_bare()
        type = stanza.attributes["type"]
        if contact.bare == client.bare:
            return
        documents = self._domain.broker.documents
        documents.check(client.account.local)
        other: Account | None = None
        if self._domain.is_local(contact) and contact.local:
            other = await self._domain.accounts.load_patiently(contact.local, lambda: not client.session.ended)
            if not documents.keeps(contact.local):  # it has no roster
                other = None
        elif type == "subscribe":
            raise self._domain.unreachable(contact)
        data = route(stanza, from_attribute(client.bare), contact.bare)
        limit = self._domain.settings.max_request
        if type == "subscribe" and len(data) > limit:
            raise StanzaError(Condition.NOT_ACCEPTABLE, f"a request for a subscription has at most {limit} bytes")
        if self._outbound(client.account, contact, type) and other is not None:
            self._inbound(other, client.jid.to_bare(), type, data)
        # Where there is no such account nothing follows, as where nobody answers (RFC 6121 §8.5.1).

    def requests(self, account: Account) -> list[bytes]:
        """The requests that wait for the user's answer (RFC 6121 §3.1.3)."""
        return [item.pending_in.encode() for item in account.roster.values() if item.pending_in]

    def _outbound(self, account: Account, contact: JID, type: str) -> bool:
        """The user's side (Appendix A.2); tells whether the stanza goes on to the contact."""
        known = account.roster.get(contact.bare)
        item = known or RosterItem(contact.bare, listed=False)
        match type:
            case "subscribe":
                if not is_seen(item) and not item.ask:
                    if known is None and len(account.roster) >= self._domain.settings.max_contacts:
                        raise StanzaError(Condition.RESOURCE_CONSTRAINT, "your roster is full")
                    item.ask = item.listed = True
                    self._roster.changed(account, item)
                return True
            case "unsubscribe":
                if is_seen(item) or item.ask:
                    item.subscription = _WITHOUT_TO[item.subscription]
                    item.ask = False
                    self._roster.changed(account, item)
                return True
            case "subscribed":
                return self._approve(account, contact, item)
            case _:
                return self._cancel(account, contact, item)

    def _approve(self, account: Account, contact: JID, item: RosterItem) -> bool:
        if item.pending_in:
            item.pending_in = ""
            item.subscription = _WITH_FROM[item.subscription]
            item.listed = True
            self._roster.changed(account, item)
            return True
        if not sees(item) and not item.approved:  # RFC 6121 §3.4
            item.approved = item.listed = True
            self._roster.changed(account, item)
        return False

    def _cancel(self, account: Account, contact: JID, item: RosterItem) -> bool:
        shown = sees(item)
        if not (shown or item.pending_in or item.approved):
            return False
        told = shown or bool(item.pending_in)
        item.pending_in = ""
        item.approved = False
        item.subscription = _WITHOUT_FROM[item.subscription]
        self._roster.changed(account, item)
        if shown:
            self._domain.hooks.show_to_contact(account, contact, False)
        return told

    def _inbound(self, account: Account, user: JID, type: str, data: bytes) -> None:
        """The contact's side (Appendix A.3)."""
        known = account.roster.get(user.bare)
        item = known or RosterItem(user.bare, listed=False)
        match type:
            case "subscribe":
                self._requested(account, user, item, data)
            case "unsubscribe" if sees(item) or item.pending_in:
                shown = sees(item)
                item.pending_in = ""
                item.subscription = _WITHOUT_FROM[item.subscription]
                self._roster.changed(account, item)
                self._deliver(account, user, data)
                if shown:
                    self._domain.hooks.show_to_contact(account, user, False)
            case "subscribed" if item.ask:
                item.ask = False
                item.subscription = _WITH_TO[item.subscription]
                self._roster.changed(account, item)
                self._deliver(account, user, data)
                self._show_contact(user, account)
            case "unsubscribed" if is_seen(item) or item.ask:
                item.ask = False
                item.subscription = _WITHOUT_TO[item.subscription]
                self._roster.changed(account, item)
                self._deliver(account, user, data)

    def _requested(self, account: Account, user: JID, item: RosterItem, data: bytes) -> None:
        """Somebody asks to see the account's presence (RFC 6121 §3.1.3)."""
        if account.blocked and self._domain.blocks(account, user):
            return
        if sees(item) or item.approved:
            if not sees(item):
                item.subscription = _WITH_FROM[item.subscription]
                item.approved = False
                self._roster.changed(account, item)
            asker = self._domain.accounts.get(user.local)
            if asker is not None:
                me = self._jid(account)
                self._inbound(asker, me, "subscribed", presence(me.bare, user.bare, type="subscribed"))
            return
        if item.pending_in or self._is_crowded(account):
            return
        item.pending_in = data.decode()
        self._roster.changed(account, item)
        for client in self._domain.clients_of(account.local):
            if client.stream.available:
                client.send(data, durable=True)

    def _is_crowded(self, account: Account) -> bool:
        """Whether as many requests wait for an account as it may have contacts (RFC 6121 §3.1.3, security warning)."""
        most = self._domain.settings.max_contacts
        roster = account.roster
        return len(roster) >= most and sum(bool(item.pending_in) for item in roster.values()) >= most

    def _deliver(self, account: Account, user: JID, data: bytes) -> None:
        if account.blocked and self._domain.blocks(account, user):
            return
        for client in self._domain.clients_of(account.local):
            if client.stream.interested:
                client.send(data, durable=True)

    def _show_contact(self, contact: JID, account: Account) -> None:
        """The contact's presence is seen from now on."""
        other = self._domain.accounts.get(contact.local)
        if other is not None:
            self._domain.hooks.show_to_contact(other, self._jid(account), True)

    def contact_removed(self, account: Account, item: RosterItem) -> None:
        """RFC 6121 §2.5.2: who removes a contact ends the subscriptions in both directions."""
        contact = parse_jid(item.jid)
        other = self._domain.accounts.get(contact.local) if self._domain.is_local(contact) else None
        me = self._jid(account)
        if sees(item):
            self._domain.hooks.show_to_contact(account, contact, False)
        if other is not None:
            if is_seen(item) or item.ask:
                self._inbound(other, me, "unsubscribe", presence(me.bare, contact.bare, type="unsubscribe"))
            if sees(item) or item.pending_in:
                self._inbound(other, me, "unsubscribed", presence(me.bare, contact.bare, type="unsubscribed"))

    async def account_removed(self, account: Account) -> None:
        """An account is gone, and so are its subscriptions and requests on the side of its contacts."""
        for item in list(account.roster.values()):
            contact = parse_jid(item.jid)
            if self._domain.is_local(contact) and contact.local:
                await self._domain.accounts.load(contact.local)
                self.contact_removed(account, item)

    def _jid(self, account: Account) -> JID:
        return JID(account.local, self._domain.settings.domain)
