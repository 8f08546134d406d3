"""``broker run``: twistd with the broker's options, in this process."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.cli import background
from broker.cli.background import Background
from broker.cli.exit_status import TRY_AGAIN
from broker.cli.options import add_store_options, assignments_of, path_of
from broker.cli.terminal import complain
from broker.model.number import whole_or_none
from broker.signals import spare

if TYPE_CHECKING:
    from broker.cli.options import Subcommands

PROCESSES = Path("/proc")

EXAMPLES = """\
examples:
  broker run                                        keep the data in ./data, log to the terminal
  broker run --data /var/lib/broker --config broker.properties
  broker run --set session.timeout=60000            set one property
  broker run -- -persistence/session/maxEntries 200 the same in the form of xmlBlaster
  broker run --data /var/lib/broker --daemon        in the background; log and process id in the data directory

It is the same as `twistd -n broker ...`; once it is up it prints one line that begins with "ready:".
With --daemon the command returns when the broker is up, with exit status 0, or has failed, with the reason and 1.
SIGTERM and Ctrl-C end it in order; after kill -9 it recovers what it acknowledged. SIGHUP reads certificates and the
htpasswd file again and opens the log file anew, SIGUSR1 begins a new log file.
"""


def register(subcommands: Subcommands) -> None:
    """Add ``run``."""
    parser = subcommands.add_parser(
        "run",
        help="start the broker",
        description="Start the broker on a data directory.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser, subcommand=True)
    parser.add_argument(
        "-p", "--plugins", metavar="FILE", type=path_of, help="plugin file instead of the one in the package"
    )
    parser.add_argument("--daemon", action="store_true", help="run in the background")
    parser.add_argument(
        "--pidfile", metavar="FILE", type=path_of, help="write the process id (default with --daemon: DIR/broker.pid)"
    )
    parser.add_argument(
        "--logfile", metavar="FILE", type=path_of, help="log to a file (default with --daemon: DIR/broker.log)"
    )
    parser.add_argument("pairs", metavar="-KEY VALUE", nargs="*", help="properties after --")
    parser.set_defaults(run=run, needs_output=False)


def run(options: argparse.Namespace) -> int:
    """Run the broker until it is told to stop.

    Returns:
        1 where it could not start, 2 where the options are wrong, 75 where another broker has taken its database over,
        else 0. After a signal it does not return: twistd
        ends the process by the same signal. With ``--daemon`` this is what the process returns that started it.
    """
    from twisted.python.usage import UsageError
    from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined] # it does not list it

    server_options = ServerOptions()
    try:
        server_options.parseOptions(twistd_arguments(options))
    except UsageError as error:
        complain(str(error), "broker run")
        return 2
    try:
        # twistd opens its files in it before the broker does
        options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        complain(f"{options.data} is no directory", "broker run")
        return 1
    if server_options["pidfile"]:
        remove_stale(Path(server_options["pidfile"]))
    if not options.daemon:
        return _run(server_options)

    def run_behind(waiting: Background) -> int:
        broker_options = server_options.subOptions
        broker_options.on_started = lambda: waiting.ready(broker_options.log_output and broker_options.log_output.file)
        return _run(server_options)

    return background.start(run_behind)


def _run(server_options: Any) -> int:
    from twisted.scripts.twistd import runApp

    spare()
    runApp(server_options)
    application = server_options.subOptions.application
    if application.taken_over:
        return TRY_AGAIN
    return 0 if application.failure is None else 1


def remove_stale(pidfile: Path) -> None:
    """Remove a process id file that no broker owns; its number may be that of another program by now.

    Where the system does not tell of processes it stays, and twistd decides.
    """
    if not pidfile.is_file() or not PROCESSES.is_dir():
        return
    try:
        process = whole_or_none(pidfile.read_text(), 1)
        command = b"" if process is None else (PROCESSES / str(process) / "cmdline").read_bytes()
    except (OSError, UnicodeDecodeError):
        command = b""
    if not {os.path.basename(each) for each in command.split(b"\0")} & {b"broker", b"twistd"}:
        pidfile.unlink()


def twistd_arguments(options: argparse.Namespace) -> list[str]:
    """The command line of twistd that does what the options say."""
    pidfile, logfile = options.pidfile, options.logfile
    if options.daemon:
        pidfile = pidfile or options.data / "broker.pid"
        logfile = logfile or options.data / "broker.log"
    arguments = ["--nodaemon"]
    if options.daemon:
        arguments.append("--umask=077")
    arguments.append(f"--pidfile={pidfile or ''}")
    if logfile:
        arguments.append(f"--logfile={logfile}")
    arguments += ["broker", f"--data={options.data}"]
    if options.config:
        arguments.append(f"--config={options.config}")
    if options.plugins:
        arguments.append(f"--plugins={options.plugins}")
    arguments += [f"--set={assignment}" for assignment in assignments_of(options)]
    return [*arguments, "--", *options.pairs]
