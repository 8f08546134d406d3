"""The attributes that a plugin gets: those of the plugin file under those of the properties (spec xmlblaster §14.2)."""

from __future__ import annotations

from collections.abc import Sequence

from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.runlevels.pluginfile import PluginConfig


def resolve(
    config: PluginConfig, properties: Properties, known: Sequence[str] = (), file_only: Sequence[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """The attribute texts of a plugin, variables replaced.

    A property ``plugin/<id lower case>/<attribute>`` replaces or adds an attribute. More general names do not: a bare
    ``port`` would move all plugins to one port.

    Args:
        config: of the plugin file.
        properties: replace and add.
        known: attributes that the plugin takes; those alone are found in the environment under ``BROKER_PLUGIN_…``
            where the plugin file does not have them.
        file_only: attributes that stand in the plugin file as they are, because what they say is run: properties, which
            others may set, neither replace them nor parts of them.

    Returns:
        The texts by name, and warnings about variables without a value, which are left as they are.

    Raises:
        BrokerError: ``resource.configuration`` where a variable refers to itself.
    """
    prefix = f"plugin/{config.id.lower()}/"
    texts: dict[str, str] = {}
    warnings: list[str] = []
    for attribute in config.attributes:
        source = f"{config.origin}:{attribute.line}"
        setting = properties.find_exact(prefix + attribute.name)
        if attribute.name in file_only:
            texts[attribute.name] = attribute.text
            continue
        if setting is None and not attribute.replace:
            texts[attribute.name] = attribute.text
            continue
        setting = setting or Setting(f"attribute {attribute.name} of plugin {config.id}", attribute.text, source)
        texts[attribute.name] = _expand(setting, properties, warnings)
    others = properties.under(prefix)
    others.update((name, found) for name in known if (found := properties.find_exact(prefix + name)) is not None)
    for name in file_only:
        ignored = others.pop(name, None) or properties.find_exact(prefix + name)
        if ignored is not None:
            warnings.append(f"{ignored.source}: {prefix}{name} is ignored: it may stand in the plugin file only")
    for name, other in others.items():
        if name not in texts:
            texts[name] = _expand(other, properties, warnings)
    return texts, warnings


def _expand(setting: Setting, properties: Properties, warnings: list[str]) -> str:
    unresolved: list[str] = []
    text = properties.expand(setting, unresolved)
    warnings.extend(
        f"{setting.source}: {setting.name} refers to ${{{name}}}, which has no value and is left" for name in unresolved
    )
    return text
