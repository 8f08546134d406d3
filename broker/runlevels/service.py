"""Walks the run levels: starts and stops plugins step by step (spec xmlblaster §14.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from broker.errors import BrokerError, Code
from broker.ports import IPlugin
from broker.runlevels.levels import HALTED_PRE, SELECTABLE, describe, name_of, path
from broker.runlevels.plan import Plan, PlannedPlugin

log = Logger()


class Direction(StrEnum):
    """Which way a step goes."""

    UP = "up"
    DOWN = "down"


Listener = Callable[[int, str, Direction], Awaitable[None]]
"""Called with number and name of the level at each step, before the step's plugins."""


class RunLevels:
    """The run level of a broker, and its running plugins.

    On the way up a level counts as reached when everything of it is started; on the way down it is left before anything
    of it is stopped. So ``level`` never promises more than what runs.

    A plugin or listener must not wait for :meth:`change`, which waits for it.

    Args:
        plan: from :func:`broker.runlevels.check.check`.
        context: handed to every plugin that is made.
        listeners: in the order in which they are called.

    Attributes:
        level: that is reached.
        target: level that it is on the way to; ``None`` where it is on no way.
    """

    def __init__(self, plan: Plan, context: Any, listeners: Iterable[Listener] = ()) -> None:
        self.level = HALTED_PRE
        self.target: int | None = None
        self._plan = plan
        self._context = context
        self._listeners = list(listeners)
        self._running: dict[str, Any] = {}  # by id, in the order of start
        self._stopped: set[str] = set()
        self._changing = DeferredLock()
        self._waiting: list[int] = []

    @property
    def name(self) -> str:
        """Name of the level, e.g. ``RUNNING``."""
        return name_of(self.level)

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the plugins that run, in the order in which they were started."""
        return tuple(self._running)

    @property
    def plugins(self) -> tuple[PlannedPlugin, ...]:
        """All plugins that can be made."""
        return self._plan.plugins

    def plugin(self, plugin_id: str) -> Any:
        """A running plugin, or ``None``."""
        return self._running.get(plugin_id)

    def ports(self) -> list[tuple[str, str, int]]:
        """The listening ports of all running plugins as ``(name, host, port)``; first those that clients come by."""
        plugins = sorted(self._running.values(), key=lambda plugin: not hasattr(plugin, "listen"))
        return [port for plugin in plugins for port in plugin.ports()]

    def add_listener(self, listener: Listener) -> None:
        """Call this, too, at each step from now on.

        On the way up an error of a listener ends the change; on the way down it is logged.
        """
        self._listeners.append(listener)

    async def change(self, to_level: int) -> None:
        """Go to a run level step by step.

        A change that is asked for during another one waits for it; one that goes lower ends a change upwards at its
        next step.

        Args:
            to_level: 0, 3, 6 or 9.

        Raises:
            BrokerError: ``resource.configuration`` for any other level; ``resource.unavailable`` where a lower level
                was asked for meanwhile; the plugin's ``onFail`` code where one failed that has such a code, after
                everything that this change started was stopped again.
        """
        if to_level not in SELECTABLE:
            levels = ", ".join(map(str, SELECTABLE))
            raise BrokerError(Code.RESOURCE_CONFIGURATION, f"run level {to_level} cannot be chosen, but {levels}")
        self._waiting.append(to_level)
        try:
            await self._changing.acquire()
        finally:
            self._waiting.remove(to_level)
        self.target = to_level
        try:
            if to_level > self.level:
                await self._go_up(to_level)
            else:
                await self._go_down(to_level)
        finally:
            self.target = None
            self._changing.release()

    async def _go_up(self, to_level: int) -> None:
        origin = self.level
        begun: list[tuple[int, PlannedPlugin]] = []
        for level in path(origin, to_level):
            if min(self._waiting, default=level) < level:
                raise BrokerError(
                    Code.RESOURCE_UNAVAILABLE,
                    f"the change to run level {describe(to_level)} ended at {describe(self.level)},"
                    f" because {describe(min(self._waiting))} was asked for",
                )
            try:
                await self._step_up(level, begun)
            except BrokerError as error:
                log.error(
                    "the change to run level {target} fails at {step}: {error}",
                    target=describe(to_level),
                    step=describe(level),
                    error=str(error),
                )
                await self._take_back(level, origin, begun)
                raise

    async def _step_up(self, level: int, begun: list[tuple[int, PlannedPlugin]]) -> None:
        for listener in self._listeners:
            try:
                await listener(level, name_of(level), Direction.UP)
            except BrokerError:
                raise
            except Exception as error:
                log.failure("a listener fails at run level {step}", step=describe(level))
                raise BrokerError(Code.INTERNAL_UNKNOWN, f"run level {describe(level)}: {error!r}") from error
        started = []
        for planned in self._plan.starting(level, self._running, self._stopped):
            try:
                await self._make(planned)
            except BrokerError as error:
                if planned.on_fail is not None:
                    raise BrokerError(planned.on_fail, error.message) from error
                log.error("{error}; going on without it", error=error.message)
                continue
            begun.append((level, planned))
            started.append(planned.id)
        self.level = level
        log.info("run level {step}{started}", step=describe(level), started=_listed("started", started))

    async def _take_back(self, level: int, origin: int, begun: list[tuple[int, PlannedPlugin]]) -> None:
        """Undo a change that failed on the way to ``level``: the same steps backwards, in the exact reverse order."""
        for lower in path(level, origin):
            self.level = lower
            await self._tell_down(lower)
            while begun and begun[-1][0] > lower:
                await self._stop(begun.pop()[1].id)

    async def _go_down(self, to_level: int) -> None:
        for level in path(self.level, to_level):
            self.level = level
            await self._tell_down(level)
            stopped = []
            for planned in self._plan.stopping(level, self._running):
                await self._stop(planned.id)
                stopped.append(planned.id)
            log.info("run level {step}{stopped}", step=describe(level), stopped=_listed("stopped", stopped))

    async def _tell_down(self, level: int) -> None:
        for listener in self._listeners:
            try:
                await listener(level, name_of(level), Direction.DOWN)
            except Exception:  # noqa: BLE001 - the way down must reach its end whatever fails on it
                log.failure("a listener fails at run level {step}", step=describe(level))

    async def _make(self, planned: PlannedPlugin) -> None:
        """Make and start a plugin; a new one each time, so that nothing is left of an earlier life."""
        where = f"{planned.config.where}: plugin {planned.id}"
        try:
            plugin = planned.factory(self._context, planned.id, dict(planned.attributes))
            verifyObject(IPlugin, plugin)
            await plugin.start()
        except BrokerError as error:
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, f"{where} cannot be started: {error}"
            ) from error
        except Invalid as error:
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, f"{where} is no plugin: {' '.join(str(error).split())}"
            ) from error
        except Exception as error:
            log.failure("{where} cannot be started", where=where)
            raise BrokerError(
                Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, f"{where} cannot be started: {error!r}"
            ) from error
        self._running[planned.id] = plugin
        self._stopped.discard(planned.id)

    async def _stop(self, plugin_id: str) -> None:
        plugin = self._running.pop(plugin_id)
        self._stopped.add(plugin_id)
        try:
            await plugin.stop()
        except Exception:  # noqa: BLE001 - the others must be stopped all the same
            log.failure("plugin {id} fails to stop", id=plugin_id)


def _listed(verb: str, ids: list[str]) -> str:
    return f": {verb} {', '.join(ids)}" if ids else ""
