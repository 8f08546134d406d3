"""The budget of distinct names that documents and expressions may bring into libxml2 (design D11)."""

from __future__ import annotations

from broker.errors import BrokerError, Code

MAX_NAMES = 100_000


class NameBudget:
    """Counts distinct element, attribute and namespace names, which libxml2 keeps until the process ends.

    Args:
        limit: distinct names that may be admitted.
    """

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def admit(self, name: str) -> None:
        """Let a name in.

        Raises:
            BrokerError: ``resource.exhaust`` for a new name when the budget is used up; known names are always fine.
        """
        if name in self._known:
            return
        if len(self._known) >= self._limit:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"more than {self._limit} distinct XML names since the start")
        self._known.add(name)


NAMES = NameBudget()
"""The budget of this process."""
