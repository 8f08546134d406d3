"""Plugins that tell what happens to them, and short ways to make plans of them."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.errors import BrokerError
from broker.ports import IPlugin
from broker.runlevels.loading import Factory
from broker.runlevels.plan import Plan, PlannedPlugin
from broker.runlevels.pluginfile import Action, PluginConfig

T = TypeVar("T")


class Journal:
    """What happened, in order; and what is to fail or to wait when it happens."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.waits: dict[str, Deferred[None]] = {}

    async def happened(self, event: str) -> None:
        self.events.append(event)
        if event in self.waits:
            await self.waits[event]
        if event in self.errors:
            raise self.errors[event]

    def take(self) -> list[str]:
        events, self.events = self.events, []
        return events


@implementer(IPlugin)
class Recorded:
    """A plugin whose context is a journal."""

    def __init__(self, context: Journal, plugin_id: str, attributes: dict[str, str]) -> None:
        self.journal = context
        self.id = plugin_id
        self.attributes = attributes

    async def start(self) -> None:
        await self.journal.happened(f"start {self.id}")

    async def stop(self) -> None:
        await self.journal.happened(f"stop {self.id}")

    def ports(self) -> Sequence[tuple[str, str, int]]:
        return [(self.id, "127.0.0.1", 7607)]


class Sessions(Recorded):
    provides = ("sessions",)


class Port(Recorded):
    requires = ("sessions",)


class Choosy(Recorded):
    known_attributes = ("port", "maxFrame")


def planned(
    plugin_id: str,
    startup: tuple[int, int] | None,
    shutdown: tuple[int, int] | None = None,
    factory: Factory = Recorded,
    **others: Any,
) -> PlannedPlugin:
    config = PluginConfig(
        plugin_id,
        "any.Class",
        startup=Action(*startup) if startup else None,
        shutdown=Action(*shutdown) if shutdown else None,
        origin="p.xml",
        line=1,
    )
    return PlannedPlugin(config, factory, {}, **others)


def plan(*plugins: PlannedPlugin) -> Plan:
    return Plan(plugins)


def run(work: Awaitable[T]) -> Deferred[T]:
    """Start something that may have to wait."""
    assert isinstance(work, Coroutine)
    return Deferred.fromCoroutine(work)


def result(work: Awaitable[T] | Deferred[T]) -> T:
    """The result of something that must not have to wait."""
    results: list[Any] = []
    (work if isinstance(work, Deferred) else run(work)).addBoth(results.append)
    assert results, "it has no result yet"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    value: T = results[0]
    return value


def error_of(work: Deferred[Any]) -> BrokerError:
    """The error that something ended with."""
    try:
        result(work)
    except BrokerError as error:
        return error
    raise AssertionError("it did not fail")
