"""Properties that were changed while the broker ran, and are to be kept: a file in the data directory."""

from __future__ import annotations

import os
import re
from pathlib import Path

from broker.config.properties import Properties
from broker.config.syntax import Setting, parse
from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none
from broker.private_files import PRIVATE

FILE = "runtime.properties"
_HEAD = """\
# Properties that were changed while the broker ran, with --keep or "keep": true. They beat the command line, the
# environment and the property file. The broker writes this file; whoever edits it does so while the broker is stopped.
"""
_BY = re.compile(r"# (by .*)")


class RuntimeFile:
    """The file.

    Args:
        data: the data directory.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / FILE

    def read(self) -> list[Setting]:
        """What it has; nothing where there is none. The source of each says who changed it, and when.

        Raises:
            BrokerError: ``resource.fileIO`` where it cannot be read, ``resource.configuration`` where it is malformed.
        """
        try:
            text = self.path.read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):  # what is wrong with the directory is told by who makes it
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise BrokerError(Code.RESOURCE_FILE_IO, f"{self.path}: {error}") from error
        lines = text.splitlines()
        settings: list[Setting] = []
        for setting in parse(text, str(self.path)):
            number = whole_or_none(setting.source.rpartition(":")[2]) or 0
            by = _BY.fullmatch(lines[number - 2]) if number > 1 else None
            settings.append(Setting(setting.name, setting.value, f"run time, {by[1]}" if by else setting.source))
        return settings

    def load(self, properties: Properties) -> list[Setting]:
        """Have what it has in force; raises as :meth:`read`."""
        settings = self.read()
        for each in settings:
            properties.assign(each.name, each.value, each.source)
        return settings

    def write(self, settings: list[Setting]) -> None:
        """Replace what it has, at once or not at all.

        Args:
            settings: whose sources are as :meth:`read` gives them.

        Raises:
            BrokerError: ``resource.fileIO`` where it cannot be written; ``user.illegalArgument`` for a text that the
                file cannot hold.
        """
        blocks = [
            f"# {each.source.removeprefix('run time, ')}\n{_escaped(each.name)}={_escaped(each.value)}\n"
            for each in settings
        ]
        text = _HEAD + "".join(f"\n{block}" for block in blocks)
        if [(each.name, each.value) for each in parse(text, FILE)] != [(each.name, each.value) for each in settings]:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{FILE} cannot hold this value")
        part = self.path.with_suffix(".part")
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.rename(self.path)
        except OSError as error:
            raise BrokerError(Code.RESOURCE_FILE_IO, f"{self.path}: {error.strerror}") from error


def _escaped(text: str) -> str:
    return "".join(
        each if each.isalnum() or each in "./-_,@[]*" else f"\\u{ord(each):04x}" if ord(each) < 0x10000 else each
        for each in text
    )
