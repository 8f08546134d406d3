"""The budget of distinct names that documents and expressions may bring into libxml2 (design D11).

Who uses it up must not cost others anything. So documents may take a part of it only, and from then on a name that is
new stands in them as :data:`UNKNOWN`: no expression asks for it, since what expressions name is known.
"""

from __future__ import annotations

from broker.errors import BrokerError, Code

MAX_NAMES = 100_000
UNKNOWN = "x\u00b7"
"""A name that cannot be written in an expression (:mod:`broker.xml.expression`)."""
_ALWAYS_KNOWN = ("xmlBlaster", "key", "oid", "contentMime", "contentMimeExtended", "domain", "lang", UNKNOWN)


class NameBudget:
    """Counts distinct element, attribute and namespace names, which libxml2 keeps until the process ends.

    Args:
        limit: distinct names that may be admitted, half of them by documents; and a quarter as many namespaces.
    """

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit + len(_ALWAYS_KNOWN)
        self._documents = limit // 2 + len(_ALWAYS_KNOWN)
        self._most_namespaces = limit // 4
        self._known: set[str] = set(_ALWAYS_KNOWN)
        self._namespaces: set[str] = set()

    def admit(self, name: str) -> None:
        """Let a name of an expression in.

        Raises:
            BrokerError: ``resource.exhaust`` for a new name when the budget is used up; known names are always fine.
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
        if len(known) >= self._documents:
            return UNKNOWN
        known.add(name)
        return name

    def _take(self, name: str, known: set[str], limit: int) -> None:
        if len(known) >= limit:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"more than {limit} distinct XML names since the start")
        known.add(name)


NAMES = NameBudget()
"""The budget of this process."""
