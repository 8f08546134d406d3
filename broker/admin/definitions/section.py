"""What all sections do: they read what there is, compare it with what is wanted, and say what would change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from broker.admin.audit import HIDDEN
from broker.admin.definitions.format import Definition
from broker.core.asker import Asker
from broker.errors import BrokerError

SECRETS = frozenset({"scramSha1", "scramSha256"})
"""Members that are told to nobody who does not ask for them."""


class Action(StrEnum):
    """What an import does to one object."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"


class DefinitionChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an import does to one object, or would do.

    Args:
        action: what.
        kind: the section.
        name: of the object.
        before: how it is; absent where it is not there.
        after: how it is to be; absent where it goes.
        reason: why it cannot be.
    """

    action: Action
    kind: str
    name: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A change, and what makes it.

    Args:
        row: what is told of it.
        make: appends it to the open batch; nothing where there is nothing to do.
    """

    row: DefinitionChange
    make: Callable[[], None] | None = None


D = TypeVar("D", bound=Definition)


class Section(ABC, Generic[D]):
    """A section.

    Attributes:
        name: in the document.
        reads_store: reading it waits for the store; the others are read at once.
    """

    name: ClassVar[str]
    reads_store: ClassVar[bool] = False

    @abstractmethod
    async def read(self) -> list[D]:
        """What there is, in its order."""

    @abstractmethod
    def name_of(self, definition: D) -> str:
        """What tells an object from the others of the section."""

    @abstractmethod
    def put(self, asker: Asker, before: D | None, after: D) -> None:
        """Create or change an object, in this turn; nothing may refuse it any more."""

    @abstractmethod
    def delete(self, asker: Asker, before: D) -> None:
        """Delete an object, likewise."""

    def completed(self, before: D | None, wanted: D, *, replace: bool) -> D:
        """What is wanted, with what the document leaves to the broker, and in the broker's own spelling.

        Args:
            before: how the object is.
            wanted: as the document has it.
            replace: what it has not goes.
        """
        return wanted

    async def finish(self) -> None:
        """What was put and deleted is on disk: have what depends on it follow."""

    def check(self, before: D | None, after: D) -> None:
        """Refuse an object that cannot be created or changed like this.

        Raises:
            BrokerError: with the reason.
        """

    def check_all(self, asker: Asker, after: Mapping[str, D], known: Mapping[str, D]) -> Mapping[str, str]:
        """What is wrong with all together: names of objects, each with the reason.

        Args:
            asker: who imports.
            after: what there is to be, by name.
            known: what there is.
        """
        return {}

    def plan(self, asker: Asker, found: Sequence[D], wanted: Sequence[D], *, replace: bool) -> list[Planned]:
        """What an import does.

        Args:
            asker: who imports.
            found: what there is.
            wanted: what the document has.
            replace: what it has not is deleted.
        """
        known = {self.name_of(each): each for each in found}
        named = [(self.name_of(each), each) for each in wanted]
        targets = {name: self.completed(known.get(name), each, replace=replace) for name, each in named}
        after = targets if replace else {**known, **targets}
        problems = dict(self.check_all(asker, after, known))
        problems |= dict.fromkeys(_repeated(name for name, _ in named), "the document has it twice")
        planned = [self._planned(asker, name, known.get(name), each, problems) for name, each in targets.items()]
        gone = [name for name in known if name not in targets] if replace else []
        for name in gone:
            reason = problems.get(name)
            planned.append(self._deletion(asker, name, known[name], reason))
        return planned

    def _planned(self, asker: Asker, name: str, before: D | None, after: D, problems: Mapping[str, str]) -> Planned:
        reason = problems.get(name)
        if reason is None and before != after:
            try:
                self.check(before, after)
            except BrokerError as error:
                reason = error.message
        if reason is None and before == after:
            return Planned(DefinitionChange(Action.UNCHANGED, self.name, name))
        action = Action.CREATE if before is None else Action.CHANGE
        row = self._row(action if reason is None else Action.CONFLICT, name, before, after, reason)
        return Planned(row, lambda: self.put(asker, before, after))

    def _deletion(self, asker: Asker, name: str, before: D, reason: str | None) -> Planned:
        row = self._row(Action.DELETE if reason is None else Action.CONFLICT, name, before, None, reason)
        return Planned(row, lambda: self.delete(asker, before))

    def _row(
        self, action: Action, name: str, before: D | None, after: D | None, reason: str | None
    ) -> DefinitionChange:
        return DefinitionChange(action, self.name, name, _told(before), _told(after), reason)


def _told(definition: Definition | None) -> dict[str, Any] | None:
    if definition is None:
        return None
    members: dict[str, Any] = msgspec.to_builtins(definition)
    return {name: HIDDEN if name in SECRETS else value for name, value in members.items()}


def _repeated(names: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]
