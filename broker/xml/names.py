"""The budget of distinct names that documents and expressions may bring into libxml2 (design D11).

Who uses it up must not cost others anything. So documents may take a part of it only, and from then on a name that is
new stands in them as :data:`UNKNOWN`: no expression asks for it, since what expressions name is known. And each account
may bring a share of it only, however much is left: libxml2 forgets no name, so one account could else use up all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from broker.errors import BrokerError, Code

MAX_NAMES = 100_000
UNKNOWN = "x\u00b7"
"""A name that cannot be written in an expression (:mod:`broker.xml.expression`)."""
SHARES = 20
"""Accounts that must use up their shares until nothing is left for others."""
_ALWAYS_KNOWN = ("xmlBlaster", "key", "oid", "contentMime", "contentMimeExtended", "domain", "lang", UNKNOWN)


class NameBudget:
    """Counts distinct element, attribute and namespace names, which libxml2 keeps until the process ends.

    Args:
        limit: distinct names that may be admitted, half of them by documents; and a quarter as many namespaces.
        shares: each account may bring this fraction of the names, and of the namespaces.
    """

    def __init__(self, limit: int = MAX_NAMES, shares: int = SHARES) -> None:
        self._limit = limit + len(_ALWAYS_KNOWN)
        self._documents = limit // 2 + len(_ALWAYS_KNOWN)
        self._most_namespaces = limit // 4
        self._known: set[str] = set(_ALWAYS_KNOWN)
        self._namespaces: set[str] = set()
        self._shares = shares
        self._account = ""
        self._brought: Counter[tuple[str, int]] = Counter()  # by account, and the limit of what it has brought

    @contextmanager
    def paid_by(self, account: str) -> Iterator[None]:
        """Count what is new in here for an account.

        Args:
            account: login name; empty for the broker itself, which has no share.
        """
        before, self._account = self._account, account
        try:
            yield
        finally:
            self._account = before

    def admit(self, name: str) -> None:
        """Let a name of an expression in.

        Raises:
            BrokerError: ``resource.exhaust`` for a new name when the budget, or the account's share of it, is used up;
                known names are always fine.
        """
        if name not in self._known:
            self._take(name, self._known, self._limit)

    def admit_namespace(self, namespace: str) -> None:
        """Let a namespace in; raises as :meth:`admit`."""
        if namespace not in self._namespaces:
            self._take(namespace, self._namespaces, self._most_namespaces)

    def known_as(self, name: str) -> str:
        """How a name of a document is to stand in it: as it is, or as :data:`UNKNOWN`."""
        known = self._known
        if name in known:
            return name
        if len(known) >= self._documents or self._has_used_up(self._limit):
            return UNKNOWN
        self._add(name, known, self._limit)
        return name

    def _take(self, name: str, known: set[str], limit: int) -> None:
        if len(known) >= limit:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"more than {limit} distinct XML names since the start")
        if self._has_used_up(limit):
            share = limit // self._shares
            raise BrokerError(
                Code.RESOURCE_EXHAUST, f"{self._account} has brought {share} distinct XML names since the start"
            )
        self._add(name, known, limit)

    def _has_used_up(self, limit: int) -> bool:
        """Whether the account may bring no more of what has this limit."""
        return bool(self._account) and self._brought[self._account, limit] >= limit // self._shares

    def _add(self, name: str, known: set[str], limit: int) -> None:
        known.add(name)
        if self._account:
            self._brought[self._account, limit] += 1


NAMES = NameBudget()
"""The budget of this process."""
