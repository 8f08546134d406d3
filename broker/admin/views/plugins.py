"""Plugins of the plugin file, and whether they run."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from broker.admin.audit import shown
from broker.runlevels.service import RunLevels


class PluginState(StrEnum):
    """Whether a plugin runs."""

    RUNNING = "running"
    STOPPED = "stopped"


class PortRow(msgspec.Struct, frozen=True):
    """A listening port.

    Args:
        name: of it.
        host: address.
        port: number.
    """

    name: str
    host: str
    port: int


class PluginRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A plugin.

    Args:
        id: in the plugin file.
        class_name: there, too.
        state: whether it runs.
        attributes: that it is made with; those that sound like secrets are hidden.
        start_level: run level at which it is started; absent where it never is.
        stop_level: run level at which it is stopped; likewise.
        on_fail: code with which the start of the broker ends where it fails; absent where the broker goes on.
        ports: that it listens on.
    """

    id: str
    class_name: str
    state: PluginState
    attributes: dict[str, str]
    start_level: int | None = None
    stop_level: int | None = None
    on_fail: str | None = None
    ports: list[PortRow] = []


class PluginList(msgspec.Struct, frozen=True):
    """Plugins.

    Args:
        items: a row for each.
    """

    items: list[PluginRow]


def plugin_rows(run_levels: RunLevels) -> list[PluginRow]:
    """What is told of all plugins, in the order of their start."""
    rows = []
    for planned in sorted(run_levels.plugins, key=lambda each: each.startup_key):
        running = run_levels.plugin(planned.id)
        rows.append(
            PluginRow(
                planned.id,
                planned.config.class_name,
                PluginState.STOPPED if running is None else PluginState.RUNNING,
                {name: shown(name, text) for name, text in planned.attributes.items()},
                planned.startup_level,
                planned.shutdown_level,
                None if planned.on_fail is None else str(planned.on_fail),
                [] if running is None else [PortRow(*each) for each in running.ports()],
            )
        )
    return rows
