"""``broker subscribe | publish | send | get | erase | ping``: a client for people and scripts."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from broker.cli.options import at_least, seconds
from broker.cli.server import add_server_options, server_of
from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none

if TYPE_CHECKING:
    from broker.cli.options import Subcommands
    from broker.client import BlockingClient, Published, Update

FAILED, NOT_CONNECTED, REFUSED, TIMED_OUT = 1, 3, 4, 5
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
PROGRESS_EVERY = 0.5

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
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser = _add(subcommands, "erase", "erase topics", erase)
    _add_query(parser)
    parser.add_argument("--force", action="store_true", help="drop also what queues still hold")
    _add(subcommands, "ping", "ask a broker how it is", ping)


def subscribe(options: argparse.Namespace) -> int:
    """Print what arrives."""
    from broker.client import SubscribeOptions

    filters = tuple(_filter(text) for text in options.filter)
    with _Session(options, session=_session_of(options), persistent=options.persistent) as client:
        # A session that comes back has had its messages of the past.
        history = 0 if options.history is None and client.reconnected else options.history
        wanted = SubscribeOptions(filters, options.persistent, history, single=options.persistent)
        client.subscribe(options.oid, xpath=options.xpath, domain=options.domain, options=wanted)
        for number, update in enumerate(client.updates(timeout=options.timeout), start=1):
            print(_as_json(update) if options.json else _as_line(update), flush=True)
            if number == options.count:
                client.acknowledge()
                return 0
    return TIMED_OUT


def publish(options: argparse.Namespace) -> int:
    """Publish one message, or one a line."""
    with _Session(options) as client:
        if options.lines:
            return _publish_lines(client, options)
        published = client.publish(options.oid, _content(options), _publish_options(options))
        return _report(published, options)


def send(options: argparse.Namespace) -> int:
    """Send a message from point to point."""
    with _Session(options) as client:
        try:
            published = client.publish(options.oid, _content(options), _publish_options(options))
        except BrokerError as error:
            if error.code != Code.USER_PTP_UNKNOWN_DESTINATION or options.force:
                raise
            reason = f"{options.receiver} is not logged in; --force queues the message until it is"
            raise BrokerError(error.code, reason) from error
        return _report(published, options)


def get(options: argparse.Namespace) -> int:
    """Print the newest messages of topics."""
    from broker.client import SubscribeOptions

    with _Session(options, callbacks=False) as client:
        wanted = SubscribeOptions(history=options.history)
        for update in client.get(options.oid, xpath=options.xpath, domain=options.domain, options=wanted):
            print(_as_json(update) if options.json else _as_line(update))
    return 0


def erase(options: argparse.Namespace) -> int:
    """Erase topics."""
    with _Session(options, callbacks=False) as client:
        for oid in client.erase(options.oid, xpath=options.xpath, domain=options.domain, force=options.force):
            print(oid)
    return 0


def ping(options: argparse.Namespace) -> int:
    """Ask a broker how it is."""
    with _Session(options, callbacks=False) as client:
        begin = time.perf_counter()
        state = client.ping()
        print(f"{state} {(time.perf_counter() - begin) * 1000:.1f} ms")
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
    ) -> None:
        from broker.client import BlockingClient, ConnectOptions

        server = server_of(options)
        name, number = session
        if name not in ("", server.user):
            raise BrokerError(Code.USER_WRONG_API_USAGE, f"--session {name}/{number} is none of {server.user}'s")
        wanted = ConnectOptions(
            server.user, server.password, session=number, persistent=persistent, callbacks=callbacks, burst=BATCH
        )
        self._client = BlockingClient(
            server.host, server.port, wanted, tls=server.context(), compress=server.compress, delay=1.0
        )

    def __enter__(self) -> BlockingClient:
        try:
            self._client.connect()
        except BrokerError as error:
            raise SystemExit(_explain(error)) from error
        return self._client

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self._client.__exit__(kind, error, None)


def _explain(error: BrokerError) -> int:
    print(f"broker: {error.message}", file=sys.stderr)
    if error.is_communication:
        refused = any(mark in error.message for mark in CERTIFICATE_MARKS)
        reached = not error.message.startswith("no connection")
        print(CERTIFICATE_HINT if refused else PORT_HINT if reached else ADDRESS_HINT, file=sys.stderr)
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
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _register_publish(subcommands: Subcommands) -> None:
    parser = _add(subcommands, "publish", "publish a message on a topic", publish, PUBLISH_EXAMPLES)
    parser.add_argument("--oid", metavar="OID", required=True, help="the topic")
    _add_content(parser)
    parser.add_argument("--persistent", action="store_true", help="it survives a crash")
    parser.add_argument(
        "--lines",
        action="store_true",
        help="publish every line of the content as a message; waits for a broker that is away, and goes on",
    )
    parser.set_defaults(to=(), force=False, subscribable=True)


def _register_send(subcommands: Subcommands) -> None:
    parser = _add(subcommands, "send", "send a message to somebody", send, SEND_EXAMPLES)
    parser.add_argument("receiver", metavar="RECEIVER", help="login name, or session such as joe/1")
    parser.add_argument("--oid", metavar="OID", default="", help="topic that the message names")
    _add_content(parser)
    parser.add_argument("--force", action="store_true", help="queue it for a receiver that is unknown or away")
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
    source.add_argument("--file", metavar="FILE", type=Path, help="read the message from a file")
    parser.add_argument("--mime", metavar="TYPE", default="text/plain", help="type of the content (default text/plain)")
    parser.add_argument("--priority", metavar="0-9", type=int, choices=range(10), default=5, help="(default 5)")
    parser.add_argument("--property", metavar="NAME=VALUE", action="append", default=[], help="client property")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def _content(options: argparse.Namespace) -> bytes:
    if options.file is not None:
        content: bytes = options.file.read_bytes()
        return content
    if options.content in (None, "-"):
        return sys.stdin.buffer.read()
    return str(options.content).encode()


def _publish_options(options: argparse.Namespace):  # type: ignore[no-untyped-def]
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


def _publish_lines(client: BlockingClient, options: argparse.Namespace) -> int:
    wanted = _publish_options(options)
    count = 0
    shown = time.monotonic()
    for batch in _batches(_lines(options)):
        client.publish_many([(options.oid, line) for line in batch], wanted)
        count += len(batch)
        if sys.stderr.isatty() and time.monotonic() - shown > PROGRESS_EVERY:
            shown = time.monotonic()
            print(f"\r{count} published", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    print(json.dumps({"published": count}) if options.json else f"{count} published")
    return 0


def _lines(options: argparse.Namespace) -> Iterator[bytes]:
    if options.file is not None:
        with options.file.open("rb") as file:
            yield from (line.rstrip(b"\r\n") for line in file)
    elif options.content in (None, "-"):
        yield from (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
    else:
        yield from str(options.content).encode().splitlines()


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _report(published: Published, options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps({"oid": published.oid, "received": published.received, "state": published.state}))
    else:
        print(
            f"{published.oid} {_time(published.received)}" + ("" if published.state == "OK" else f" {published.state}")
        )
    return 0 if published.state == "OK" else FAILED


def _as_line(update: Update) -> str:
    mark = " (erased)" if update.erased else f" (attempt {update.redelivered + 1})" if update.redelivered else ""
    sender = update.sender.rpartition("/client/")[2]
    return f"{_time(update.received)} {update.oid} {sender}{mark}: {update.text}"


def _as_json(update: Update) -> str:
    properties = {name: value for name, value in update.properties.items() if not isinstance(value, bytes)}
    return json.dumps(
        {
            "received": update.received,
            "oid": update.oid,
            "sender": update.sender,
            "mime": update.key.mime,
            "content": update.text,
            "properties": properties,
            "redelivered": update.redelivered,
            "initial": update.initial,
            "erased": update.erased,
        }
    )


def _time(nanoseconds: int) -> str:
    if not nanoseconds:  # an answer of the broker itself, not a message
        return "-"
    moment = datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


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
