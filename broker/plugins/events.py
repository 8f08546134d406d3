"""The plugin that publishes events, logs them, or runs commands (spec xmlblaster §16.7, ``admin.events``)."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.logger import Logger
from zope.interface import implementer

from broker.admin.sinks import command, log_lines, topic
from broker.admin.sinks.command import CommandSink
from broker.admin.sinks.destination import read_destination
from broker.admin.sinks.event_sinks import EventSinks
from broker.admin.sinks.event_types import read_event_types
from broker.admin.sinks.log_lines import LogSink
from broker.admin.sinks.outlet import Sink
from broker.admin.sinks.status_document import status_document
from broker.admin.sinks.topic import TopicSink
from broker.admin.sinks.variables import Variables
from broker.config.kinds import BOOLEAN, TEXT, integer, listed
from broker.errors import BrokerError
from broker.plugins.ports import Attributes
from broker.ports import IPlugin

log = Logger()

T = TypeVar("T")

PUBLISH = "destination.publish"
LOG = "destination.log"
SSE = "destination.sse"
EXEC = "destination.exec"
ALLOWED = "exec.allowed"
NOT_SERVED = ("destination.smtp", "destination.jmx")
SUPPRESS_DELAY = "logInfinitLoopSuppressDelayMillis"


@implementer(IPlugin)
class EventPlugin:
    """Gives events to sinks; it may stand in the plugin file several times.

    Attributes in the plugin file (or, but for the last two, ``plugin/<id>/<name>`` as a property):

    - ``eventTypes``: comma list of types; ``*`` stands for any text.
    - ``destination.publish``: ``"publish.key=…","publish.qos=…","publish.content=…","publish.addClientProperties=…"``;
      the topic is ``__sys__Event`` where no key is given.
    - ``destination.log``: ``"log.level=info","log.content=$_{eventType}: $_{summary}"``.
    - ``destination.sse`` (true): what this plugin alone causes, heartbeats and marks of queues, is among the events
      that administration shows, too.
    - ``logInfinitLoopSuppressDelayMillis`` (1000): for so long after a sink has worked, events that speak of it are
      its own doing and left out.
    - ``destination.exec``: ``"exec.command=…","exec.envp=A:1;B:2","exec.dir=…","exec.waitFor=false"``,
      ``"exec.logSevereText=…","exec.activationDelayAfterStartupSec=0"``.
    - ``exec.allowed``: comma list of the programs, with their whole paths, that ``destination.exec`` may run.

    Args:
        context: the application.
        plugin_id: as in the plugin file.
        attributes: texts of the plugin file.
    """

    requires = ("topics",)
    provides = ()
    known_attributes = ("eventTypes", PUBLISH, LOG, SSE, *NOT_SERVED, SUPPRESS_DELAY, EXEC, ALLOWED)
    file_only_attributes = (EXEC, ALLOWED)

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._id = plugin_id
        self._texts = attributes
        self._attributes = Attributes(plugin_id, attributes, self.known_attributes)
        self._sinks: EventSinks | None = None

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            BrokerError: ``resource.configuration`` for an attribute that cannot be used.
        """
        broker = self._context.broker
        types = self._read("eventTypes", read_event_types)
        for each in types.ignored:
            log.warn("plugin {id}: there are no events {type} here", id=self._id, type=each)
        for name in NOT_SERVED:
            if name in self._texts:
                log.warn("plugin {id}: {name} is not supported", id=self._id, name=name)
        run_levels, lines = self._context.run_levels, self._context.last_lines
        variables = Variables(broker, lambda: status_document(broker, run_levels, lines))
        published = self._topic(variables)
        sinks: list[Sink] = [*published, *self._log(variables), *self._command(variables)]
        delay = self._attributes.get(SUPPRESS_DELAY, integer(0), 1000) / 1000
        shown = self._attributes.get(SSE, BOOLEAN, True)
        oids = [each.oid for each in published]
        self._sinks = EventSinks(
            self._id, broker.node, self._context.reactor, types, sinks, oids, delay=delay, shown=shown
        )
        self._sinks.start()

    async def stop(self) -> None:
        """Listen no more."""
        sinks, self._sinks = self._sinks, None
        if sinks is not None:
            sinks.stop()

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """None."""
        return ()

    def _read(self, name: str, read: Callable[[str], T]) -> T:
        try:
            return read(self._attributes.get(name, TEXT, ""))
        except (ValueError, BrokerError) as error:
            raise self._attributes.error(f"{name}: {error}") from error

    def _topic(self, variables: Variables) -> list[TopicSink]:
        def read(text: str) -> TopicSink:
            given = read_destination(text, "publish", topic.SETTINGS)
            names = listed(given.pop("addClientProperties", ""))
            return TopicSink(self._context.broker, variables, forwarded=names, **given)

        return [self._read(PUBLISH, read)] if PUBLISH in self._texts else []

    def _log(self, variables: Variables) -> list[LogSink]:
        def read(text: str) -> LogSink:
            return LogSink(variables, **read_destination(text, "log", log_lines.SETTINGS))

        return [self._read(LOG, read)] if LOG in self._texts else []

    def _command(self, variables: Variables) -> list[CommandSink]:
        def read(text: str) -> CommandSink:
            given = read_destination(text, "exec", command.SETTINGS)
            words = shlex.split(given.get("command", ""))
            allowed = {each.strip() for each in self._attributes.get(ALLOWED, TEXT, "").split(",")}
            if not words or not os.path.isabs(words[0]) or words[0] not in allowed:
                raise ValueError(f"{ALLOWED} has the whole path of each program that may be run, and none of this one")
            environment = dict(each.split(":", 1) for each in given.get("envp", "").split(";") if ":" in each)
            return CommandSink(
                self._context.reactor,
                variables,
                words,
                environment,
                directory=given.get("dir", ""),
                wait=BOOLEAN.parse(given.get("waitFor", "false")),
                severe=given.get("logSevereText", ""),
                delay=integer(0).parse(given.get("activationDelayAfterStartupSec", "0")),
            )

        return [self._read(EXEC, read)] if EXEC in self._texts else []
