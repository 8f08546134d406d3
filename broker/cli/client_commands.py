"""``broker subscribe | publish | send | get | erase | ping``: a client for people and scripts."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from broker.cli.exit_status import FAILED, NOT_CONNECTED, REFUSED, TIMED_OUT
from broker.cli.formats import add_formats, write_outcome, write_update
from broker.cli.lines import publish_lines
from broker.cli.options import at_least, path_of, seconds
from broker.cli.server import add_server_options, server_of
from broker.cli.terminal import advise, complain, say
from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none

if TYPE_CHECKING:
    from broker.cli.options import Subcommands
    from broker.client import BlockingClient, Published, PublishOptions

EXIT_STATUS = """
exit status: 0 done, 1 failed, 2 wrong usage, 3 no connection, 4 login refused, 5 nothing came in time
"""
ADDRESS_HINT = "Is the broker running? Its address is given by --server socket://host:port."
PORT_HINT = "Is this a port of the native protocol? --tls and --zlib must be as it wants them."
CERTIFICATE_HINT = (
    "The certificate must be for the host in --server, and of an authority that is known or in --ca FILE."
)
CERTIFICATE_MARKS = ("certificate", "VerificationError")
"""What OpenSSL and service-identity say of a certificate that is not accepted."""
BATCH = 100
"""Messages that a subscriber takes in one update, where nothing is delivered again."""
ANSWER_TIMEOUT = 30.0
"""Seconds that a broker has for an answer."""
PATIENCE = 30.0
"""Seconds that a command waits for a broker that goes away in the middle."""

SUBSCRIBE_EXAMPLES = """\
examples:
  broker subscribe --user joe --oid weather
  broker subscribe --user joe --xpath "//STOCK" --json
  broker subscribe --user joe --persistent --session joe/1 --oid weather    come back later: nothing is missed
  broker subscribe --user joe --oid weather --filter "GnuRegexFilter:sun.*" --count 10 --timeout 60
"""
PUBLISH_EXAMPLES = """\
examples:
  broker publish --user joe --oid weather "sunny"
  broker publish --user joe --oid weather --persistent --file report.xml --mime text/xml
  seq 100000 | broker publish --user joe --oid numbers --lines -
"""
SEND_EXAMPLES = """\
examples:
  broker send --user joe jack "hello"           to whatever session of jack takes it
  broker send --user joe jack/1 --force "hello" to that session, which may not exist yet

Nobody is told who has an account: with --force a message to a name that nobody has is queued like any other.
"""


def register(subcommands: Subcommands) -> None:
    """Add the client commands."""
    _register_subscribe(subcommands)
    _register_publish(subcommands)
    _register_send(subcommands)
    parser = _add(subcommands, "get", "print the newest messages of topics", get)
    _add_query(parser)
    parser.add_argument(
        "--history", metavar="N", type=at_least(-1), default=1, help="messages of each topic, -1 all (default 1)"
    )
    add_formats(parser)
    parser = _add(subcommands, "erase", "erase topics", erase)
    _add_query(parser)
    parser.add_argument("--force", action="store_true", help="drop also what queues still hold")
    _add(subcommands, "ping", "ask a broker how it is", ping)


def subscribe(options: argparse.Namespace) -> int:
    """Print what arrives."""
    from broker.client import SubscribeOptions

    filters = tuple(_filter(text) for text in options.filter)
    session = _Session(
        options, session=_session_of(options), persistent=options.persistent, patience=None, tells_state=True
    )
    with session as client:
        # A session that comes back has had its messages of the past.
        history = 0 if options.history is None and client.reconnected else options.history
        wanted = SubscribeOptions(filters, options.persistent, history, single=options.persistent)
        client.subscribe(options.oid, xpath=options.xpath, domain=options.domain, options=wanted)
        for number, update in enumerate(client.updates(timeout=options.timeout), start=1):
            write_update(update, options)
            client.acknowledge()
            if number == options.count:
                return 0
    return TIMED_OUT


def publish(options: argparse.Namespace) -> int:
    """Publish one message, or one a line."""
    wanted = _publish_options(options)
    with _Session(options, patience=options.timeout) as client:
        if options.lines:
            return publish_lines(client, options, wanted)
        return _publish_one(client, options, wanted)


def send(options: argparse.Namespace) -> int:
    """Send a message from point to point."""
    wanted = _publish_options(options)
    with _Session(options, patience=options.timeout) as client:
        try:
            return _publish_one(client, options, wanted)
        except BrokerError as error:
            if error.code != Code.USER_PTP_UNKNOWN_DESTINATION or options.force:
                raise
            reason = f"{options.receiver} is not logged in; --force queues the message until it is"
            raise BrokerError(error.code, reason) from error


def _publish_one(client: BlockingClient, options: argparse.Namespace, wanted: PublishOptions) -> int:
    try:
        published = client.publish(options.oid, _content(options), wanted, wait=True)
    except BrokerError as error:
        if not error.is_communication:
            raise
        raise BrokerError(error.code, f"the message was not acknowledged by the broker: {error.message}") from error
    return _report(published, options)


def get(options: argparse.Namespace) -> int:
    """Print the newest messages of topics."""
    from broker.client import SubscribeOptions

    with _Session(options, callbacks=False) as client:
        wanted = SubscribeOptions(history=options.history)
        found = client.get(options.oid, xpath=options.xpath, domain=options.domain, options=wanted)
        for update in found:
            write_update(update, options)
        if not found:
            complain(f"there is no message on {_asked(options)}")
    return 0


def erase(options: argparse.Namespace) -> int:
    """Erase topics."""
    with _Session(options, callbacks=False) as client:
        erased = client.erase(
            options.oid, xpath=options.xpath, domain=options.domain, force=options.force, wait=bool(options.oid)
        )
        for oid in erased:
            say(oid)
        if not erased:
            complain(f"there is no topic {_asked(options)}; nothing was erased")
    return 0


def ping(options: argparse.Namespace) -> int:
    """Ask a broker how it is."""
    with _Session(options, callbacks=False) as client:
        begin = time.perf_counter()
        state = client.ping()
        say(f"{state} {(time.perf_counter() - begin) * 1000:.1f} ms")
    return 0


class _Session:
    """A connected client for the length of a command."""

    def __init__(
        self,
        options: argparse.Namespace,
        *,
        session: tuple[str, int] = ("", 0),
        persistent: bool = False,
        callbacks: bool = True,
        patience: float | None = PATIENCE,
        tells_state: bool = False,
    ) -> None:
        from broker.client import BlockingClient, ConnectOptions, State

        server = server_of(options)
        name, number = session
        if name not in ("", server.user):
            raise BrokerError(Code.USER_WRONG_API_USAGE, f"--session {name}/{number} is none of {server.user}'s")
        wanted = ConnectOptions(
            server.user,
            server.password,
            session=number,
            persistent=persistent,
            callbacks=callbacks,
            burst=1 if number else BATCH,  # what a session that is left has not printed is delivered again
        )

        def tell(state: State) -> None:  # in the reactor's thread
            if state is State.POLLING:
                complain("the connection is lost; waiting for the broker to come back")
            elif state is State.ALIVE and self._entered:
                missing = "" if self._client.reconnected else "; what was published meanwhile is missing here"
                complain(f"the broker is back{missing}")

        self._entered = False
        self._client = BlockingClient(
            *server.places[0],
            wanted,
            others=server.places[1:],
            tls=server.context(),
            compress=server.compress,
            delay=1.0,
            patience=patience,
            connect_timeout=ANSWER_TIMEOUT,
            response_timeout=ANSWER_TIMEOUT,
            on_state=tell if tells_state else None,
        )

    def __enter__(self) -> BlockingClient:
        try:
            self._client.connect()
        except BrokerError as error:
            raise SystemExit(_explain(error)) from error
        self._entered = True
        return self._client

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        from broker.client import UnacknowledgedError

        try:
            self._client.__exit__(kind, error, None)
        except BrokerError as failure:  # everything was answered before: then the end may be lost
            if isinstance(failure, UnacknowledgedError) or not failure.is_communication:
                raise


def _explain(error: BrokerError) -> int:
    complain(error.message)
    if error.code == Code.COMMUNICATION_SERVER_DENY:
        return REFUSED
    if error.is_communication:
        refused = any(mark in error.message for mark in CERTIFICATE_MARKS)
        reached = not error.message.startswith("no connection")
        advise(CERTIFICATE_HINT if refused else PORT_HINT if reached else ADDRESS_HINT)
        return NOT_CONNECTED
    if str(error.code).startswith("user.security"):
        return REFUSED
    return FAILED


def _register_subscribe(subcommands: Subcommands) -> None:
    parser = _add(subcommands, "subscribe", "print messages as they arrive", subscribe, SUBSCRIBE_EXAMPLES)
    _add_query(parser, later=", also later ones")
    parser.add_argument(
        "--filter", metavar="TYPE:TEXT", action="append", default=[], help="only what matches; may be repeated"
    )
    parser.add_argument(
        "--persistent", action="store_true", help="go on where this session stopped, also after a crash"
    )
    parser.add_argument("--session", metavar="NAME/N", help="session to come back to, such as joe/1")
    parser.add_argument(
        "--history", metavar="N", type=at_least(-1), help="messages of the past to begin with, -1 all (default 1)"
    )
    parser.add_argument("--count", metavar="N", type=at_least(1), help="end after so many messages")
    parser.add_argument("--timeout", metavar="S", type=seconds, help="end when nothing comes for so many seconds")
    add_formats(parser)


def _register_publish(subcommands: Subcommands) -> None:
    parser = _add(subcommands, "publish", "publish a message on a topic", publish, PUBLISH_EXAMPLES)
    parser.add_argument("--oid", metavar="OID", required=True, help="the topic")
    _add_content(parser)
    parser.add_argument("--persistent", action="store_true", help="it survives a crash")
    parser.add_argument(
        "--lines",
        action="store_true",
        help="publish every line of the content as a message, as it comes; exit status 0 where all are acknowledged",
    )
    parser.set_defaults(to=(), force=False, subscribable=True)


def _register_send(subcommands: Subcommands) -> None:
    parser = _add(subcommands, "send", "send a message to somebody", send, SEND_EXAMPLES)
    parser.add_argument("receiver", metavar="RECEIVER", help="login name, or session such as joe/1")
    parser.add_argument("--oid", metavar="OID", default="", help="topic that the message names")
    _add_content(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="queue it for a receiver that is away; that there is one of this name is not looked at",
    )
    parser.add_argument("--volatile", action="store_false", dest="persistent", help="it need not survive a crash")
    parser.set_defaults(lines=False, subscribable=False)


def _add(
    subcommands: Subcommands, name: str, text: str, run: Callable[[argparse.Namespace], int], examples: str = ""
) -> argparse.ArgumentParser:
    parser = subcommands.add_parser(
        name,
        help=text,
        description=f"{text.capitalize()}.",
        epilog=examples + EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_server_options(parser)
    parser.set_defaults(run=run, parser=parser)
    return parser


def _add_query(parser: argparse.ArgumentParser, later: str = "") -> None:
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--oid", metavar="OID", default="", help="the topic")
    group.add_argument("--xpath", metavar="XPATH", default="", help=f"all topics whose key matches{later}")
    group.add_argument("--domain", metavar="DOMAIN", default="", help="all topics of a domain")


def _add_content(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("content", metavar="CONTENT", nargs="?", help="the message; - or nothing reads standard input")
    source.add_argument("--file", metavar="FILE", type=path_of, help="read the message from a file")
    parser.add_argument("--mime", metavar="TYPE", default="text/plain", help="type of the content (default text/plain)")
    parser.add_argument("--priority", metavar="0-9", type=int, choices=range(10), default=5, help="(default 5)")
    parser.add_argument("--property", metavar="NAME=VALUE", action="append", default=[], help="client property")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=seconds,
        default=PATIENCE,
        help=f"give up when a broker that was there is away for so many seconds (default {PATIENCE:g})",
    )


def _content(options: argparse.Namespace) -> bytes:
    if options.file is not None:
        content: bytes = options.file.read_bytes()
        return content
    if options.content in (None, "-"):
        return sys.stdin.buffer.read()
    return os.fsencode(options.content)  # the bytes that were typed, UTF-8 or not


def _publish_options(options: argparse.Namespace) -> PublishOptions:
    from broker.client import PublishOptions

    properties = dict(_pair(text) for text in options.property)
    receiver = getattr(options, "receiver", None)
    return PublishOptions(
        mime=options.mime,
        persistent=options.persistent,
        priority=options.priority,
        properties=properties,
        to=(receiver,) if receiver else (),
        force=options.force,
        subscribable=options.subscribable,
    )


def _report(published: Published, options: argparse.Namespace) -> int:
    write_outcome(published, options)
    return 0 if published.state == "OK" else FAILED


def _asked(options: argparse.Namespace) -> str:
    """What a query asked for."""
    return str(options.oid or options.xpath or options.domain)


def _filter(text: str) -> tuple[str, str]:
    kind, separator, query = text.partition(":")
    if not separator:
        raise BrokerError(
            Code.USER_WRONG_API_USAGE, f"--filter {text}: it must be TYPE:TEXT, such as GnuRegexFilter:sun.*"
        )
    return kind, query


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"--property {text}: it must be NAME=VALUE")
    return name, value


def _session_of(options: argparse.Namespace) -> tuple[str, int]:
    if not options.session:
        if options.persistent:
            raise BrokerError(
                Code.USER_WRONG_API_USAGE, "--persistent needs --session NAME/N to come back to, such as joe/1"
            )
        return "", 0
    name, _, digits = options.session.rpartition("/")
    number = whole_or_none(digits, 1)
    if number is None:
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"--session {options.session}: it must end in a number above 0")
    return name, number
