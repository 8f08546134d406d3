"""Properties ``plugin/<id>/<attribute>`` that no plugin and no attribute answers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from broker.config.legacy import PLUGIN_PREFIX
from broker.config.nearest import nearest
from broker.config.options import without_node
from broker.config.properties import Properties
from broker.config.sources import variable_name
from broker.config.syntax import Setting
from broker.runlevels.pluginfile import PluginConfig

Known = Mapping[str, Sequence[str] | None]
"""The attributes of each plugin by its id in lower case; ``None``: it takes any."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A setting that means nothing.

    Args:
        setting: as it was given.
        hint: the nearest name that means something, or the plugins that there are.
    """

    setting: Setting
    hint: str

    @property
    def text(self) -> str:
        """For the person who gave it."""
        return f"{self.setting.source}: no plugin has an attribute of the name {self.setting.name} ({self.hint})"


def unknown_overrides(properties: Properties, known: Known) -> Iterator[Unknown]:
    """The settings of plugin attributes that no plugin takes, whatever source they are from."""
    referenced = properties.referenced()
    for setting in properties.given():
        name = without_node(setting.name)
        if not name.lower().startswith(PLUGIN_PREFIX) or setting.name in referenced:
            continue
        plugin, _, attribute = name.removeprefix(PLUGIN_PREFIX).partition("/")
        if not _takes(known, plugin, attribute):
            yield Unknown(setting, _meant(plugin, attribute, known))
    variables = [
        variable_name(f"{PLUGIN_PREFIX}{plugin}/{each}")
        for plugin, attributes in known.items()
        for each in attributes or ()
    ]
    any_attribute = tuple(
        variable_name(PLUGIN_PREFIX + plugin) + "_" for plugin, attributes in known.items() if attributes is None
    )
    for setting in properties.surrounding():
        variable = setting.name
        if not variable.startswith(variable_name(PLUGIN_PREFIX) + "_") or variable.startswith(any_attribute):
            continue
        if variable not in variables and variable not in map(variable_name, referenced):
            near = nearest(variable, variables)
            yield Unknown(setting, f"is {near} meant?" if near else _plugins(known))


def unknown_attributes(config: PluginConfig, attributes: Sequence[str] | None) -> Iterator[str]:
    """Warnings about the attributes in the plugin file that a plugin does not take."""
    for each in config.attributes:
        if attributes is not None and each.name not in attributes:
            near = nearest(each.name, attributes)
            hint = f"; is {near} meant?" if near else ""
            yield f"{config.origin}:{each.line}: plugin {config.id} has no attribute {each.name}, it is ignored{hint}"


def _takes(known: Known, plugin: str, attribute: str) -> bool:
    if plugin not in known or not attribute:
        return False
    attributes = known[plugin]
    return attributes is None or attribute in attributes


def _meant(plugin: str, attribute: str, known: Known) -> str:
    near = nearest(plugin, known)
    if near is None or not attribute:
        return _plugins(known)
    attributes = known[near]
    name = attribute if attributes is None else nearest(attribute, attributes)
    if name is None:
        return f"those of plugin {near} are {', '.join(attributes or ()) or 'none'}"
    return f"is {PLUGIN_PREFIX}{near}/{name} meant?"


def _plugins(known: Known) -> str:
    return f"the plugins are {', '.join(sorted(known))}"
