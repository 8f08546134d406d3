"""The properties of a running broker: what each is, where that comes from, and changes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from broker.admin.audit import shown
from broker.config.core_options import NODE_ID
from broker.config.options import REGISTRY, Effect, Option, Registry
from broker.config.properties import Properties
from broker.config.runtime import RuntimeFile
from broker.config.syntax import Setting
from broker.errors import BrokerError, Code

FIXED = (NODE_ID.name,)
"""What is read before the file is, so that it cannot say them."""


class OtherValue(msgspec.Struct, frozen=True):
    """What another source says.

    Args:
        source: which.
        form: the name that it uses.
        value: as others may see it.
    """

    source: str
    form: str
    value: str


class PropertyRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A property.

    Args:
        name: of it.
        value: that holds, as others may see it.
        default: where no source says anything.
        source: that says it: ``default``, ``command line``, ``environment``, file and line, or ``run time`` with who
            and when.
        kind: of its values.
        help: one sentence.
        change: when a change takes effect: ``now``, for ``newObjects``, when the ``listener`` is made anew, or after a
            ``restart``.
        form: the name by which the source says it, where that is another.
        shadowed: what other sources say, which does not count.
        pending: a value that was set and has no effect yet.
        kept: the value outlives a restart though it was set at run time.
        listeners: that have to be opened anew, by run level 3 and then 9, for a change to take effect.
    """

    name: str
    value: str
    default: str
    source: str
    kind: str
    help: str
    change: Effect
    form: str = ""
    shadowed: list[OtherValue] = []
    pending: str | None = None
    kept: bool = False
    listeners: list[str] = []


class PropertyBook:
    """Knows all properties, and changes them.

    Args:
        properties: of the broker; what the file has is in force already.
        file: of those that are to be kept.
        registry: of all that there are.

    Attributes:
        properties: see above.
        checks: each raises :class:`BrokerError` for properties that do not go together.
        listeners_of: tells the listeners that read the property of a name when they are made.
        on_change: each is told that a property which takes effect now, or for new objects, has changed. One that raises
            :class:`BrokerError` refuses the change.
    """

    def __init__(self, properties: Properties, file: RuntimeFile, registry: Registry = REGISTRY) -> None:
        self.properties = properties
        self.checks: list[Callable[[Properties], object]] = []
        self.listeners_of: Callable[[str], list[str]] = lambda name: []
        self.on_change: list[Callable[[], None]] = []
        self._file = file
        self._registry = registry
        self._kept = {each.name: each for each in file.read()}
        self._pending: dict[str, str] = {}
        self._wait_for_listeners: set[str] = set()

    def rows(self) -> list[PropertyRow]:
        """All of them, by name."""
        return sorted(map(self._row, self._registry), key=lambda row: row.name)

    def row(self, name: str) -> PropertyRow:
        """One.

        Raises:
            BrokerError: ``user.illegalArgument`` where there is none of this name.
        """
        return self._row(self._registry.find(name))

    def set(self, name: str, value: str, who: str, *, keep: bool = False) -> PropertyRow:
        """Change a property.

        Args:
            name: of it.
            value: the text.
            who: changes it.
            keep: the value outlives a restart.

        Returns:
            How it is now.

        Raises:
            BrokerError: ``user.illegalArgument`` where there is no such property, or the text is not of its kind;
                ``user.configuration`` where it takes effect after a restart only and is not to be kept, is a secret, or
                something more specific beats it. Nothing changes then.
        """
        option = self.check(name, value)
        if option.change is Effect.RESTART and not keep:
            raise BrokerError(
                Code.USER_CONFIGURATION,
                f"{name} takes effect after a restart only: change it with keep, or in the files",
            )
        self.check_together({name: value})
        setting = _setting(name, value, who)
        if keep:
            self._file.write([*(each for each in self._kept.values() if each.name != name), setting])
        self._take(option, setting)
        if keep:
            self._kept[name] = setting
        return self._row(option)

    def check(self, name: str, value: str) -> Option[Any]:
        """Refuse what no property can be set to while the broker runs.

        Returns:
            The property.

        Raises:
            BrokerError: as :meth:`set`.
        """
        option = self._registry.find(name)
        try:
            option.kind.parse(value)
        except ValueError as error:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{name}: {error}") from None
        if shown(name, value) != value:
            raise BrokerError(Code.USER_CONFIGURATION, f"{name} is a secret: change it in the files")
        if name in FIXED:
            raise BrokerError(Code.USER_CONFIGURATION, f"{name} is what this node is: change it in the files")
        winner = self.properties.find(name)
        if winner is not None and winner.name == f"/node/{self.properties.node_id}/{name}":
            raise BrokerError(
                Code.USER_CONFIGURATION, f"{winner.source} has {winner.name}, which is more specific and beats this"
            )
        return option

    def kept(self) -> dict[str, str]:
        """The properties that are kept, by name."""
        return {name: self._kept[name].value for name in sorted(self._kept)}

    def take_back(self, name: str) -> PropertyRow:
        """Let the other sources say again what a property is; raises as :meth:`set`."""
        option = self._registry.find(name)
        self.check_together({name: None})
        if name in self._kept:
            self._file.write([each for each in self._kept.values() if each.name != name])
            del self._kept[name]
        self._drop(option)
        return self._row(option)

    def keep_all(self, changes: Mapping[str, str | None], who: str) -> None:
        """Change several properties, which outlive a restart; in the file that is one change.

        Args:
            changes: texts by name, as :meth:`check` has let them pass; ``None`` takes a property back.
            who: changes them.

        Raises:
            BrokerError: ``resource.fileIO``; what a property takes effect in does not take the values together.
        """
        settings = {name: _setting(name, value, who) for name, value in changes.items() if value is not None}
        kept = {name: each for name, each in self._kept.items() if name not in changes} | settings
        self._file.write(list(kept.values()))
        self._kept = kept
        for name in changes:
            option = self._registry.find(name)
            if name in settings:
                self._take(option, settings[name])
            else:
                self._drop(option)

    def check_together(self, changes: Mapping[str, str | None]) -> None:
        """Refuse values that do not go with the others; nothing takes effect.

        Args:
            changes: as of :meth:`keep_all`.

        Raises:
            BrokerError: ``user.configuration``.
        """
        before = {each.name: each for each in self.properties.assigned()}
        try:
            for name, value in changes.items():
                if value is None:
                    self.properties.take_back(name)
                else:
                    self.properties.assign(name, value)
            for check in self.checks:
                check(self.properties)
        except BrokerError as error:
            raise BrokerError(Code.USER_CONFIGURATION, error.message) from error
        finally:
            for name in changes:
                self.properties.take_back(name)
                if name in before:
                    self.properties.assign(name, before[name].value, before[name].source)

    def listeners_made(self) -> None:
        """What waited for listeners to be made anew has its effect."""
        self._wait_for_listeners.clear()

    def _take(self, option: Option[Any], setting: Setting) -> None:
        if option.change is Effect.RESTART:
            self._pending[option.name] = setting.value
        else:
            self._assign(option, setting)

    def _drop(self, option: Option[Any]) -> None:
        name = option.name
        self._pending.pop(name, None)
        before = next((each for each in self.properties.assigned() if each.name == name), None)
        if before is not None and option.change is Effect.RESTART:
            others = [each for each in self.properties.found(name) if each is not before]
            self._pending[name] = others[0].value if others else option.kind.write(option.default)
        elif before is not None:
            self.properties.take_back(name)
            self._changed(option, lambda: self.properties.assign(name, before.value, before.source))

    def _assign(self, option: Option[Any], setting: Setting) -> None:
        before = next((each for each in self.properties.assigned() if each.name == setting.name), None)
        self.properties.assign(setting.name, setting.value, setting.source)

        def undo() -> None:
            if before is None:
                self.properties.take_back(setting.name)
            else:
                self.properties.assign(before.name, before.value, before.source)

        self._changed(option, undo)

    def _changed(self, option: Option[Any], undo: Callable[[], None]) -> None:
        if option.change is Effect.LISTENER:
            self._wait_for_listeners.add(option.name)
            return
        try:
            for each in self.on_change:
                each()
        except BrokerError:
            undo()
            raise

    def _row(self, option: Option[Any]) -> PropertyRow:
        name, properties = option.name, self.properties
        found = properties.found(name)
        default = option.kind.write(option.default)
        winner = found[0] if found else None
        pending = self._pending.get(name)
        if pending is None and name in self._wait_for_listeners:
            pending = default if winner is None else winner.value
        return PropertyRow(
            name,
            shown(name, default if winner is None else properties.expand(winner)),
            shown(name, default),
            "default" if winner is None else winner.source,
            option.kind.label,
            option.help,
            option.change,
            "" if winner is None or winner.name == name else winner.name,
            [OtherValue(each.source, each.name, shown(name, each.value)) for each in found[1:]],
            None if pending is None else shown(name, pending),
            name in self._kept,
            self.listeners_of(name) if option.change is Effect.LISTENER else [],
        )


def _setting(name: str, value: str, who: str) -> Setting:
    return Setting(name, value, f"run time, by {_one_line(who)} at {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:200]
