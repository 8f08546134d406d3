"""A model of rosters: who asked to see whom, and what became of it (RFC 6121 §3, Appendix A)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Sight(Enum):
    """Whether one sees the presence of another."""

    NONE = auto()
    ASKED = auto()
    """The one has asked, and the other has not answered."""
    APPROVED = auto()
    """The other has agreed before the one asks (RFC 6121 §3.4)."""
    SEEN = auto()


@dataclass(frozen=True, slots=True)
class Contact:
    """An item of a roster as its owner reads it.

    Args:
        subscription: ``none``, ``to``, ``from`` or ``both``.
        ask: a request waits for the contact's answer.
        approved: the contact's request will need no answer.
        name: that the owner gave it.
    """

    subscription: str = "none"
    ask: bool = False
    approved: bool = False
    name: str = ""


_SUBSCRIPTIONS = {(False, False): "none", (True, False): "to", (False, True): "from", (True, True): "both"}


class Acquaintances:
    """The rosters of accounts of one server, after all that their owners did so far.

    Each method is one thing that ``who`` does; all names are localparts.
    """

    def __init__(self) -> None:
        self._sights: dict[tuple[str, str], Sight] = {}
        self._names: dict[tuple[str, str], str] = {}

    def subscribe(self, who: str, other: str) -> None:
        """Ask to see another's presence."""
        self._names.setdefault((who, other), "")
        match self._sight(who, other):
            case Sight.NONE:
                self._sights[who, other] = Sight.ASKED
            case Sight.APPROVED:
                self._sights[who, other] = Sight.SEEN

    def unsubscribe(self, who: str, other: str) -> None:
        """Give up to see it, or to ask; what the other has agreed to in advance stays."""
        if self._sight(who, other) is not Sight.APPROVED:
            self._sights[who, other] = Sight.NONE

    def subscribed(self, who: str, other: str) -> None:
        """Agree that another sees the own presence, in advance perhaps."""
        match self._sight(other, who):
            case Sight.ASKED:
                self._sights[other, who] = Sight.SEEN
            case Sight.NONE:
                self._sights[other, who] = Sight.APPROVED
        self._names.setdefault((who, other), "")

    def unsubscribed(self, who: str, other: str) -> None:
        """Refuse that, or take it back."""
        self._sights[other, who] = Sight.NONE

    def name(self, who: str, other: str, name: str) -> None:
        """Have a contact under a name."""
        self._names[who, other] = name

    def remove(self, who: str, other: str) -> None:
        """Have no such contact any more, which ends both directions (RFC 6121 §2.5.2)."""
        del self._names[who, other]
        self.unsubscribe(who, other)
        self.unsubscribed(who, other)

    def has(self, who: str, other: str) -> bool:
        """Whether somebody has a contact."""
        return (who, other) in self._names

    def roster(self, who: str) -> dict[str, Contact]:
        """Somebody's contacts."""
        return {
            other: Contact(
                _SUBSCRIPTIONS[self._sight(who, other) is Sight.SEEN, self._sight(other, who) is Sight.SEEN],
                self._sight(who, other) is Sight.ASKED,
                self._sight(other, who) is Sight.APPROVED,
                name,
            )
            for (owner, other), name in self._names.items()
            if owner == who
        }

    def waiting(self, who: str) -> set[str]:
        """Whose requests somebody has not answered."""
        return {asker for (asker, other), sight in self._sights.items() if other == who and sight is Sight.ASKED}

    def seen(self, who: str) -> set[str]:
        """Whose presence somebody sees."""
        return {other for (asker, other), sight in self._sights.items() if asker == who and sight is Sight.SEEN}

    def _sight(self, who: str, other: str) -> Sight:
        return self._sights.get((who, other), Sight.NONE)
