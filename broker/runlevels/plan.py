"""The checked plugin file: which plugin starts and stops when (spec xmlblaster §14.1)."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from broker.errors import Code
from broker.runlevels.loading import Factory
from broker.runlevels.pluginfile import PluginConfig


@dataclass(frozen=True, slots=True)
class PlannedPlugin:
    """A plugin that can be made.

    Args:
        config: from the plugin file.
        factory: makes it.
        attributes: what it is made with.
        position: within the file.
        on_fail: code that ends the start of the broker when this plugin fails; ``None``: log and go on.
    """

    config: PluginConfig
    factory: Factory
    attributes: dict[str, str]
    position: int = 0
    on_fail: Code | None = None

    @property
    def id(self) -> str:
        """Its id in the plugin file."""
        return self.config.id

    @property
    def requires(self) -> tuple[str, ...]:
        """What must be provided by a plugin that is started earlier and stopped later."""
        return tuple(getattr(self.factory, "requires", ()))

    @property
    def provides(self) -> tuple[str, ...]:
        """What others may require."""
        return tuple(getattr(self.factory, "provides", ()))

    @property
    def startup_level(self) -> int | None:
        """Run level at which it is started; ``None`` for a plugin without actions, which is never made."""
        return self.config.startup.level if self.config.startup else None

    @property
    def shutdown_level(self) -> int | None:
        """Run level at which it is stopped: by default the one below its startup; ``None`` where it has no actions."""
        if self.config.startup is None:
            return None
        return self.config.shutdown.level if self.config.shutdown else self.config.startup.level - 1

    @property
    def startup_key(self) -> tuple[int, int, int]:
        """Plugins are started in this order: level, sequence, place in the file."""
        startup = self.config.startup
        return (startup.level, startup.sequence, self.position) if startup else (0, 0, self.position)

    @property
    def shutdown_key(self) -> tuple[int, int, int, tuple[int, ...]]:
        """Plugins are stopped in this order: level downwards, sequence, against the order of start.

        Those without a STOP action are stopped first within their level.
        """
        against_start = tuple(-part for part in self.startup_key)
        level = self.shutdown_level or 0
        if self.config.shutdown is None:
            return (-level, 0, 0, against_start)
        return (-level, 1, self.config.shutdown.sequence, against_start)


@dataclass(frozen=True, slots=True)
class Plan:
    """All plugins that can be made."""

    plugins: tuple[PlannedPlugin, ...] = ()

    def starting(self, level: int, running: Container[str], stopped: Container[str]) -> list[PlannedPlugin]:
        """Plugins to start on the way up to ``level``, in order.

        Those are the plugins of this level, and those of a lower level that were stopped above it and would otherwise
        not come back.
        """
        return sorted(
            (
                plugin
                for plugin in self.plugins
                if plugin.id not in running
                and plugin.startup_level is not None
                and (plugin.startup_level == level or (plugin.startup_level < level and plugin.id in stopped))
            ),
            key=lambda plugin: plugin.startup_key,
        )

    def stopping(self, level: int, running: Container[str]) -> list[PlannedPlugin]:
        """Plugins to stop on the way down to ``level``, in order: those whose shutdown level is reached or passed."""
        return sorted(
            (
                plugin
                for plugin in self.plugins
                if plugin.id in running and plugin.shutdown_level is not None and plugin.shutdown_level >= level
            ),
            key=lambda plugin: plugin.shutdown_key,
        )
