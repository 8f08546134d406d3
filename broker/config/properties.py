"""The properties of a running broker (spec xmlblaster §15, ``util.property``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from broker.config.kinds import BOOLEAN, Kind
from broker.config.sources import ENVIRONMENT, OTHER_VARIABLES, VARIABLE_PREFIX, in_environment
from broker.config.syntax import Setting
from broker.errors import BrokerError, Code

T = TypeVar("T")

DEFAULT_NODE_ID = "broker"
MAXIMUM_NESTING = 50
MAXIMUM_LENGTH = 1_000_000
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_INDEX = re.compile(r"\[(.*)\]\Z", re.DOTALL)


class Properties:
    """All sources of properties, read as one.

    A specific name beats a general one whatever its source (:func:`candidates`); for one name, a value assigned while
    the broker runs beats the command line, that the environment, that the file, and that the default of the reader.
    Within one source the last one wins.

    Args:
        command_line: in the order given.
        environment: names to texts; see :func:`broker.config.sources.in_environment`.
        file: in the order given.

    Raises:
        BrokerError: ``resource.configuration`` where the node id refers to a variable without a value.
    """

    def __init__(
        self,
        command_line: Iterable[Setting] = (),
        environment: Mapping[str, str] | None = None,
        file: Iterable[Setting] = (),
    ) -> None:
        self._assigned: dict[str, Setting] = {}
        self._command_line = {setting.name: setting for setting in command_line}
        self._environment = dict(environment or {})
        self._file = {setting.name: setting for setting in file}
        self._referenced: set[str] = set()
        self._node_id = DEFAULT_NODE_ID
        self._node_id = self.text("cluster.node.id") or DEFAULT_NODE_ID

    @property
    def node_id(self) -> str:
        """Id of this node, which selects the ``/node/<id>/…`` properties; it does not change while the broker runs."""
        return self._node_id

    def assign(self, name: str, value: str, source: str = "assigned at run time") -> None:
        """Set a property while the broker runs; it beats all other sources.

        Args:
            name: of it.
            value: its text.
            source: for messages.
        """
        self._assigned[name] = Setting(name, value, source)

    def take_back(self, name: str) -> None:
        """Let the other sources say again what a property is."""
        self._assigned.pop(name, None)

    def assigned(self) -> tuple[Setting, ...]:
        """What was set while the broker runs."""
        return tuple(self._assigned.values())

    def found(self, name: str) -> list[Setting]:
        """All settings for a name, the one that counts first."""
        settings: list[Setting] = []
        for form in candidates(name, self.node_id):
            for source in (self._assigned, self._command_line):
                if form in source:
                    settings.append(source[form])
            of_environment = in_environment(self._environment, form)
            if of_environment is not None:
                settings.append(of_environment)
            if form in self._file:
                settings.append(self._file[form])
        return settings

    def find(self, name: str, context: str = "") -> Setting | None:
        """The most specific setting for a name, its variables not replaced.

        Args:
            name: ``<class>/<instance>/<key>``, ``<class>/<key>`` or ``<key>``.
            context: what it is wanted for, e.g. ``topic/Hello``.
        """
        return self._first(candidates(name, self.node_id, context))

    def find_exact(self, name: str) -> Setting | None:
        """The setting of this very name, or of this name for this node; no more general one."""
        return self._first((f"/node/{self.node_id}/{name}", name))

    def text(self, name: str, context: str = "") -> str | None:
        """The text of a property, variables replaced; ``None`` where no source has it.

        Raises:
            BrokerError: ``resource.configuration`` where a variable cannot be replaced.
        """
        setting = self.find(name, context)
        return None if setting is None else self.expand(setting)

    def get(self, name: str, kind: Kind[T], default: T, context: str = "") -> T:
        """The value of a property, ``default`` where no source has it.

        Raises:
            BrokerError: ``resource.configuration``, naming the property, its text and its source, where the text is
                not of this kind.
        """
        setting = self.find(name, context)
        if setting is None:
            return default
        text = self.expand(setting)
        try:
            return kind.parse(text)
        except ValueError as error:
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION, f"{setting.source}: {setting.name} = '{text}': {error}"
            ) from error

    def mapping(self, name: str) -> dict[str, str]:
        """The texts of ``name[index]`` by index; of several indices ``[a][b]`` as ``a,b``."""
        found: dict[str, Setting] = {}
        for prefix in (name, f"/node/{self.node_id}/{name}"):
            for full_name in self._names(f"{prefix}["):
                match = _INDEX.fullmatch(full_name, len(prefix))
                setting = self._lookup(full_name)
                if match and setting:
                    found[match[1].replace("][", ",")] = setting
        return {index: self.expand(setting) for index, setting in found.items()}

    def under(self, prefix: str) -> dict[str, Setting]:
        """All settings whose names begin so (or so for this node), by the rest of the name."""
        found: dict[str, Setting] = {}
        for full_prefix in (prefix, f"/node/{self.node_id}/{prefix}"):
            for full_name in self._names(full_prefix):
                setting = self._lookup(full_name)
                if setting and len(full_name) > len(full_prefix):
                    found[full_name[len(full_prefix) :]] = setting
        return found

    def expand(self, setting: Setting, unresolved: list[str] | None = None) -> str:
        """The text of a setting with every ``${name}`` replaced, also in what replaces it; ``$_{name}`` is left.

        Args:
            setting: any; it need not be one of these properties.
            unresolved: if given, names without a value are added here and their variables are left.

        Raises:
            BrokerError: ``resource.configuration``, naming the property and its source, where a variable has no value,
                refers to itself, or is nested deeper than 50 levels.
        """
        if "${" not in setting.value:
            return setting.value
        if unresolved is None and self._keeps_unresolved():
            unresolved = []
        return self._expand(setting, 1, {}, unresolved)

    def given(self) -> tuple[Setting, ...]:
        """What the command line and the file set, the command line first."""
        return (*self._command_line.values(), *self._file.values())

    def surrounding(self) -> tuple[Setting, ...]:
        """Variables of the environment whose names say that they are meant for the broker: ``BROKER_…``."""
        return tuple(
            Setting(name, value, ENVIRONMENT)
            for name, value in self._environment.items()
            if name.startswith(VARIABLE_PREFIX) and not name.startswith(OTHER_VARIABLES)
        )

    def referenced(self) -> set[str]:
        """Names that a ``${name}`` of the given settings, or of an expanded or mentioned text refers to."""
        names = {match[1] for setting in self.given() for match in _VARIABLE.finditer(setting.value)}
        return names | self._referenced

    def mention(self, text: str) -> None:
        """Note the names that a text refers to, though it may never be expanded."""
        self._referenced.update(match[1] for match in _VARIABLE.finditer(text))

    def _keeps_unresolved(self) -> bool:
        setting = self.find_exact("property.keepUnresolvedProps")
        if setting is None:
            return False
        try:
            return BOOLEAN.parse(setting.value)
        except ValueError as error:
            raise _unusable(setting, f"= '{setting.value[:64]}': {error}") from error

    def _expand(self, setting: Setting, depth: int, done: dict[str, str], unresolved: list[str] | None) -> str:
        if depth > MAXIMUM_NESTING:
            raise _unusable(setting, f"is nested deeper than {MAXIMUM_NESTING} levels or refers to itself")

        def replacement(match: re.Match[str]) -> str:
            name = match[1]
            self._referenced.add(name)
            if name in done:
                return done[name]
            inner = self.find_exact(name)
            if inner is not None:
                text = self._expand(inner, depth + 1, done, unresolved)
            elif unresolved is None:
                raise _unusable(setting, f"refers to ${{{name}}}, which has no value")
            else:
                unresolved.append(name)
                text = match[0]
            done[name] = text
            return text

        expanded = _VARIABLE.sub(replacement, setting.value)
        if len(expanded) > MAXIMUM_LENGTH:
            raise _unusable(setting, f"is longer than {MAXIMUM_LENGTH} characters")
        return expanded

    def _first(self, names: Iterable[str]) -> Setting | None:
        for name in names:
            setting = self._lookup(name)
            if setting is not None:
                return setting
        return None

    def _lookup(self, name: str) -> Setting | None:
        return (
            self._assigned.get(name)
            or self._command_line.get(name)
            or in_environment(self._environment, name)
            or self._file.get(name)
        )

    def _names(self, prefix: str) -> Iterator[str]:
        seen = dict.fromkeys((*self._file, *self._environment, *self._command_line, *self._assigned))
        return (name for name in seen if name.startswith(prefix))


def candidates(name: str, node_id: str, context: str = "") -> tuple[str, ...]:
    """Names under which a property is looked for, the most specific first (spec xmlblaster §15).

    >>> candidates("queue/history/maxEntries", "heron", "topic/Hello")[0]
    '/node/heron/topic/Hello/queue/history/maxEntries'
    """
    path, _, key = name.rpartition("/")
    class_name, _, instance = path.partition("/")
    names = [f"/node/{node_id}/{context}/{name}"] if context else []
    names += [f"/node/{node_id}/{name}", name]
    if instance:
        names.append(f"{class_name}/{key}")
    if path:
        names += [f"/node/{node_id}/{key}", key]
    return tuple(names)


def _unusable(setting: Setting, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, f"{setting.source}: {setting.name} {reason}")
