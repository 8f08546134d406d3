"""The budget of distinct names that documents and expressions may bring into libxml2 (design D11).

Who uses it up must not cost others anything. So documents may take a part of it only, and from then on a name that is
new stands in them as :data:`UNKNOWN`: no expression asks for it, since what expressions name is known. And each account
may bring a share of it only, however much is left: libxml2 forgets no name, so one account could else use up all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from broker.errors import BrokerError, Code

UNKNOWN = "x\u00b7"
"""A name that cannot be written in an expression (:mod:`broker.xml.expression`)."""
_ALWAYS_KNOWN = ("xmlBlaster", "key", "oid", "contentMime", "contentMimeExtended", "domain", "lang", UNKNOWN)


@dataclass(frozen=True, slots=True)
class NameLimits:
    """What may be brought until the process ends.

    Args:
        names: distinct ones, half of them by documents; and a quarter as many namespaces.
        of_account: what each account may bring of the names; and a quarter as many namespaces.
    """

    names: int = 100_000
    of_account: int = 5_000

    @property
    def namespaces(self) -> int:
        """Distinct ones."""
        return self.names // 4

    @property
    def namespaces_of_account(self) -> int:
        """What each account may bring of them."""
        return self.of_account // 4


class NameBudget:
    """Counts distinct element, attribute and namespace names, which libxml2 keeps until the process ends.

    Args:
        limits: of all, and of each account.

    Attributes:
        limits: as above.
    """

    def __init__(self, limits: NameLimits = NameLimits()) -> None:
        self.limits = limits
        self._known: set[str] = set(_ALWAYS_KNOWN)
        self._namespaces: set[str] = set()
        self._account = ""
        self._names_of: Counter[str] = Counter()  # by account: what it has brought
        self._namespaces_of: Counter[str] = Counter()

    def usage(self, account: str) -> list[tuple[str, int, int]]:
        """What an account has brought of what it may, as :attr:`broker.core.quotas.Usage.rows` has it."""
        limits = self.limits
        return [
            ("xml_names", self._names_of[account], limits.of_account),
            ("xml_namespaces", self._namespaces_of[account], limits.namespaces_of_account),
        ]

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
            limits = self.limits
            self._check(len(self._known) - len(_ALWAYS_KNOWN), limits.names, "names")
            self._check_account(self._names_of, limits.of_account, "names")
            self._add(name, self._known, self._names_of)

    def admit_namespace(self, namespace: str) -> None:
        """Let a namespace in; raises as :meth:`admit`."""
        if namespace not in self._namespaces:
            limits = self.limits
            self._check(len(self._namespaces), limits.namespaces, "namespaces")
            self._check_account(self._namespaces_of, limits.namespaces_of_account, "namespaces")
            self._add(namespace, self._namespaces, self._namespaces_of)

    def known_as(self, name: str) -> str:
        """How a name of a document is to stand in it: as it is, or as :data:`UNKNOWN`."""
        known, limits, account = self._known, self.limits, self._account
        if name in known:
            return name
        if len(known) - len(_ALWAYS_KNOWN) >= limits.names // 2:
            return UNKNOWN
        if account and self._names_of[account] >= limits.of_account:
            return UNKNOWN
        self._add(name, known, self._names_of)
        return name

    def _check(self, known: int, most: int, what: str) -> None:
        if known >= most:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"more than {most} distinct XML {what} since the start")

    def _check_account(self, brought: Counter[str], most: int, what: str) -> None:
        if self._account and brought[self._account] >= most:
            raise BrokerError(
                Code.RESOURCE_EXHAUST,
                f"{self._account} has brought {brought[self._account]} distinct XML {what} since the start; {most} are "
                "allowed",
            )

    def _add(self, name: str, known: set[str], brought: Counter[str]) -> None:
        known.add(name)
        if self._account:
            brought[self._account] += 1


NAMES = NameBudget()
"""The budget of this process."""
