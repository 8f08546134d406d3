"""What is kept of an account beside its sessions: roster and block list, in memory while they are in use."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_type_hints

from twisted.internet.task import deferLater
from twisted.logger import Logger

from broker.errors import BrokerError, Code
from broker.model.jid import parse_jid
from broker.model.records import DocumentRecord
from broker.model.stored_json import read_object
from broker.xmpp.routing.content import check_presence

if TYPE_CHECKING:
    from broker.core.broker import Broker

log = Logger()

SUBSCRIPTIONS = ("none", "to", "from", "both")
ROSTER = "xmpp.roster"
"""Kind of the documents that hold roster items, named by bare JID."""
BLOCKED = "xmpp.blocked"
"""Kind of the documents that stand for blocked JIDs, named by JID."""

MAX_IDLE_ACCOUNTS = 10_000
"""Accounts without sessions that are kept in memory."""
READ_AGAIN = 1.0
"""Seconds until an account is looked for again that could not be read."""
FRESH = 60.0
"""Seconds until an account that nobody is logged in to is read again."""


@dataclass(slots=True)
class RosterItem:
    """A contact of an account (RFC 6121 §2.1.2).

    Args:
        jid: bare JID.
        name: that the user gave it.
        subscription: ``none``, ``to``, ``from`` or ``both``.
        ask: whether a subscription request is pending out.
        approved: whether a request will be approved without asking (RFC 6121 §3.4).
        groups: that the user put it in.
        pending_in: the subscription request that waits for the user's answer, as a stanza; empty for none. An item
            that only holds one, with ``listed`` false, is not part of the roster that clients see.
        listed: whether clients see it.
    """

    jid: str
    name: str = ""
    subscription: str = "none"
    ask: bool = False
    approved: bool = False
    groups: list[str] = field(default_factory=list)
    pending_in: str = ""
    listed: bool = True

    @property
    def size(self) -> int:
        """Bytes of what its user gave it."""
        return size_of(self.name, self.groups)

    def to_bytes(self) -> bytes:
        """For the store."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "jid"}
        return json.dumps(values, separators=(",", ":")).encode()

    @classmethod
    def from_record(cls, record: DocumentRecord) -> RosterItem:
        """From the store.

        Raises:
            BrokerError: ``resource.db.unknown`` where the document is none of a contact.
        """
        item = cls(record.name, **read_object(record.data, _FIELDS, "the contact"))
        if item.subscription not in SUBSCRIPTIONS:
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"'{item.subscription[:64]}' is no state of a subscription")
        parse_jid(item.jid)
        if item.pending_in:
            check_presence(item.pending_in)
        return item


_FIELDS = {name: kind for name, kind in get_type_hints(RosterItem).items() if name != "jid"} | {"groups": list}


def size_of(name: str, groups: Iterable[str]) -> int:
    """Bytes of a name and groups that a user gives a contact."""
    return len(name.encode()) + sum(len(group.encode()) for group in groups)


class Account:
    """An account as it is in memory.

    Args:
        local: the localpart, which is the login name.
        read: when it was known to exist, in seconds by a clock that nobody sets.

    Attributes:
        roster: by bare JID.
        roster_bytes: of the names and groups of its contacts.
        blocked: JIDs (XEP-0191).
    """

    __slots__ = ("blocked", "local", "read", "roster", "roster_bytes")

    def __init__(self, local: str, read: float) -> None:
        self.local = local
        self.read = read
        self.roster: dict[str, RosterItem] = {}
        self.roster_bytes = 0
        self.blocked: set[str] = set()


class Accounts:
    """Reads accounts from the store and keeps those that are in use.

    Args:
        broker: the core.
        account_exists: ``await account_exists(localpart)``.
        on_blocked: called when somebody may be blocked who was not, or the other way round.
    """

    def __init__(
        self, broker: Broker, account_exists: Callable[[str], Awaitable[bool]], on_blocked: Callable[[], None]
    ) -> None:
        self._rights_changed = broker.rights_changed
        self._blocking: dict[str, set[str]] = {}
        self._node = broker.node
        self._documents = broker.documents
        self._account_exists = account_exists
        self._on_blocked = on_blocked
        self._known: OrderedDict[str, Account] = OrderedDict()
        self._documents.carried[ROSTER] = RosterItem.from_record
        self._documents.carried[BLOCKED] = _check_blocked

    def get(self, local: str) -> Account | None:
        """The account, if it is in memory and fresh enough to rely on."""
        account = self._known.get(local)
        if account is None:
            return None
        subject = self._node.subjects.get(local)
        if (subject is None or not subject.sessions) and account.read + FRESH < self._node.monotonic():
            return None
        return account

    async def load(self, local: str) -> Account | None:
        """The account; ``None`` where there is none of that name."""
        account = self.get(local)
        if account is not None:
            return account
        subject = self._node.subjects.get(local)
        if (subject is None or not subject.sessions) and not await self._account_exists(local):
            self._known.pop(local, None)
            return None
        known = self._known.get(local)
        if known is not None:  # it is kept up to date, only its existence was in doubt
            known.read = self._node.monotonic()
            return known
        account = Account(local, 0.0)
        await self.reload(account)  # which takes as long as the store cannot work
        known = self._keep(account)
        known.read = self._node.monotonic()
        return known

    async def recover(self) -> None:
        """Know who blocks whom, also of accounts that are not in memory."""
        try:
            records = await self._documents.read("", BLOCKED)
        except BrokerError as error:
            log.error("who blocks whom cannot be read: {reason}", reason=str(error))
            return
        for record in records:
            self._blocking.setdefault(record.owner, set()).add(record.name)

    def blocked_by(self, local: str) -> Account | None:
        """An account with what it blocks and nothing else; ``None`` where it blocks nobody."""
        blocked = self._blocking.get(local)
        if not blocked:
            return None
        account = Account(local, 0.0)
        account.blocked = blocked
        return account

    async def load_patiently(self, local: str, is_wanted: Callable[[], bool]) -> Account | None:
        """As :meth:`load`, but as soon as the store can tell: until then what needs the account is not counted.

        Args:
            local: of the account.
            is_wanted: whether somebody still waits for it.

        Raises:
            BrokerError: nobody does, or it cannot be told at all.
        """
        while True:
            try:
                return await self.load(local)
            except BrokerError as error:
                if not error.is_resource or not is_wanted():
                    raise
            await deferLater(self._node.clock, READ_AGAIN, lambda: None)

    async def reload(self, account: Account) -> None:
        """Read the account's contacts and what it blocks."""
        await self._read_contacts(account)
        account.blocked |= {record.name for record in await self._documents.read(account.local, BLOCKED)}
        self._on_blocked()

    def unlisted(self, local: str) -> Account:
        """An account of somebody who has none: who logs in without, or is known to another security service."""
        return self._keep(Account(local, self._node.monotonic()))

    def forget(self, local: str) -> None:
        """There is no such account any more: who had logged in without one is gone."""
        self._known.pop(local, None)

    async def forget_removed(self, local: str) -> Account:
        """An account was removed; returns it once more with its contacts, for those who had to do with it."""
        account = Account(local, self._node.monotonic())
        await self._read_contacts(account)
        self.forget(local)
        self._blocking.pop(local, None)
        self._on_blocked()
        return account

    def put_item(self, account: Account, item: RosterItem) -> None:
        """Add or change a contact, also in the store."""
        self._documents.put(account.local, ROSTER, item.jid, item.to_bytes())
        account.roster[item.jid] = item

    def remove_item(self, account: Account, jid: str) -> None:
        """Remove a contact, also from the store."""
        item = account.roster.pop(jid, None)
        if item is not None:
            account.roster_bytes -= item.size
            self._documents.delete(account.local, ROSTER, jid)

    def block(self, account: Account, jids: Iterable[str]) -> None:
        """Block JIDs, also in the store."""
        try:
            for jid in jids:
                self._documents.put(account.local, BLOCKED, jid, b"")
                account.blocked.add(jid)
                self._blocking.setdefault(account.local, set()).add(jid)
        finally:
            self._rights_changed()

    def unblock(self, account: Account, jids: Iterable[str]) -> None:
        """Unblock JIDs, also in the store; refusals are never remembered, so what was prepared still holds."""
        blocked = self._blocking.get(account.local, set())
        try:
            for jid in jids:
                account.blocked.discard(jid)
                blocked.discard(jid)
                self._documents.delete(account.local, BLOCKED, jid)
        finally:
            if not blocked:
                self._blocking.pop(account.local, None)
            self._on_blocked()

    async def read_again(self, owners: Collection[str]) -> None:
        """Others have changed the documents of accounts; clients see it when they ask for them the next time."""
        for local in owners:
            blocked = {record.name for record in await self._documents.read(local, BLOCKED)}
            self._blocking.pop(local, None)
            if blocked:
                self._blocking[local] = blocked
            account = self._known.get(local)
            if account is not None:
                account.roster.clear()
                account.roster_bytes = 0
                account.blocked = set(blocked)
                await self._read_contacts(account)
        self._rights_changed()
        self._on_blocked()

    async def _read_contacts(self, account: Account) -> None:
        documents = self._documents
        for record in await documents.read(account.local, ROSTER):
            item = documents.readable(record, RosterItem.from_record)
            if item is not None and account.roster.setdefault(record.name, item) is item:
                account.roster_bytes += item.size

    def _keep(self, account: Account) -> Account:
        known: Any = self._known.setdefault(account.local, account)  # another may have read it meanwhile
        self._known.move_to_end(account.local)
        if len(self._known) > MAX_IDLE_ACCOUNTS:
            for local in list(self._known):
                subject = self._node.subjects.get(local)
                if local != account.local and (subject is None or not subject.sessions):
                    del self._known[local]
                    break
        kept: Account = known
        return kept


def _check_blocked(record: DocumentRecord) -> None:
    parse_jid(record.name)
    if record.data:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "what stands for a blocked address is empty")
