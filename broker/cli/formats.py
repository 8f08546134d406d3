"""How commands print messages and outcomes."""

from __future__ import annotations

import argparse
import math
import sys
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from broker.cli.terminal import say, say_json, shown

if TYPE_CHECKING:
    from broker.client import Published, Update

JSON_HELP = "one JSON object a line; content that is not UTF-8 is base64, and base64 is true then"


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how messages are printed."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--json", action="store_true", help=JSON_HELP)
    group.add_argument("--raw", action="store_true", help="contents byte for byte, and nothing else")


def write_update(update: Update, options: argparse.Namespace) -> None:
    """Print a message; it has left this process when this returns.

    Args:
        update: the message.
        options: of the command, as :func:`add_formats` makes them.
    """
    if options.raw:
        sys.stdout.buffer.write(update.content)
        sys.stdout.buffer.flush()
    elif options.json:
        say_json(as_json(update))
    else:
        say(as_line(update), keep="\t\n")


def as_line(update: Update) -> str:
    """A message for people."""
    mark = " (erased)" if update.erased else f" (attempt {update.redelivered + 1})" if update.redelivered else ""
    sender = update.sender.rpartition("/client/")[2]
    names = shown(f"{update.oid} {sender}", sys.stdout)
    return f"{moment(update.received)} {names}{mark}: {shown(update.text, sys.stdout, keep=chr(9) + chr(10))}"


def as_json(update: Update) -> dict[str, object]:
    """A message for programs."""
    content, is_base64 = _text_of(update.content)
    properties = {name: _plain(value) for name, value in update.properties.items()}
    return {
        "received": update.received,
        "oid": update.oid,
        "sender": update.sender,
        "mime": update.key.mime,
        "content": content,
        "base64": is_base64,
        "properties": properties,
        "redelivered": update.redelivered,
        "initial": update.initial,
        "erased": update.erased,
    }


def write_outcome(published: Published, options: argparse.Namespace) -> None:
    """Print the broker's answer to a publish."""
    if options.json:
        say_json({"oid": published.oid, "received": published.received, "state": published.state})
    else:
        state = "" if published.state == "OK" else f" {published.state}"
        say(f"{published.oid} {moment(published.received)}{state}")


def moment(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as UTC."""
    if not nanoseconds:  # an answer of the broker itself, not a message
        return "-"
    time = datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def _text_of(content: bytes) -> tuple[str, bool]:
    try:
        return content.decode(), False
    except UnicodeDecodeError:
        return b64encode(content).decode(), True


def _plain(value: object) -> object:
    """A property's value in JSON, which has neither bytes nor numbers that are infinite or none."""
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
