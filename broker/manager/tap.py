"""The options of ``twistd broker-manager`` and the service that they describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from twisted.python import usage

from broker.config.command_line import DEFAULT_DATA, check_filled, read_properties
from broker.config.properties import Properties
from broker.errors import BrokerError
from broker.logs.output import LogOutput, open_log
from broker.logs.settings import LogSettings
from broker.logs.settings import settings_of as log_settings_of
from broker.manager.settings import NAME, SECRET_FILE, SERVERS, settings_of
from broker.signals import serve
from broker.timers import keep_steady

if TYPE_CHECKING:
    from broker.manager.service import Manager


class Options(usage.Options):
    """``twistd [twistd options] broker-manager [these options] [-- -KEY VALUE ...]``.

    Attributes:
        data: directory of a certificate that is made where none is given; an absolute path.
        properties: the configuration, read, so that a mistake is reported as one of usage.
        service: the manager, once twistd has asked for it.
        log_output: where its log goes; ``None`` where twistd sees to that itself.
        on_started: called when the manager's ports are open.
    """

    synopsis = "[options] [-- -KEY VALUE ...]"
    longdesc = (
        "Starts a connection manager, which holds the connections of XMPP clients and carries their streams to the"
        " broker, or to another server that speaks jabber:connectionmanager."
    )
    optParameters = [  # noqa: RUF012 (as usage.Options has it)
        ["data", "d", DEFAULT_DATA, "Directory of the certificate that is made where none is given."],
        ["config", "c", None, "Property file."],
        ["name", None, None, "Name of the manager (xmpp.manager.name)."],
        ["secret-file", None, None, "File with the secret that the server has for it (xmpp.manager.secretFile)."],
    ]
    compData = usage.Completions(
        optActions={
            "data": usage.CompleteDirs(),
            "config": usage.CompleteFiles(),
            "secret-file": usage.CompleteFiles(),
        }
    )

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self.data = Path()
        self.properties = Properties()
        self.service: Manager | None = None
        self.log_output: LogOutput | None = None
        self.on_started: Callable[[], None] = lambda: None
        self._log_settings: LogSettings
        self._assignments: list[str] = []
        self._servers: list[str] = []
        self._pairs: tuple[str, ...] = ()

    def opt_set(self, assignment: str) -> None:
        """Set a property, KEY=VALUE; may be repeated."""
        self._assignments.append(assignment)

    opt_s = opt_set

    def opt_server(self, address: str) -> None:
        """HOST:PORT of the server, or tls://HOST:PORT (xmpp.manager.servers); may be repeated."""
        self._servers.append(address)

    def parseArgs(self, *pairs: str) -> None:
        """Take the ``-KEY VALUE`` pairs after ``--``."""
        self._pairs = pairs

    def postOptions(self) -> None:
        """Read the properties.

        Raises:
            usage.UsageError: a property or a file is not usable.
        """
        config = cast("str | None", self["config"])
        servers = ",".join(self._servers) if self._servers else None
        named = {NAME.name: self["name"], SECRET_FILE.name: self["secret-file"], SERVERS.name: servers}
        assignments = [f"{name}={value}" for name, value in named.items() if value is not None]
        try:
            check_filled({name: self[name] for name in ("data", "config", "name", "secret-file")})
            for server in self._servers:
                check_filled({"server": server})
            self.data = Path(self["data"]).absolute()
            self.properties = read_properties(
                None if config is None else Path(config), [*assignments, *self._assignments], self._pairs
            )
            self._log_settings = log_settings_of(self.properties)
            settings_of(self.properties)
        except BrokerError as error:
            raise usage.UsageError(error.message) from error

    def open_log(self) -> LogOutput | None:
        """Open the log that the options describe; see :func:`broker.logs.output.open_log`."""
        return open_log(self.parent, self._log_settings)


def makeService(options: Options) -> Manager:
    """Make the manager; twistd calls this once it has chosen the reactor."""
    from twisted.internet import reactor

    from broker.manager.service import Manager

    keep_steady(reactor)
    options.log_output = options.open_log()
    manager = options.service = Manager(
        options.data, options.properties, reactor, log_output=options.log_output, on_started=options.on_started
    )
    serve(reactor, reload=manager.reload, rotate_log=manager.rotate_log, hurry=manager.stop_now)
    return manager
