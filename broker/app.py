"""The composition root: configuration, store, core, plugins and run levels become one service."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import ILogObserver, Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from broker import __version__
from broker.admin.access import Access
from broker.admin.commands import AdministrativeCommands
from broker.admin.daily_backup import DailyBackup
from broker.admin.options import administrators
from broker.admin.pending_properties import PendingProperties
from broker.admin.property_book import PropertyBook
from broker.auth.wiring import Security, make_security
from broker.config import declared
from broker.config.core_options import ACCOUNT_XML_NAMES, NODE_ID, RUN_LEVEL, STANDBY, TLS_WATCH, XML_NAMES, Standby
from broker.config.properties import Properties
from broker.config.runtime import RuntimeFile
from broker.core.asker import Asker
from broker.core.audit_trail import Change, Outcome
from broker.core.broker import Broker
from broker.core.configuration import settings_of
from broker.core.events import Events
from broker.core.node import Node
from broker.errors import BrokerError, Code
from broker.file_limit import raise_file_limit, warn_of_file_limit
from broker.filters.queries import XPathQueries
from broker.logs.audit import audit
from broker.logs.last import LastLines
from broker.logs.levels import EVERYTHING
from broker.logs.output import LogOutput
from broker.logs.recent import RecentLines
from broker.logs.settings import LEVEL
from broker.logs.timed_levels import TimedLevels
from broker.native.codec.records import RecordCodec
from broker.native.login import NativeLogin
from broker.native.sessions import NativeSessions
from broker.net.listener import Listener
from broker.net.relay import Relay
from broker.net.relay_settings import relay_settings_of
from broker.net.tls import ServerContext
from broker.net.tls_watch import TlsWatch
from broker.net.turns import Turns
from broker.plugins.ports import listeners_reading
from broker.ready import announce, ready_line, start_failed
from broker.runlevels.check import check
from broker.runlevels.levels import RUNNING, SELECTABLE
from broker.runlevels.pluginfile import read
from broker.runlevels.service import Direction, RunLevels
from broker.service_manager import ServiceManager
from broker.store.backup_settings import BEFORE_UPGRADE, backup_settings_of
from broker.store.location import MEMORY_URL, database_url
from broker.store.memory import MemoryStore
from broker.store.sql.backup import check_schedule, take_backup
from broker.store.sql.store import SqlStore
from broker.store.sql.worker import WriterThread
from broker.xml.names import NAMES, NameLimits
from broker.xmpp.managers.settings import settings_of as manager_settings_of
from broker.xmpp.routing.content import serve as serve_raw_contents
from broker.xmpp.service import XmppService
from broker.xmpp.session.sessions import StreamSessions
from broker.xmpp.settings import TlsPolicy
from broker.xmpp.settings import settings_of as xmpp_settings_of
from broker.xmpp.shared import SharedService

log = Logger()

STORE_LEVEL = 1
RECOVER_LEVEL = 2
"""A broker that may stand by opens its store at this level, so that it can be asked meanwhile how it is."""
RUN_LEVEL_DELAY = 0.1
"""Seconds between the order to change the run level and the change, so that the answer still arrives."""
ADMIT_LEVEL = 7
"""Clients are served from this level on (spec xmlblaster §2)."""
GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""Queues hold many objects that are no garbage, and Python looks through them for cycles after every 700 new ones."""
CORE = ("storage", "topics")
"""What plugins may require that the core provides itself, before any plugin starts."""


class Application(Service):
    """The broker as a service of twistd.

    Args:
        data: directory of the database and everything else that must survive; made where it is missing.
        properties: the configuration.
        plugin_file: plugin file, or ``None`` for the one of the package.
        reactor: the reactor.
        log_output: where the log goes; ``None`` where twistd sees to that.
        on_started: called when the run level is reached that it was to start with.
        service_manager: is told how the broker is; ``None`` where there is none.

    Attributes:
        failure: why the broker could not start.
        broker: the core, from run level 2 on.
        access: who may administer.
        native_login: logs native clients in, from run level 2 on.
        streams: the sessions of XMPP clients, from run level 2 on.
        xmpp: the XMPP service, which all its listeners share.
        run_levels: starts and stops everything.
        store: from run level 2 on at the latest, and while it is opened; ``None`` before.
        taken_over: another broker has the database, so that this one has to end at once.
        serving: all ports for clients are open.
        property_book: the properties, and changes of them.
        log_levels: levels of the log, and changes of them; ``None`` where the log is not the broker's own.
        chosen_ports: number of each listener's port, by its name, once it was open.
        turns: that connections of all listeners take.
        events: are told of what happens.
        last_lines: the last error and the last warning of the log.
        recent_lines: the last lines of the log.
    """

    def __init__(
        self,
        data: Path,
        properties: Properties,
        plugin_file: Path | None,
        reactor: Any,
        *,
        log_output: LogOutput | None = None,
        on_started: Callable[[], None] = lambda: None,
        service_manager: ServiceManager | None = None,
    ) -> None:
        self.data = data
        self.properties = properties
        self.reactor = reactor
        self.wall_clock: Callable[[], float] = time.time
        self.failure: BrokerError | None = None
        self.broker: Broker
        self.native_login: NativeLogin
        self.streams: StreamSessions
        self.xmpp = SharedService(self._make_xmpp)
        self.run_levels: RunLevels
        self.chosen_ports: dict[str, int] = {}
        self.turns = Turns(reactor)
        self.events = Events()
        self.access = Access(properties, time.monotonic)
        self.store: Any = None
        self.serving = False
        self.taken_over = False
        self._log_output = log_output
        self.log_levels = None if log_output is None else TimedLevels(log_output.levels, reactor)
        self._log_level = LEVEL.default
        self.property_book = PropertyBook(properties, RuntimeFile(data))
        self.property_book.on_change.append(self._properties_changed)
        self.property_book.checks += [settings_of, xmpp_settings_of, manager_settings_of]
        self.property_book.listeners_of = lambda name: listeners_reading(self._listeners(), name)
        self._opened: list[Any] = []
        self.last_lines = LastLines()
        self.recent_lines = RecentLines()
        self._tls_watch = TlsWatch(reactor, self._tls_contexts, self._reload_plugin)
        self._on_started = on_started
        self._service_manager = service_manager or ServiceManager(reactor)
        self._plugin_file = plugin_file
        self._daily_backup: DailyBackup | None = None
        self._security: Security | None = None
        self._starting: Deferred[None] | None = None

    def setServiceParent(self, parent: Any) -> None:
        """Join twistd's application, and be asked for its log."""
        if self._log_output is not None:
            parent.setComponent(ILogObserver, self._log_output.observer)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Go to the configured run level once the reactor runs."""
        super().startService()  # type: ignore[no-untyped-call]
        globalLogPublisher.addObserver(self.last_lines)
        globalLogPublisher.addObserver(self.recent_lines)
        self.reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        """Go to run level 0: everything is committed, connections and ports are closed.

        Fires when that is done.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        self._service_manager.stopping()
        self._tls_watch.stop()
        if self.failure is None:
            audit("stop", {"via": "signal"})
        globalLogPublisher.removeObserver(self.last_lines)
        globalLogPublisher.removeObserver(self.recent_lines)
        return ensureDeferred(self._end())

    @property
    def security(self) -> Security:
        """What logins and requests are checked with, from run level 2 on."""
        assert self._security is not None
        return self._security

    def listeners(self) -> list[tuple[str, Listener]]:
        """The listeners for clients, by their names."""
        return [each for plugin in self._listeners() if hasattr(plugin, "listeners") for each in plugin.listeners()]

    def plugin_of(self, listener: str) -> str:
        """The id of the plugin that a listener belongs to; empty where there is none."""
        found = self._plugin_with(listener)
        return "" if found is None else found[0]

    def reload_listener(self, name: str) -> None:
        """Read the certificates of a listener's plugin again; connections stay.

        Raises:
            BrokerError: ``user.oid.unknown`` where there is no such listener; ``resource.configuration.sslSocket``
                where a file cannot be used: what was read before stays in use.
        """
        found = self._plugin_with(name)
        if found is None or not hasattr(found[1], "reload"):
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no listener {name[:200]} that could be reloaded")
        try:
            found[1].reload()
        except BrokerError as error:
            self.events.tell("tls/event/reloadFailed", reason=error.message)
            raise
        self.events.tell("tls/event/reloaded", listeners=name)

    def _plugin_with(self, listener: str) -> tuple[str, Any] | None:
        if not hasattr(self, "run_levels"):
            return None
        for id in self.run_levels.running:
            plugin = self.run_levels.plugin(id)
            if hasattr(plugin, "listeners") and any(name == listener for name, _ in plugin.listeners()):
                return id, plugin
        return None

    def shut_down(self) -> None:
        """End the process in good order, as by a signal."""
        self.reactor.stop()

    def reload(self) -> None:
        """Open the log file anew, and read certificates and the htpasswd file again; nothing is interrupted.

        What cannot be read stays as it is, and the log says so.
        """
        reloading = ensureDeferred(self._reload())
        reloading.addErrback(lambda failure: log.failure("reloading failed", failure))

    async def _reload(self) -> None:
        self._service_manager.reloading()
        try:
            await self._read_again()
        finally:
            self._service_manager.reloaded()

    async def _read_again(self) -> None:
        if self._log_output is not None:
            self._log_output.reopen()
        outcomes = [await self._security.reload()] if self._security is not None else []
        outcomes += [self._reload_plugin(plugin) for plugin in self._plugins() if hasattr(plugin, "reload")]
        outcome = Outcome.DONE if all(outcomes) else Outcome.FAILED
        if hasattr(self, "broker"):
            self.broker.node.trail.note(Change(Asker("", via="signal"), "reload"), outcome)
        else:
            audit("reload", {"via": "signal", "outcome": str(outcome)})

    def _reload_plugin(self, plugin: Any) -> bool:
        try:
            plugin.reload()
        except BrokerError as error:
            log.error("{error}; what was read before stays in use", error=error.message)
            self.events.tell("tls/event/reloadFailed", reason=error.message)
            return False
        if getattr(plugin, "listeners", None) is not None:
            self.events.tell("tls/event/reloaded", listeners=", ".join(name for name, _ in plugin.listeners()))
        return True

    def _tls_contexts(self) -> Iterator[tuple[Any, ServerContext]]:
        """What listeners show, each with its plugin."""
        for plugin in self._plugins():
            if hasattr(plugin, "reload"):
                contexts = [each.settings.tls for _, each in plugin.listeners()] if hasattr(plugin, "listeners") else []
                for context in (*contexts, getattr(plugin, "tls", None)):
                    if context is not None:
                        yield plugin, context

    def rotate_log(self) -> None:
        """Begin a new log file and keep the old one."""
        if self._log_output is not None:
            self._log_output.rotate()

    async def change_run_level(self, level: int) -> None:
        """Go to another run level; ports are open at level 9 only.

        Args:
            level: 0, 3, 6 or 9.

        Raises:
            BrokerError: see :meth:`broker.runlevels.service.RunLevels.change`, or a port cannot be opened.
        """
        if level < RUNNING:
            await self._close_ports()
        await self.run_levels.change(level)
        if level == RUNNING:
            await self._open_ports()
            announce(ready_line(self.run_levels.level, self.run_levels.name, self.run_levels.ports()))

    def request_run_levels(self, levels: Sequence[int]) -> None:
        """Go to other run levels soon, for those who cannot wait for it because it ends their connection.

        Args:
            levels: 0, 3, 6 or 9, one after the other; ``[3, 9]`` goes down and up again.

        Raises:
            BrokerError: ``resource.configuration`` for any other level.
        """
        for level in levels:
            if level not in SELECTABLE:
                raise BrokerError(Code.RESOURCE_CONFIGURATION, f"run level {level} cannot be chosen")
        self.reactor.callLater(RUN_LEVEL_DELAY, self._change_run_levels, levels)

    def _change_run_levels(self, levels: Sequence[int]) -> None:
        change = ensureDeferred(self._go_through(levels))
        change.addErrback(lambda failure: log.failure("the run level does not change", failure))

    async def _go_through(self, levels: Sequence[int]) -> None:
        for level in levels:
            await self.change_run_level(level)

    def _begin(self) -> None:
        if self.running:
            self._service_manager.starting()
            self._starting = ensureDeferred(self._start())
            self._starting.addErrback(self._failed)

    async def _start(self) -> None:
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        registry = declared.load()
        registry.validate(self.properties)
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        plan = check(read(self._plugin_file), self.properties, CORE)
        registry.report(self.properties)
        self._log_level = LEVEL.get(self.properties)
        for each in self.properties.assigned():
            log.info("{name} is as it was set at {source}, whatever else says", name=each.name, source=each.source)
        self.run_levels = RunLevels(plan, self, [self._step])
        log.info(
            "broker {version}, node {node}, data in {data}", version=__version__, node=self._node_id, data=self.data
        )
        file_limit = raise_file_limit()
        await self.change_run_level(RUN_LEVEL.get(self.properties))
        warn_of_file_limit(file_limit, sum(each.admission.max_connections for _, each in self.listeners()))
        self._tls_watch.start(TLS_WATCH.get(self.properties))
        self._service_manager.ready()
        self._on_started()

    async def _end(self) -> None:
        if self.taken_over:
            return  # nobody is to be told that anything is in order, and nothing can be committed
        if self.store is not None:
            self.store.stop_waiting()
        if hasattr(self, "run_levels"):
            await self.change_run_level(0)

    def _taken_over(self, failure: BrokerError) -> None:
        log.critical("{reason}", reason=failure.message)
        self.taken_over = True
        self.failure = failure
        self._service_manager.status(failure.message)
        if self.reactor.running:
            self.reactor.stop()

    def _failed(self, failure: Failure) -> None:
        if not self.running:  # told to stop while it was starting, which fails whatever was under way
            log.failure("the start was ended", failure, LogLevel.debug)
            return
        self.failure = start_failed("broker", failure, log)
        self._service_manager.status(f"cannot start: {self.failure.message}")
        if self.reactor.running:
            self.reactor.stop()

    @property
    def _node_id(self) -> str:
        return NODE_ID.get(self.properties)

    async def _step(self, level: int, name: str, direction: Direction) -> None:
        self._service_manager.status(f"run level {level} ({name})")
        way = "startup" if direction is Direction.UP else "shutdown"
        self.events.tell(f"service/RunlevelManager/event/{way}Runlevel{level}", name=name)
        if direction is Direction.UP:
            may_stand_by = STANDBY.get(self.properties) is Standby.WAIT
            if level == (RECOVER_LEVEL if may_stand_by else STORE_LEVEL):
                await self._open_store(may_stand_by)
            if level == RECOVER_LEVEL:
                await self._make_broker()
            elif level == ADMIT_LEVEL:
                await self.broker.account_changes.apply()
                self.broker.start()
        elif level == ADMIT_LEVEL - 1:
            self.broker.stop()
        elif level == 0 and self.store is not None:
            if self._daily_backup is not None:
                self._daily_backup.stop()
            store, self.store = self.store, None
            await store.close()

    async def _open_store(self, may_stand_by: bool) -> None:
        url = database_url(self.properties, self.data)
        relay = Relay(self.reactor, relay_settings_of(self.properties))
        if url == MEMORY_URL:
            self.store = MemoryStore(self.reactor)
        else:
            copies = BEFORE_UPGRADE.get(self.properties)
            on_standby = relay.start if may_stand_by else None
            self.store = SqlStore(url, self.reactor, copy_before_upgrade=copies, on_standby=on_standby)
            self.store.on_taken_over = self._taken_over
        try:
            await self.store.open()
        finally:
            await relay.stop()
        self._daily_backup = self._make_daily_backup(url)
        self._daily_backup.start()

    def _make_daily_backup(self, url: str) -> DailyBackup:
        settings = backup_settings_of(self.properties, self.data)
        check_schedule(url, settings)
        worker = WriterThread(self.reactor, "backup")
        return DailyBackup(self.reactor, settings, lambda: take_backup(url, settings), worker, time.time, self.events)

    async def _make_broker(self) -> None:
        self._security = await make_security(self.properties, self.store, self.reactor, self.reactor.getThreadPool())
        settings = replace(settings_of(self.properties), administrators=administrators(self.properties))
        NAMES.limits = NameLimits(XML_NAMES.get(self.properties), ACCOUNT_XML_NAMES.get(self.properties))
        node = Node(
            self._node_id,
            self.reactor,
            self.store,
            settings,
            RecordCodec(),
            XPathQueries(),
            monotonic=time.monotonic,
            wall=time.time,
            turns=self.turns,
            events=self.events,
        )
        self.broker = Broker(node, self._security.services.authenticate, self._security.authorizer)
        if self._security.htpasswd is not None:
            self._security.htpasswd.on_change = self.broker.rights_changed
            self.broker.account_changes.looks.append(self._security.htpasswd.refresh)
        if self._security.services.offers_scram:  # the accounts are those of the store
            await self.broker.account_changes.read_roles()
        self._security.services.on_throttled.append(
            lambda user, host: self.events.tell("login/event/throttled", user=user, peer=host)
        )
        self.access.attach(self.broker)
        await self.access.load()
        await PendingProperties(self.broker.documents, self.property_book).settle()
        self.native_login = NativeLogin(self.broker, NativeSessions(self.broker.registry))
        self.streams = StreamSessions(self.broker.registry)
        serve_raw_contents(self.broker.node)
        self.broker.commands = AdministrativeCommands(
            self.broker,
            self.run_levels,
            self.request_run_levels,
            self.property_book,
            __version__,
            self.last_lines,
            self.log_levels,
        )
        await self.broker.recovery.topics()

    def _properties_changed(self) -> None:
        """Have properties in force that were changed while the broker runs."""
        core = getattr(self, "broker", None)
        if core is not None:
            settings = settings_of(self.properties)
            core.node.change_settings(replace(settings, administrators=core.node.settings.administrators))
        self._tls_watch.start(TLS_WATCH.get(self.properties))
        level = LEVEL.get(self.properties)
        if self.log_levels is not None and level is not self._log_level:
            self.log_levels.configure(EVERYTHING, level)
        self._log_level = level

    def _make_xmpp(self) -> XmppService:
        settings = xmpp_settings_of(self.properties)
        tls = settings.tls is not TlsPolicy.OFF
        return XmppService(self.broker, self.streams, settings, self.security.services, tls_available=tls)

    async def _open_ports(self) -> None:
        for plugin in self._listeners():
            try:
                await plugin.listen()
            except BrokerError:
                await self._close_ports()
                raise
        self.serving = True
        plugins = self._listeners()
        if not any(each in self._opened for each in plugins):  # they have read the properties when they were made
            self.property_book.listeners_made()
        self._opened = plugins

    async def _close_ports(self) -> None:
        self.serving = False
        for plugin in self._listeners():
            await plugin.unlisten()

    def _listeners(self) -> list[Any]:
        return [plugin for plugin in self._plugins() if hasattr(plugin, "listen")]

    def _plugins(self) -> list[Any]:
        if not hasattr(self, "run_levels"):
            return []
        return [self.run_levels.plugin(each) for each in self.run_levels.running]
