"""Checks a plugin file as a whole before anything starts (design D12; spec xmlblaster §14)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from twisted.logger import Logger

from broker.config.properties import Properties
from broker.config.sources import COMMAND_LINE
from broker.errors import BrokerError, Code
from broker.runlevels.attributes import resolve
from broker.runlevels.levels import HALTED, RUNNING
from broker.runlevels.loading import Factory, load
from broker.runlevels.names import python_name, reason_not_served
from broker.runlevels.overrides import unknown_attributes, unknown_overrides
from broker.runlevels.plan import Plan, PlannedPlugin
from broker.runlevels.pluginfile import Action, PluginConfig, PluginFile

log = Logger()


def check(
    plugin_file: PluginFile,
    properties: Properties,
    core: Collection[str] = (),
    loader: Callable[[str], Factory] = load,
) -> Plan:
    """Check a plugin file, and log what of it is ignored.

    Args:
        plugin_file: to check.
        properties: choose the node, and replace attributes and variables.
        core: what the core provides to plugins before any is started.
        loader: finds a factory by its dotted name, or raises BrokerError.

    Raises:
        BrokerError: ``resource.configuration`` with all that is wrong, one ``file:line: reason`` a line.
    """
    problems: list[str] = []
    warnings = list(plugin_file.warnings)
    planned: list[PlannedPlugin] = []
    not_served: dict[str, str] = {}
    known: dict[str, Sequence[str] | None] = {}
    for config in plugin_file.all():
        known[config.id.lower()] = None
        for attribute in config.attributes:
            properties.mention(attribute.text)
    for position, config in enumerate(plugin_file.for_node(properties.node_id)):
        if not config.create:
            continue
        problems.extend(_wrong_actions(config))
        reason = reason_not_served(config.class_name)
        if reason:
            not_served.setdefault(config.class_name, f"{config.where}: {config.id} is not loaded: {reason}")
            continue
        try:
            factory = loader(python_name(config.class_name))
            takes: Sequence[str] | None = getattr(factory, "known_attributes", None)
            attributes, unresolved = resolve(
                config, properties, takes or (), getattr(factory, "file_only_attributes", ())
            )
        except BrokerError as error:
            problems.append(f"{config.where}: plugin {config.id}: {error.message}")
            continue
        warnings.extend(unresolved)
        warnings.extend(unknown_attributes(config, takes))
        known[config.id.lower()] = takes
        planned.append(PlannedPlugin(config, factory, attributes, position, _fail_code(config, warnings)))
    for plugin in planned:
        problems.extend(_unmet(plugin, planned, core))
    for override in unknown_overrides(properties, known):
        if override.setting.source == COMMAND_LINE:  # typed for this very start; files and environments are shared
            problems.append(override.text)
        else:
            warnings.append(f"{override.text}, it is ignored")
    if problems:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, "\n".join(problems))
    for warning in warnings:
        log.warn("{warning}", warning=warning)
    for notice in not_served.values():
        log.info("{notice}", notice=notice)
    return Plan(tuple(planned))


def _wrong_actions(config: PluginConfig) -> Iterator[str]:
    if config.shutdown is not None and config.startup is None:
        yield f"{config.origin}:{config.shutdown.line}: plugin {config.id} is stopped and never started"
    for action in (config.startup, config.shutdown):
        if action is None:
            continue
        where = f"{config.origin}:{action.line}: plugin {config.id}"
        if not HALTED <= action.level <= RUNNING:
            yield f"{where}: run level {action.level} is not one of {HALTED} to {RUNNING}"
        if action.sequence < 0:
            yield f"{where}: sequence {action.sequence} is below 0"


def _fail_code(config: PluginConfig, warnings: list[str]) -> Code | None:
    startup: Action | None = config.startup
    if startup is None or not startup.on_fail:
        return None
    try:
        return Code(startup.on_fail)
    except ValueError:
        code = Code.RESOURCE_CONFIGURATION
        warnings.append(f"{config.origin}:{startup.line}: onFail '{startup.on_fail}' is no error code; {code} is used")
        return code


def _unmet(plugin: PlannedPlugin, planned: list[PlannedPlugin], core: Collection[str]) -> Iterator[str]:
    """What a plugin requires and does not find when it starts, or loses before it stops."""
    if plugin.startup_level is None:
        return
    for need in plugin.requires:
        if need in core:
            continue
        where = f"{plugin.config.where}: plugin {plugin.id} requires {need}"
        providers = [other for other in planned if need in other.provides and other.startup_level is not None]
        earlier = [other for other in providers if other.startup_key < plugin.startup_key]
        if not providers:
            yield f"{where}, which no plugin provides"
        elif not earlier:
            yield f"{where}, but {_name(providers[0])} provides it and is started later"
        elif all(other.shutdown_key <= plugin.shutdown_key for other in earlier):
            yield f"{where}, but {_name(earlier[0])} provides it and is stopped before it"


def _name(plugin: PlannedPlugin) -> str:
    return f"plugin {plugin.id} (line {plugin.config.line})"
