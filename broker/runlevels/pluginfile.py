"""The plugin file (spec xmlblaster §14.2): its values, and reading it.

Only here XML is read outside of :mod:`broker.xml`: messages need line numbers, and the nested XML of an attribute is
kept as text. The reader is as hostile to document types, entities and processing instructions as that layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import chain
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none

MAXIMUM_SIZE = 1 << 20
MAXIMUM_DEPTH = 32
MAX_NUMBER = 10**9 - 1

_CHILDREN = {
    "": ("xmlBlaster",),
    "xmlBlaster": ("plugin", "node"),
    "node": ("plugin",),
    "plugin": ("attribute", "action"),
    "action": (),
}
_XML_ATTRIBUTES = {
    "xmlBlaster": (),
    "node": ("id",),
    "plugin": ("id", "className", "create", "jar"),
    "attribute": ("id", "replace"),
    "action": ("do", "onStartupRunlevel", "onShutdownRunlevel", "sequence", "onFail"),
}
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Action:
    """When a plugin is started or stopped.

    Args:
        level: run level.
        sequence: order within the level, ascending.
        on_fail: error code that ends the start when the plugin fails; empty: log and go on.
        line: of the plugin file.
    """

    level: int
    sequence: int = 0
    on_fail: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PluginAttribute:
    """An ``<attribute>``: a text for the plugin. ``replace`` tells whether ``${name}`` in it is replaced."""

    name: str
    text: str
    replace: bool = True
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PluginConfig:
    """A ``<plugin>``.

    Args:
        id: unique name.
        class_name: Java class name of xmlBlaster or dotted Python name.
        create: ``False`` keeps it from ever being made.
        attributes: in the order of the file.
        startup: when it is started; ``None`` for a plugin without actions, which is never made.
        shutdown: when it is stopped; ``None``: below its startup level.
        origin: name of the file.
        line: where it begins.
    """

    id: str
    class_name: str
    create: bool = True
    attributes: tuple[PluginAttribute, ...] = ()
    startup: Action | None = None
    shutdown: Action | None = None
    origin: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    @property
    def where(self) -> str:
        """``file:line``, for messages."""
        return f"{self.origin}:{self.line}"


@dataclass(frozen=True, slots=True)
class PluginFile:
    """What a plugin file says.

    Args:
        plugins: for every node, in the order of the file.
        nodes: by node id, what replaces or adds to them there.
        warnings: what was read and is ignored, each with ``file:line``.
    """

    plugins: tuple[PluginConfig, ...]
    nodes: dict[str, tuple[PluginConfig, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def for_node(self, node_id: str) -> tuple[PluginConfig, ...]:
        """The plugins of one node: its own definitions replace the general ones of the same id."""
        merged = {plugin.id: plugin for plugin in self.plugins}
        merged.update((plugin.id, plugin) for plugin in self.nodes.get(node_id, ()))
        return tuple(merged.values())

    def all(self) -> Iterator[PluginConfig]:
        """All plugins, of whatever node."""
        return chain(self.plugins, *self.nodes.values())


def read(path: Path | None) -> PluginFile:
    """Read a plugin file, or the one inside the package where none is named.

    Raises:
        BrokerError: ``resource.fileIO`` where it cannot be read, else as :func:`parse`.
    """
    if path is None:
        return parse(files("broker.plugins").joinpath("default.xml").read_bytes(), "default.xml")
    try:
        with path.open("rb") as file:
            return parse(file.read(MAXIMUM_SIZE + 1), str(path))
    except OSError as error:
        raise BrokerError(Code.RESOURCE_FILE_IO, f"{path}: {error.strerror}") from error


def parse(data: bytes, origin: str) -> PluginFile:
    """Read the bytes of a plugin file.

    Args:
        data: of the file, at most 1 MiB.
        origin: its name, for messages.

    Raises:
        BrokerError: ``resource.configuration.xml`` with ``origin:line: reason``.
    """
    if len(data) > MAXIMUM_SIZE:
        raise BrokerError(Code.RESOURCE_CONFIGURATION_XML, f"{origin}:1: larger than {MAXIMUM_SIZE} bytes")
    reader = _Reader(origin)
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "not well-formed")
        raise BrokerError(Code.RESOURCE_CONFIGURATION_XML, f"{origin}:{error.lineno}: {reason}") from error
    except (LookupError, ValueError) as error:
        # Python, not expat, refuses some encodings that the XML declaration may name.
        raise BrokerError(Code.RESOURCE_CONFIGURATION_XML, f"{origin}:1: unusable encoding: {error}") from error
    return PluginFile(
        tuple(reader.plugins.values()),
        {node_id: tuple(plugins.values()) for node_id, plugins in reader.nodes.items()},
        tuple(reader.warnings),
    )


class _Text:
    """The content of an ``<attribute>``: text as it is meant, nested elements as they would be written."""

    def __init__(self) -> None:
        self.depth = 0
        self._parts: list[str] = []
        self._open = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._close_tag()
        self._parts.append(f"<{name}" + "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items()))
        self._open = True
        self.depth += 1

    def end(self, name: str) -> None:
        self._parts.append("/>" if self._open else f"</{name}>")
        self._open = False
        self.depth -= 1

    def data(self, text: str) -> None:
        self._close_tag()
        self._parts.append(escape(text) if self.depth else text)

    def __str__(self) -> str:
        return "".join(self._parts).strip()

    def _close_tag(self) -> None:
        if self._open:
            self._parts.append(">")
            self._open = False


class _Reader:
    """Follows the elements of a plugin file and makes its values."""

    def __init__(self, origin: str) -> None:
        self.plugins: dict[str, PluginConfig] = {}
        self.nodes: dict[str, dict[str, PluginConfig]] = {}
        self.warnings: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.ProcessingInstructionHandler = self._refuse_instruction
        self._origin = origin
        self._path: list[str] = []
        self._scope = self.plugins
        self._plugin: dict[str, str] = {}
        self._create = True
        self._plugin_line = 0
        self._attributes: dict[str, PluginAttribute] = {}
        self._startup: Action | None = None
        self._shutdown: Action | None = None
        self._attribute = ""
        self._replace = True
        self._attribute_line = 0
        self._text: _Text | None = None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._text is not None:
            if self._text.depth >= MAXIMUM_DEPTH:
                raise self._error(f"elements are nested deeper than {MAXIMUM_DEPTH}")
            self._text.start(name, attributes)
            return
        parent = self._path[-1] if self._path else ""
        if name not in _CHILDREN[parent]:
            place = f"in <{parent}>" if parent else "as the root"
            raise self._error(f"<{name}> is not expected {place}")
        for key in attributes.keys() - _XML_ATTRIBUTES[name]:
            self.warnings.append(f"{self._where}: {key} of <{name}> is ignored")
        self._path.append(name)
        if name == "node":
            self._scope = self.nodes.setdefault(self._required(name, attributes, "id"), {})
        elif name == "plugin":
            self._start_plugin(attributes)
        elif name == "attribute":
            self._start_attribute(attributes)
        elif name == "action":
            self._action(attributes)

    def _end(self, name: str) -> None:
        if self._text is not None and self._text.depth:
            self._text.end(name)
            return
        self._path.pop()
        if name == "node":
            self._scope = self.plugins
        elif name == "plugin":
            self._end_plugin()
        elif name == "attribute":
            self._end_attribute()

    def _data(self, text: str) -> None:
        if self._text is not None:
            self._text.data(text)
        elif text.strip():
            raise self._error(f"text is not expected in <{self._path[-1]}>")

    def _start_plugin(self, attributes: dict[str, str]) -> None:
        plugin_id = self._required("plugin", attributes, "id")
        self._required("plugin", attributes, "className")
        if plugin_id in self._scope:
            first = self._scope[plugin_id].line
            raise self._error(f"plugin '{plugin_id}' is defined already in line {first}")
        self._plugin = attributes
        self._create = self._boolean("create", attributes.get("create", "true"))
        self._plugin_line = self.parser.CurrentLineNumber
        self._attributes = {}
        self._startup = self._shutdown = None

    def _end_plugin(self) -> None:
        plugin_id = self._plugin["id"].strip()
        self._scope[plugin_id] = PluginConfig(
            plugin_id,
            self._plugin["className"].strip(),
            self._create,
            tuple(self._attributes.values()),
            self._startup,
            self._shutdown,
            self._origin,
            self._plugin_line,
        )

    def _start_attribute(self, attributes: dict[str, str]) -> None:
        name = self._required("attribute", attributes, "id")
        if name in self._attributes:
            raise self._error(f"attribute '{name}' is given already in line {self._attributes[name].line}")
        self._attribute = name
        self._replace = self._boolean("replace", attributes.get("replace", "true"))
        self._attribute_line = self.parser.CurrentLineNumber
        self._text = _Text()

    def _end_attribute(self) -> None:
        self._attributes[self._attribute] = PluginAttribute(
            self._attribute, str(self._text), self._replace, self._attribute_line
        )
        self._text = None

    def _action(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("do", "").strip().upper()
        startup = attributes.get("onStartupRunlevel")
        shutdown = attributes.get("onShutdownRunlevel")
        if kind == "LOAD" and startup is None:
            raise self._error("action LOAD has no onStartupRunlevel")
        if kind == "STOP" and (shutdown is None or startup is not None):
            raise self._error("action STOP needs onShutdownRunlevel and no onStartupRunlevel")
        if kind not in {"LOAD", "STOP"}:
            raise self._error(f"action '{attributes.get('do', '')}' is neither LOAD nor STOP")
        if startup is not None:
            if self._startup is not None:
                raise self._error(f"a startup level is given already in line {self._startup.line}")
            self._startup = self._made_action(attributes, "onStartupRunlevel")
        if shutdown is not None:
            if self._shutdown is not None:
                raise self._error(f"a shutdown level is given already in line {self._shutdown.line}")
            self._shutdown = self._made_action(attributes, "onShutdownRunlevel")

    def _made_action(self, attributes: dict[str, str], level: str) -> Action:
        return Action(
            self._integer(level, attributes[level]),
            self._integer("sequence", attributes.get("sequence", "0")),
            attributes.get("onFail", "").strip(),
            self.parser.CurrentLineNumber,
        )

    def _required(self, element: str, attributes: dict[str, str], key: str) -> str:
        value = attributes.get(key, "").strip()
        if not value:
            raise self._error(f"<{element}> has no {key}")
        return value

    def _integer(self, name: str, text: str) -> int:
        number = whole_or_none(text, -MAX_NUMBER, MAX_NUMBER)
        if number is None:
            raise self._error(f"{name} '{text}' is not a whole number")
        return number

    def _boolean(self, name: str, text: str) -> bool:
        value = _BOOLEANS.get(text.strip().lower())
        if value is None:
            raise self._error(f"{name} '{text}' is neither true nor false")
        return value

    def _refuse_doctype(self, *_: object) -> None:
        raise self._error("a document type is not allowed")

    def _refuse_instruction(self, *_: object) -> None:
        raise self._error("a processing instruction is not allowed")

    @property
    def _where(self) -> str:
        return f"{self._origin}:{self.parser.CurrentLineNumber}"

    def _error(self, reason: str) -> BrokerError:
        return BrokerError(Code.RESOURCE_CONFIGURATION_XML, f"{self._where}: {reason}")
