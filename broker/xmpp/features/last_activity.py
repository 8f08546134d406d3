"""When accounts were last available, also before a crash (XEP-0012; spec xmpp §2.2, §2.5 R6)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from broker.errors import BrokerError, Code
from broker.model.records import DocumentRecord
from broker.model.stored_json import read_object
from broker.xml.tree import parse_tree
from broker.xmpp.accounts import Account
from broker.xmpp.features.approvals import sees
from broker.xmpp.routing.content import check_presence
from broker.xmpp.routing.domain import AT_ACCOUNT, AT_DOMAIN, Domain, Iq
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import MAX_TIME, element

LAST = "xmpp.last"
"""Kind of the document that tells when an account was last available."""


@dataclass(frozen=True, slots=True)
class Seen:
    """When an account was last available.

    Args:
        when: milliseconds since 1970.
        presence: the unavailable presence that it left with, without addresses; empty if it said nothing.
    """

    when: int
    presence: str = ""


class LastActivity:
    """Remembers it, and tells those who may know.

    While an account is available its document says so; if the broker finds it like this after a crash, the account was
    there until the last heartbeat.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._node = domain.node
        self._documents = domain.broker.documents
        domain.serve("get", ns.LAST, "query", self._uptime, AT_DOMAIN)
        domain.serve("get", ns.LAST, "query", self._asked, AT_ACCOUNT)
        domain.add_feature(ns.LAST, AT_DOMAIN, AT_ACCOUNT)

    def account_online(self, account: Account) -> None:
        """An account is available."""
        self._put(account, {"available": True})

    def account_offline(self, account: Account, written: str) -> None:
        """An account is not available any more.

        Args:
            account: which.
            written: the presence that says so, without addresses; what is longer than an account may store is not
                kept.
        """
        too_long = len(written.encode()) > self._domain.settings.max_stored
        said = "" if too_long or written.endswith("/>") else written
        self._put(account, {"when": self._node.now(), "presence": said})

    async def of(self, account: Account) -> Seen | None:
        """When an account that is not available was last available; ``None`` if that is not known."""
        found = await self._documents.read(account.local, LAST)
        if not found:
            return None
        seen = self._documents.readable(found[0], _read)
        if seen is not _STILL_THERE:
            return seen
        return Seen(self._node.last_heartbeat) if self._node.last_heartbeat else None

    def _put(self, account: Account, values: dict[str, object]) -> None:
        data = json.dumps(values, separators=(",", ":")).encode()
        if self._documents.keeps(account.local):
            self._documents.put(account.local, LAST, "", data)

    async def _uptime(self, request: Iq) -> bytes | None:
        """XEP-0012 §5."""
        return _answer(self._node.now() - self._node.started)

    async def _asked(self, request: Iq) -> bytes | None:
        """XEP-0012 §4: nobody learns from the refusal whether there is such an account."""
        account = await self._domain.accounts.load(request.to.local)
        if account is None or not (request.is_own or sees(account.roster.get(request.client.bare))):
            raise StanzaError(Condition.FORBIDDEN)
        if any(client.stream.available for client in self._domain.clients_of(account.local)):
            return _answer(0)
        seen = await self.of(account)
        if seen is None:
            raise StanzaError(Condition.ITEM_NOT_FOUND, "it was never seen")
        return _answer(self._node.now() - seen.when, _status(seen.presence))


_STILL_THERE = Seen(0)
"""What the document says of an account that is available."""
_FIELDS = {"available": bool, "when": int, "presence": str}


def _read(record: DocumentRecord) -> Seen:
    found = read_object(record.data, _FIELDS, "when the account was seen")
    if found.pop("available", False):
        return _STILL_THERE
    if not 0 <= found.get("when", -1) <= MAX_TIME:
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "it does not tell when the account was seen")
    seen = Seen(**found)
    if seen.presence:
        check_presence(seen.presence)
    return seen


def _answer(milliseconds: int, status: str = "") -> bytes:
    return element("query", ns.LAST, {"seconds": str(max(milliseconds, 0) // 1000)}, status)


def _status(written: str) -> str:
    if not written:
        return ""
    try:
        return parse_tree(written.encode(), ns.CLIENT, what="presence").text_of(ns.CLIENT, "status")
    except BrokerError:  # it was read before, so only limits of trees can have been reached
        return ""
