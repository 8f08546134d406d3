"""The options of ``twistd broker`` and the service that they describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from twisted.python import usage

from broker.config.command_line import DEFAULT_DATA, check_filled, read_properties
from broker.config.properties import Properties
from broker.config.runtime import RuntimeFile
from broker.errors import BrokerError
from broker.logs.output import LogOutput, open_log
from broker.logs.settings import LogSettings
from broker.logs.settings import settings_of as log_settings_of
from broker.service_manager import service_manager_of
from broker.signals import serve
from broker.timers import keep_steady

if TYPE_CHECKING:
    from broker.app import Application


class Options(usage.Options):
    """``twistd [twistd options] broker [these options] [-- -KEY VALUE ...]``.

    After parsing, ``data`` and ``plugin_file`` are absolute paths and ``properties`` is read, so that a mistake is
    reported as one of usage, before twistd makes a daemon.

    Attributes:
        application: the broker, once twistd has asked for it.
        log_output: where its log goes; ``None`` where twistd sees to that itself.
        on_started: called when the broker has reached the run level that it was to start with.
    """

    synopsis = "[options] [-- -KEY VALUE ...]"
    longdesc = (
        "Starts the broker on a data directory. Without any option it keeps its data in ./data and listens with the"
        " defaults of the package. Properties may also follow after --, in the form of xmlBlaster:"
        " twistd -n broker -- -persistence/session/maxEntries 200"
    )
    optParameters = [  # noqa: RUF012 (as usage.Options has it)
        ["data", "d", DEFAULT_DATA, "Directory of the database and everything else that must survive."],
        ["config", "c", None, "Property file."],
        ["plugins", "p", None, "Plugin file (XML) instead of the one in the package."],
    ]
    compData = usage.Completions(
        optActions={
            "data": usage.CompleteDirs(),
            "config": usage.CompleteFiles(),
            "plugins": usage.CompleteFiles("*.xml"),
        }
    )

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self.data = Path()
        self.plugin_file: Path | None = None
        self.properties = Properties()
        self.application: Application | None = None
        self.log_output: LogOutput | None = None
        self.on_started: Callable[[], None] = lambda: None
        self._log_settings: LogSettings
        self._assignments: list[str] = []
        self._pairs: tuple[str, ...] = ()

    def opt_set(self, assignment: str) -> None:
        """Set a property, KEY=VALUE; may be repeated."""
        self._assignments.append(assignment)

    opt_s = opt_set

    def parseArgs(self, *pairs: str) -> None:
        """Take the ``-KEY VALUE`` pairs after ``--``."""
        self._pairs = pairs

    def open_log(self) -> LogOutput | None:
        """Open the log that the options of twistd and the properties describe.

        Returns:
            ``None`` for a log that twistd makes itself: syslog, one of ``--logger``, or where there is no twistd.

        Raises:
            SystemExit: the file cannot be opened.
        """
        return open_log(self.parent, self._log_settings)

    def postOptions(self) -> None:
        """Read the properties.

        Raises:
            usage.UsageError: a property or a file is not usable.
        """
        config, plugins = cast("str | None", self["config"]), cast("str | None", self["plugins"])
        try:
            check_filled({"data": self["data"], "config": config, "plugins": plugins})
        except BrokerError as error:
            raise usage.UsageError(error.message) from error
        self.data = Path(self["data"]).absolute()
        self.plugin_file = None if plugins is None else Path(plugins).absolute()
        if self.plugin_file is not None and not self.plugin_file.is_file():
            raise usage.UsageError(f"{plugins}: no such plugin file")
        try:
            self.properties = read_properties(None if config is None else Path(config), self._assignments, self._pairs)
            RuntimeFile(self.data).load(self.properties)
            self._log_settings = log_settings_of(self.properties)
        except BrokerError as error:
            raise usage.UsageError(error.message) from error


def makeService(options: Options) -> Application:
    """Make the broker; twistd calls this once it has chosen the reactor."""
    from twisted.internet import reactor

    from broker.app import Application

    keep_steady(reactor)
    options.log_output = options.open_log()
    application = options.application = Application(
        options.data,
        options.properties,
        options.plugin_file,
        reactor,
        log_output=options.log_output,
        on_started=options.on_started,
        service_manager=service_manager_of(reactor),
    )
    serve(reactor, reload=application.reload, rotate_log=application.rotate_log)
    return application
