"""Where properties come from: command line, environment and file (spec xmlblaster §15)."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from broker.config.syntax import Setting, parse
from broker.errors import BrokerError, Code

COMMAND_LINE = "command line"
ENVIRONMENT = "environment"
VARIABLE_PREFIX = "BROKER_"
OTHER_VARIABLES = (
    "BROKER_SERVER",
    "BROKER_USER",
    "BROKER_PASSWORD",
    "BROKER_SOCKET",
    "BROKER_TOKEN",
    "BROKER_KILL_AT",
    "BROKER_TEST_",
)
"""Variables with this prefix that are no properties: for the client commands, and for tests."""
_NOT_WORD = re.compile(r"[^A-Za-z0-9]+")


def from_assignments(assignments: Iterable[str]) -> list[Setting]:
    """Read what ``--set KEY=VALUE`` gave.

    Raises:
        BrokerError: ``resource.configuration`` where one has no name or no ``=``.
    """
    settings = []
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{COMMAND_LINE}: '{assignment}' is not KEY=VALUE")
        settings.append(Setting(name.strip(), value, COMMAND_LINE))
    return settings


def from_pairs(arguments: Sequence[str]) -> list[Setting]:
    """Read pairs in the form of xmlBlaster, ``-persistence/session/maxEntries 200``.

    A value may itself begin with a minus (``-session.timeout -1``).

    Raises:
        BrokerError: ``resource.configuration`` where a name has no minus or no value.
    """
    settings = []
    for index in range(0, len(arguments), 2):
        option = arguments[index]
        if len(option) < 2 or option[0] != "-":
            raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{COMMAND_LINE}: '{option}' is not -KEY VALUE")
        if index + 1 == len(arguments):
            raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{COMMAND_LINE}: {option} has no value")
        settings.append(Setting(option[1:], arguments[index + 1], COMMAND_LINE))
    return settings


def from_file(path: Path) -> list[Setting]:
    """Read a property file in UTF-8, or in Latin-1 (as Java reads it) where it is not valid UTF-8.

    Raises:
        BrokerError: ``resource.fileIO`` where it cannot be read, ``resource.configuration`` where it is malformed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokerError(Code.RESOURCE_FILE_IO, f"{path}: {error.strerror}") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return parse(text, str(path))


def process_environment() -> dict[str, str]:
    """The environment of this process, with the names of Java's system properties that configurations refer to."""
    return {
        "java.io.tmpdir": tempfile.gettempdir(),
        "user.home": str(Path("~").expanduser()),
        "user.dir": str(Path.cwd()),
        "file.separator": os.sep,
        "path.separator": os.pathsep,
        **os.environ,
    }


def in_environment(environment: Mapping[str, str], name: str) -> Setting | None:
    """A property of the environment, under its own name or else as ``BROKER_<NAME>``."""
    for variable in (name, variable_name(name)):
        value = environment.get(variable)
        if value is not None:
            return Setting(name, value, f"{ENVIRONMENT} {variable}")
    return None


@cache
def variable_name(name: str) -> str:
    """What a shell can set: ``BROKER_DB_URL`` for ``db.url``, ``BROKER_QUEUE_MAXBYTES`` for ``queue/maxBytes``."""
    return VARIABLE_PREFIX + _NOT_WORD.sub("_", name).strip("_").upper()
