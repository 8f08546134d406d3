"""``broker manager``: twistd with the connection manager's options, in this process."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from broker.cli.options import add_store_options, assignments_of, filled, path_of
from broker.cli.terminal import complain

if TYPE_CHECKING:
    from broker.cli.options import Subcommands

EXAMPLES = """\
examples:
  broker manager --server 127.0.0.1:5262 --name cm1 --secret-file secret
  broker manager --server xmpp1:5262 --server xmpp2:5262 --name cm1 --secret-file secret --config manager.properties
  broker manager --secret-file secret --set xmpp.socket.network.interface=0.0.0.0
  broker defaults manager                           all properties, with their defaults

It listens for clients on ports 5222 (STARTTLS) and 5223 (TLS) of this machine alone, unless it is told otherwise; once
it is up it prints one line that begins with "ready:", whether or not a server is reached already. It is the same as
`twistd -n broker-manager ...`.
SIGTERM and Ctrl-C end it when the server has all that clients have sent; a second SIGTERM ends it at once. SIGHUP reads
certificates again and opens the log file anew, SIGUSR1 begins a new log file.

exit status:
  1   it could not start, for example because a port is taken; standard error has the reason in one line
  2   an option or a property cannot be used
  It does not end where a server is not reached, or refuses it: the log says why, and it dials again.
  A signal that has ended it is its status: 143 in a shell after SIGTERM, 130 after Ctrl-C.
"""


def register(subcommands: Subcommands) -> None:
    """Add ``manager``."""
    parser = subcommands.add_parser(
        "manager",
        help="start a connection manager, which holds the connections of XMPP clients for a server",
        description="Start a connection manager: it holds the connections of XMPP clients and their TLS, and carries"
        " their streams to the broker, or to another server that speaks jabber:connectionmanager, over a few links.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store_options(parser, subcommand=True, data="directory of the certificate that is made where none is given")
    parser.add_argument(
        "--server",
        metavar="HOST:PORT",
        type=filled,
        action="append",
        default=[],
        help="of the server, for managers (default 127.0.0.1:5262), or tls://HOST:PORT for a port that begins with TLS;"
        " may be repeated, the first that is reached is used",
    )
    parser.add_argument("--name", metavar="NAME", type=filled, help="of this manager (default cm1)")
    parser.add_argument(
        "--secret-file", metavar="FILE", type=path_of, help="has the secret that the server knows this manager by"
    )
    parser.add_argument("--pidfile", metavar="FILE", type=path_of, help="write the process id")
    parser.add_argument("--logfile", metavar="FILE", type=path_of, help="log to a file")
    parser.set_defaults(run=run, needs_output=False)


def run(options: argparse.Namespace) -> int:
    """Run the manager until it is told to stop.

    Returns:
        1 where it could not start, 2 where the options are wrong, else 0. After a signal it does not return: twistd
        ends the process by the same signal.
    """
    from twisted.python.usage import UsageError
    from twisted.scripts.twistd import ServerOptions, runApp  # type: ignore[attr-defined] # it does not list it

    from broker.signals import spare

    server_options = ServerOptions()
    try:
        server_options.parseOptions(twistd_arguments(options))
    except UsageError as error:
        complain(str(error), "broker manager")
        return 2
    spare()
    runApp(server_options)
    service = server_options.subOptions.service
    return 0 if service.failure is None else 1


def twistd_arguments(options: argparse.Namespace) -> list[str]:
    """The command line of twistd that does what the options say."""
    arguments = ["--nodaemon", f"--pidfile={options.pidfile or ''}"]
    if options.logfile:
        arguments.append(f"--logfile={options.logfile}")
    arguments += ["broker-manager", f"--data={options.data}"]
    if options.config:
        arguments.append(f"--config={options.config}")
    if options.name is not None:
        arguments.append(f"--name={options.name}")
    if options.secret_file is not None:
        arguments.append(f"--secret-file={options.secret_file}")
    arguments += [f"--server={server}" for server in options.server]
    return [*arguments, *(f"--set={assignment}" for assignment in assignments_of(options))]
