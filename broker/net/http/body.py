"""The body of a request while it comes: in memory, and where it may be long in a file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO

from broker.errors import Code
from broker.net.http.problem import Refused


def check_not_packed(headers: Mapping[str, str]) -> None:
    """Refuse a body that is compressed, which could be of any size behind that.

    Args:
        headers: of the request, by names in lower case.

    Raises:
        Refused: 415.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, Code.USER_ILLEGAL_ARGUMENT, "nothing is unpacked here")


class RequestBody:
    """What has come of a body.

    Attributes:
        size: bytes of it.
        held: bytes of these that are in memory.
    """

    __slots__ = ("_file", "_memory", "held", "size")

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self.size = self.held = 0

    def append(self, data: bytes, most_held: int, folder: Path | None) -> None:
        """Take a part.

        Args:
            data: the part.
            most_held: bytes that may be in memory.
            folder: of the file for longer bodies, which has no name and is gone when it is closed; ``None`` for none.

        Raises:
            OSError: the file cannot be written.
        """
        self.size += len(data)
        if self._file is None and folder is not None and self.size > most_held:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - take() closes it; its mode is 0600
            self._file.write(self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += data
        else:
            self._file.write(data)
        self.held = len(self._memory)

    @property
    def beginning(self) -> bytes:
        """What has come, while it is in memory."""
        return bytes(self._memory)

    def take(self) -> bytes:
        """All of it; nothing is kept."""
        if self._file is None:
            taken, self._memory = bytes(self._memory), bytearray()
        else:
            self._file.seek(0)
            taken = self._file.read()
            self.drop()
        self.size = self.held = 0
        return taken

    def drop(self) -> None:
        """Keep nothing."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        self._memory = bytearray()
        self.size = self.held = 0
