"""Definitions of properties and of levels of the log."""

from __future__ import annotations

from collections.abc import Mapping

from broker.admin.definitions.format import LogLevelDefinition, PropertyDefinition
from broker.admin.definitions.section import Section
from broker.admin.log_levels import check_part
from broker.admin.pending_properties import PendingProperties
from broker.admin.property_book import PropertyBook
from broker.core.asker import Asker
from broker.errors import BrokerError, Code
from broker.logs.settings import Level
from broker.logs.timed_levels import TimedLevels


class PropertySection(Section[PropertyDefinition]):
    """Properties that are kept in ``runtime.properties``.

    Args:
        book: has them.
        pending: carries changes over a crash, until they are in the file.
    """

    name = "properties"

    def __init__(self, book: PropertyBook, pending: PendingProperties) -> None:
        self._book = book
        self._pending = pending

    async def read(self) -> list[PropertyDefinition]:
        """By name."""
        return [PropertyDefinition(name, value) for name, value in self._book.kept().items()]

    def name_of(self, definition: PropertyDefinition) -> str:
        """The name."""
        return definition.name

    def check(self, before: PropertyDefinition | None, after: PropertyDefinition) -> None:
        """Refuse what cannot be set while the broker runs."""
        self._book.check(after.name, after.value)

    def check_all(
        self, asker: Asker, after: Mapping[str, PropertyDefinition], known: Mapping[str, PropertyDefinition]
    ) -> Mapping[str, str]:
        """They go together."""
        names = [name for name in {**known, **after} if after.get(name) != known.get(name)]
        changes = {name: after[name].value if name in after else None for name in names}
        try:
            self._book.check_together(changes)
        except BrokerError as error:
            return dict.fromkeys(names, error.message)
        return {}

    def put(self, asker: Asker, before: PropertyDefinition | None, after: PropertyDefinition) -> None:
        """Note it, in the batch of everything else."""
        self._pending.note(after.name, after.value, f"{asker.principal} by {asker.via}")

    def delete(self, asker: Asker, before: PropertyDefinition) -> None:
        """Likewise."""
        self._pending.note(before.name, None, f"{asker.principal} by {asker.via}")

    async def finish(self) -> None:
        """Have them in the file, and in force."""
        await self._pending.settle()


class LogLevelSection(Section[LogLevelDefinition]):
    """Levels of the log that were changed while the broker runs, and do not return by themselves.

    Args:
        levels: of the log; ``None`` where it is not the broker's own.
    """

    name = "logLevels"

    def __init__(self, levels: TimedLevels | None) -> None:
        self._levels = levels

    async def read(self) -> list[LogLevelDefinition]:
        """By namespace."""
        parts = [] if self._levels is None else self._levels.all()
        return [LogLevelDefinition(each.namespace, each.level) for each in parts if each.changed and each.until is None]

    def name_of(self, definition: LogLevelDefinition) -> str:
        """The namespace."""
        return definition.namespace

    def check(self, before: LogLevelDefinition | None, after: LogLevelDefinition) -> None:
        """Refuse parts that there are not, and a level that must not last."""
        if self._levels is None:
            raise BrokerError(Code.RESOURCE_ADMIN_UNAVAILABLE, "the log is not the broker's own")
        if after.namespace:
            check_part(after.namespace)
        if after.level is Level.DEBUG:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the level debug is for a while only")

    def put(self, asker: Asker, before: LogLevelDefinition | None, after: LogLevelDefinition) -> None:
        """Until the broker stops."""
        if self._levels is not None:
            self._levels.set(after.namespace, after.level)

    def delete(self, asker: Asker, before: LogLevelDefinition) -> None:
        """Let the configured level return."""
        if self._levels is not None:
            self._levels.reset(before.namespace)
