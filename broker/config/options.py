"""The registry of declared properties, and the judgement of given ones against it.

A module declares the properties that it uses where it uses them::

    TIMEOUT = declare("session.timeout", duration(-1), 86_400_000, "Until an idle session ends; 0 or -1: never.")
    ...
    timeout = TIMEOUT.get(properties)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from twisted.logger import Logger

from broker.config.kinds import Kind
from broker.config.legacy import PLUGIN_PREFIX, indexed_name, reason_without_effect, why_refused
from broker.config.nearest import nearest
from broker.config.properties import Properties
from broker.config.sources import COMMAND_LINE, ENVIRONMENT, VARIABLE_PREFIX, variable_name
from broker.config.syntax import Setting
from broker.errors import BrokerError, Code

T = TypeVar("T")
log = Logger()


class Effect(StrEnum):
    """When a property that is changed while the broker runs takes effect."""

    NOW = "now"
    NEW_OBJECTS = "newObjects"
    """For what is made from then on: sessions, topics, messages."""
    LISTENER = "listener"
    """When the listeners are made anew: at run level 9 after level 3."""
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """A declared property.

    Args:
        name: ``<class>/<instance>/<key>``, ``<class>/<key>`` or ``<key>``.
        kind: of its value, with its limits.
        default: where no source has it.
        help: one line for the example file.
        change: when a change takes effect.
    """

    name: str
    kind: Kind[T]
    default: T
    help: str
    change: Effect = Effect.RESTART

    def get(self, properties: Properties, context: str = "") -> T:
        """The value.

        Args:
            properties: to read from.
            context: what it is wanted for, e.g. ``topic/Hello``; selects the most specific form of the name.

        Raises:
            BrokerError: ``resource.configuration`` where the given text is not of this kind.
        """
        return properties.get(self.name, self.kind, self.default, context)


@dataclass(frozen=True, slots=True)
class IndexedOption:
    """A declared property of the form ``name[index]``.

    Args:
        name: before the brackets.
        help: for the example file.
        index: one that may stand in the brackets, for the example file.
    """

    name: str
    help: str
    index: str

    def get(self, properties: Properties) -> dict[str, str]:
        """Its texts by index."""
        return properties.mapping(self.name)


class Registry:
    """The properties that a program knows: the broker's are in :data:`REGISTRY`."""

    def __init__(self) -> None:
        self._options: dict[str, Option[Any]] = {}
        self._indexed: dict[str, IndexedOption] = {}

    def __iter__(self) -> Iterator[Option[Any]]:
        return iter(self._options.values())

    def declare(self, name: str, kind: Kind[T], default: T, help: str, change: Effect = Effect.RESTART) -> Option[T]:
        """Declare a property.

        Raises:
            ValueError: where it is declared already.
        """
        option = Option(name, kind, default, help, change)
        self.add(option)
        return option

    def add(self, option: Option[Any]) -> None:
        """Know a property that may be declared in another registry, too.

        Raises:
            ValueError: where one of its name is known already.
        """
        if option.name in self._options:
            raise ValueError(f"{option.name} is declared twice")
        self._options[option.name] = option

    def declare_indexed(self, name: str, help: str, index: str) -> IndexedOption:
        """Declare a property that is given as ``name[index]``; without a text it says nothing.

        Raises:
            ValueError: where it is declared already.
        """
        option = IndexedOption(name, help, index)
        self.add_indexed(option)
        return option

    def add_indexed(self, option: IndexedOption) -> None:
        """The same as :meth:`add`, of a property that is given as ``name[index]``."""
        if option.name in self._indexed:
            raise ValueError(f"{option.name}[] is declared twice")
        self._indexed[option.name] = option

    def find(self, name: str) -> Option[Any]:
        """The property of a name.

        Raises:
            BrokerError: ``user.illegalArgument`` where there is none, with the nearest.
        """
        option = self._options.get(name)
        if option is None:
            near = nearest(name, self._options)
            hint = f"; is {near} meant?" if near else ""
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"there is no property {name[:200]}{hint}")
        return option

    def indexed(self) -> Iterator[IndexedOption]:
        """The properties of the form ``name[index]``."""
        return iter(self._indexed.values())

    def validate(self, properties: Properties) -> None:
        """Read every declared property once, and look for those of xmlBlaster that ask for what there is not.

        Raises:
            BrokerError: ``resource.configuration`` with all that are not usable, one a line.
        """
        problems = []
        for option in self:
            try:
                option.get(properties)
            except BrokerError as error:
                problems.append(error.message)
        for setting in properties.given():
            reason = why_refused(without_node(setting.name), setting.value)
            if reason:
                problems.append(f"{setting.source}: {setting.name}: {reason}")
        if problems:
            raise BrokerError(Code.RESOURCE_CONFIGURATION, "\n".join(problems))

    def unknown(self, properties: Properties) -> list[Setting]:
        """Given properties that neither this broker nor xmlBlaster knows, and that no ``${…}`` refers to.

        Attributes of plugins, ``plugin/<id>/<attribute>``, are not judged here but with the plugin file.
        """
        referenced = properties.referenced()
        return [
            setting
            for setting in properties.given()
            if setting.name not in referenced and not self._knows(setting.name) and not _without_effect(setting.name)
        ] + self._unknown_variables(properties, referenced)

    def without_effect(self, properties: Properties) -> list[tuple[Setting, str]]:
        """Given properties that xmlBlaster knows and this broker does not use, each with the reason."""
        return [
            (setting, reason)
            for setting in properties.given()
            if not self._knows(setting.name) and (reason := _without_effect(setting.name))
        ]

    def report(self, properties: Properties) -> None:
        """Log one warning for each unknown property, and one line for all that have no effect.

        Raises:
            BrokerError: ``resource.configuration`` with all unknown properties of the command line, one a line: these
                were typed for this very start, while files and environments are shared.
        """
        unknown = self.unknown(properties)
        typed = [setting for setting in unknown if setting.source == COMMAND_LINE]
        if typed:
            problems = (f"{each.source}: there is no property {each.name}{self._hint(each)}" for each in typed)
            raise BrokerError(Code.RESOURCE_CONFIGURATION, "\n".join(problems))
        for setting in unknown:
            log.warn(
                "{source}: unknown property {name} is ignored{hint}",
                source=setting.source,
                name=setting.name,
                hint=self._hint(setting),
            )
        unused = self.without_effect(properties)
        if unused:
            log.info(
                "properties of xmlBlaster without effect here: {names}",
                names="; ".join(f"{setting.name} ({reason})" for setting, reason in unused),
            )

    def _knows(self, name: str) -> bool:
        short = without_node(name)
        if short.lower().startswith(PLUGIN_PREFIX):
            return True
        table = indexed_name(short)
        if table:
            return table in self._indexed
        with_context = short != name
        return any(
            short in _forms(declared) or (with_context and short.endswith(f"/{declared}")) for declared in self._options
        )

    def _unknown_variables(self, properties: Properties, referenced: set[str]) -> list[Setting]:
        """Variables of the environment; their names have lost what tells forms and tables apart."""
        known = {variable_name(form) for declared in self._options for form in _forms(declared)}
        known.update(map(variable_name, referenced))
        of_node = tuple("_" + variable.removeprefix(VARIABLE_PREFIX) for variable in known)
        others = variable_name(PLUGIN_PREFIX) + "_", variable_name("/node/") + "_"
        return [
            setting
            for setting in properties.surrounding()
            if setting.name not in known
            and not setting.name.startswith(others[0])
            and not (setting.name.startswith(others[1]) and setting.name.endswith(of_node))
        ]

    def _hint(self, setting: Setting) -> str:
        names: Iterable[str] = self._options
        if setting.source == ENVIRONMENT:
            names = map(variable_name, names)
        near = nearest(setting.name, names)
        return f"; is {near} meant?" if near else ""


def without_node(name: str) -> str:
    """The name without ``/node/<id>/`` in front."""
    if not name.startswith("/node/"):
        return name
    return name.removeprefix("/node/").partition("/")[2]


def _without_effect(name: str) -> str:
    return reason_without_effect(without_node(name))


def _forms(declared: str) -> tuple[str, ...]:
    """The general forms that a declared name is also looked for under."""
    path, _, key = declared.rpartition("/")
    return (declared, f"{path.partition('/')[0]}/{key}", key)


REGISTRY = Registry()
declare = REGISTRY.declare
declare_indexed = REGISTRY.declare_indexed
